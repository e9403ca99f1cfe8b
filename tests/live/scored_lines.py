"""Lines of a result in the form of the corpus's scorer."""

from collections.abc import Mapping
from typing import Any

PLAIN: dict[str, Any] = {
    "use_doc_orientation_classify": False,
    "use_doc_unwarping": False,
    "use_textline_orientation": False,
}


def lines_of(result: Mapping[str, Any]) -> list[tuple[Any, str]]:
    return list(zip(result["rec_polys"], result["rec_texts"], strict=True))
