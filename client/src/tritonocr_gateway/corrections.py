"""Replace recognised lines by the texts that a person gives them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tritonocr import OCRResult
from tritonocr_gateway.errors import InvalidRequestError
from tritonocr_gateway.schemas import Correction

_PIECES = ("text_word", "text_char")


def corrected(results: Iterable[OCRResult], corrections: Sequence[Correction]) -> Iterator[OCRResult]:
    """Yield the pages of a file with replaced texts. The places of their words are estimated from the line.

    Raises:
        InvalidRequestError: a page or a line does not exist.
    """
    count = 0
    for count, result in enumerate(results, 1):
        for correction in corrections:
            if correction.page == count - 1:
                _replace(result, correction)
        yield result
    for correction in corrections:
        if correction.page >= count:
            raise InvalidRequestError(f"corrections names page {correction.page}; expected 0 to {count - 1}.")


def _replace(result: OCRResult, correction: Correction) -> None:
    texts = result["rec_texts"]
    if correction.line >= len(texts):
        raise InvalidRequestError(
            f"corrections names line {correction.line} of page {correction.page}; "
            f"the page has {len(texts)} lines."
        )
    texts[correction.line] = correction.text
    if "rec_sources" in result:
        result["rec_sources"][correction.line] = "user"  # no longer the PDF's own text
    for key in result:
        if key.startswith(_PIECES):
            result[key][correction.line] = []
