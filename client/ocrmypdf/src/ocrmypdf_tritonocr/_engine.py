"""The engine that OCRmyPDF calls: one request to the server per page."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ocrmypdf.exceptions import SubprocessOutputError
from ocrmypdf.hocrtransform import BoundingBox, OcrClass, OcrElement
from ocrmypdf.models.ocr_element import Baseline
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence
from PIL import Image

from tritonocr import OCRClient, OCRResult, TritonOCRError, __version__
from tritonocr._results.page_text import PlacedText, page_text  # the same release: see pyproject.toml

from ._languages import LANGUAGES, model_language

CERTAIN = 20.0
"""Confidence of an orientation whose lines have score 1; OCRmyPDF turns pages from 14 on."""

DESCENT = 0.2
"""Part of a line's height below its baseline."""


class TritonOcrEngine(OcrEngine):
    """Reads the page images of OCRmyPDF on a TritonOCR server."""

    @staticmethod
    def version() -> str:
        """Return the version of the client."""
        return __version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        """Return the name that OCRmyPDF writes into the PDF's metadata."""
        return f"TritonOCR {__version__}"

    def __str__(self) -> str:
        """Return the name for messages."""
        return f"TritonOCR {__version__}"

    @staticmethod
    def languages(options: Any) -> set[str]:
        """Return the Tesseract codes of all languages that a model exists for."""
        return set(LANGUAGES)

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        """Return the counter-clockwise turn that makes the page upright, and how well the page was read then.

        OCRmyPDF corrects a page counter-clockwise by this angle, as Tesseract reports it.
        """
        page = _read(input_file, options, use_doc_orientation_classify=True)
        angle = max(page["doc_preprocessor_res"]["angle"], 0)
        scores = [float(score) for score in page["rec_scores"]]
        confidence = CERTAIN * statistics.mean(scores) if scores else 0.0
        return OrientationConfidence(angle, confidence)

    @staticmethod
    def supports_generate_ocr() -> bool:
        """Return True: pages are returned as elements, not as hOCR files."""
        return True

    @staticmethod
    def generate_ocr(input_file: Path, options: Any, page_number: int = 0) -> tuple[OcrElement, str]:
        """Read a page image.

        Returns:
            The page with its lines and words, in reading order, and its text.

        Raises:
            SubprocessOutputError: the server did not read the page; the message names the server.
        """
        page = _read(input_file, options, return_word_box=True)
        with Image.open(input_file) as image:
            width, height = image.size
            dpi = float(image.info.get("dpi", (72, 72))[0])
        element = OcrElement(
            ocr_class=OcrClass.PAGE,
            bbox=BoundingBox(left=0, top=0, right=width, bottom=height),
            children=list(_lines(page)),
            dpi=dpi,
            page_number=page_number,
        )
        return element, page.text

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        """Write a page's hOCR and text, for OCRmyPDF's hOCR workflow."""
        page = _read(input_file, options, return_word_box=True)
        output_hocr.write_text(page.hocr, encoding="utf-8")
        output_text.write_text(page.text, encoding="utf-8")

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        """Raise an error, because OCRmyPDF itself builds the PDF from the elements.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("TritonOCR does not write PDFs here: use --pdf-renderer auto or fpdf2")


@functools.lru_cache(maxsize=4)
def _client(url: str, timeout_s: float) -> OCRClient:
    """Return the client of this process; OCRmyPDF calls the engine once per page."""
    return OCRClient(url, timeout_s=timeout_s)


def _read(image: Path, options: Any, **steps: bool) -> OCRResult:
    """Read one page image; OCRmyPDF has already turned and straightened it."""
    url = options.tritonocr.url
    try:
        (page,) = _client(url, options.tritonocr.timeout).ocr(
            image.read_bytes(),
            **{
                "use_doc_orientation_classify": False,
                "use_doc_unwarping": False,
                "lang": model_language(options.languages),
                **steps,
            },
        )
    except TritonOCRError as error:
        raise SubprocessOutputError(f"TritonOCR server {url}: {error}") from error
    return page


def _lines(page: OCRResult) -> Iterator[OcrElement]:
    """Yield the lines of a page in reading order, with their words in the order of the text."""
    for line in page_text(page).lines:
        quad = line.quad.tolist()
        box = _box(quad)
        quarters = round(line.angle / 90)
        yield OcrElement(
            ocr_class=OcrClass.LINE,
            bbox=box,
            poly=[(float(x), float(y)) for x, y in quad],
            confidence=line.score,
            textangle=-90.0 * quarters % 360 if quarters else None,  # counter-clockwise
            baseline=None if quarters else _baseline(quad, box),
            children=[_word(word) for word in line.words or (line,)],
        )


def _word(word: PlacedText) -> OcrElement:
    box = _box(word.quad.tolist())
    return OcrElement(ocr_class=OcrClass.WORD, bbox=box, text=word.text, confidence=word.score)


def _box(quad: list[list[float]]) -> BoundingBox:
    """Return the upright rectangle around a quad."""
    columns, rows = zip(*quad, strict=True)
    return BoundingBox(float(min(columns)), float(min(rows)), float(max(columns)), float(max(rows)))


def _baseline(quad: list[list[float]], box: BoundingBox) -> Baseline:
    """Return the baseline along the lower edge of a quad, relative to the box's lower left corner."""
    (_, (_, top_right), (right, bottom), (left, lower)) = quad
    slope = (bottom - lower) / max(right - left, 1)
    height = bottom - top_right
    return Baseline(slope=slope, intercept=lower - slope * (left - box.left) - box.bottom - DESCENT * height)
