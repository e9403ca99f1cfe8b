"""Replace recognised lines by the texts that a person gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tritonocr import OCRResult
from tritonocr_gateway.errors import InvalidRequestError
from tritonocr_gateway.schemas import Correction

_PIECES = ("text_word", "text_char")


def correct(results: Sequence[OCRResult], corrections: Iterable[Correction]) -> None:
    """Replace the texts of lines. The places of their words are then estimated from the line.

    Raises:
        InvalidRequestError: a page or a line does not exist.
    """
    for correction in corrections:
        if correction.page >= len(results):
            raise InvalidRequestError(
                f"corrections names page {correction.page}; expected 0 to {len(results) - 1}."
            )
        _replace(results[correction.page], correction)


def _replace(result: OCRResult, correction: Correction) -> None:
    texts = result["rec_texts"]
    if correction.line >= len(texts):
        raise InvalidRequestError(
            f"corrections names line {correction.line} of page {correction.page}; "
            f"the page has {len(texts)} lines."
        )
    texts[correction.line] = correction.text
    for key in result:
        if key.startswith(_PIECES):
            result[key][correction.line] = []
