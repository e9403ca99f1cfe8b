"""Build PaddleX's JSON of a file, and choose the media type of a response. No event loop here."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pybase64
from starlette.responses import JSONResponse, Response

from tritonocr import FORMATS, OCRResult
from tritonocr_common.file_formats import JPEG_QUALITY

if TYPE_CHECKING:
    from PIL import Image

JSON, NDJSON, PDF = FORMATS["json"].media_type, FORMATS["ndjson"].media_type, "application/pdf"
DOCUMENTS = {row.media_type: row for row in FORMATS.values() if row.media_type not in (JSON, NDJSON)}
"""The formats of `tritonocr.FORMATS` by media type. Both forms of JSON are those of PaddleX's service."""
MEDIA_TYPES = (JSON, NDJSON, *DOCUMENTS, PDF)

SUCCESS = {"errorCode": 0, "errorMsg": "Success"}

JPEG_MAX_SIDE_PX = 65_500
_PRUNED_KEYS = ("input_path", "page_index")  # PaddleX removes these keys at every depth
_MAX_NAMED_FIELDS = 10
_MAX_FIELD_NAME = 80


@dataclass(frozen=True)
class ResponseOptions:
    """What the response to a file contains.

    Attributes:
        is_pdf: whether the file is a PDF.
        log_id: the request's id.
        visualize: whether to draw pictures.
        picture_max_side_px: the longest side of a page in drawn pictures, in pixels.
        return_page_image: whether to return the page that coordinates refer to.
        return_text: whether to return the lines in reading order.
        unknown_fields: names of the request's fields that the gateway ignores.
    """

    is_pdf: bool
    log_id: str
    visualize: bool = False
    picture_max_side_px: int | None = None
    return_page_image: bool = False
    return_text: bool = False
    unknown_fields: Sequence[str] = ()


@dataclass(frozen=True)
class PageSummary:
    """What is kept of a page when it has been written.

    Attributes:
        size: (width, height) of the page before preprocessing, in pixels.
        page_count: pages of the file, including pages that were not read.
        messages: what may be missing from the page, one sentence each.
    """

    size: tuple[int, int]
    page_count: int
    messages: tuple[str, ...]


def summary_of(result: OCRResult, number: int) -> PageSummary:
    """Summarize a page, counted from 1."""
    size = result.page.width, result.page.height
    return PageSummary(size, result.page_count, tuple(warnings_of_page(result, number)))


def summaries_of(results: Iterable[OCRResult]) -> list[PageSummary]:
    """Summarize the pages of a file."""
    return [summary_of(result, number) for number, result in enumerate(results, 1)]


def preferred_type(accept: str, media_types: Sequence[str] = MEDIA_TYPES) -> str:
    """Choose a media type by an Accept header (RFC 9110, section 12.5.1); the first where none matches."""
    ranges = [_media_range(part) for part in accept.split(",")]
    for wanted, quality in sorted(ranges, key=lambda media_range: -media_range[1]):
        if wanted == "*/*" or not quality:
            break
        if wanted in media_types:
            return wanted
    return media_types[0]


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
    return name, float(quality) if re.fullmatch(r"[01](\.\d*)?", quality) else 1.0


def json_response(results: Sequence[OCRResult], options: ResponseOptions) -> Response:
    """Build PaddleX's JSON response. Drawing is slow: call this in a thread."""
    headers = count_headers(results[0].page_count, len(results))
    body = {"logId": options.log_id, "result": result_fields(results, options), **SUCCESS}
    return JSONResponse(body, headers=headers)


def count_headers(page_count: int, read: int) -> dict[str, str]:
    """Return the headers with the number of pages of a file, and of the pages that were read."""
    return {"X-Page-Count": str(page_count), "X-Pages-Read": str(read)}


def result_fields(results: Sequence[OCRResult], options: ResponseOptions) -> dict[str, Any]:
    """Build PaddleX's `result` object of a file."""
    pages = [page_fields(result, options) for result in results]
    return {"ocrResults": pages, **file_fields(summaries_of(results), options)}


def file_fields(pages: Sequence[PageSummary], options: ResponseOptions) -> dict[str, Any]:
    """Build the fields of `result` that follow the pages."""
    warnings = list(warnings_of(pages, options.unknown_fields))
    return {
        "dataInfo": data_info(pages, is_pdf=options.is_pdf),
        **({"warnings": warnings} if warnings else {}),
    }


def page_fields(result: OCRResult, options: ResponseOptions) -> dict[str, Any]:
    """Build the entry of a page in `ocrResults`."""
    return {
        "prunedResult": pruned(result.json["res"]),
        **(_pictures(result, options.picture_max_side_px) if options.visualize and result.ok else {}),
        **({"pageImage": _base64(result.page_picture())} if options.return_page_image and result.ok else {}),
        **({"text": result.text} if options.return_text else {}),
    }


def pruned(value: Any) -> Any:
    """Remove the keys that PaddleX's service removes from a result."""
    if isinstance(value, dict):
        return {key: pruned(item) for key, item in value.items() if key not in _PRUNED_KEYS}
    return value


def _pictures(result: OCRResult, max_side_px: int | None) -> dict[str, str]:
    drawn = result.pictures(max_side_px=max_side_px)
    pictures = {"ocrImage": encoded(drawn["ocr_res_img"])}
    if "preprocessed_img" in drawn:
        pictures["docPreprocessingImage"] = encoded(drawn["preprocessed_img"])
    pictures["inputImage"] = _base64(result.page.input_image or b"")
    return pictures


def encoded(picture: Image.Image) -> str:
    """Encode a picture as JPEG, or as PNG where a side exceeds JPEG's limit, in Base64."""
    output = io.BytesIO()
    if max(picture.size) > JPEG_MAX_SIDE_PX:
        picture.save(output, "PNG")
    else:
        picture.save(output, "JPEG", quality=JPEG_QUALITY)
    return _base64(output.getvalue())


def _base64(content: bytes) -> str:
    return pybase64.b64encode_as_string(content)


def data_info(pages: Sequence[PageSummary], *, is_pdf: bool) -> dict[str, Any]:
    """Describe the file: an image, or a document with the number of its pages."""
    sizes = [{"width": page.size[0], "height": page.size[1]} for page in pages]
    page_count = pages[0].page_count
    if not is_pdf and page_count == 1:
        return {**sizes[0], "type": "image"}
    return {"numPages": page_count, "pages": sizes, "type": "pdf" if is_pdf else "tiff"}


def warnings_of(pages: Sequence[PageSummary], unknown_fields: Sequence[str]) -> Iterator[str]:
    """Return what was left out of a result, one sentence each."""
    yield from warnings_of_fields(unknown_fields)
    if len(pages) < pages[0].page_count:
        yield f"The file has {pages[0].page_count} pages; {len(pages)} of them were read."
    for page in pages:
        yield from page.messages


def warnings_of_fields(unknown: Sequence[str]) -> Iterator[str]:
    """Name the first fields of a request that the gateway ignores."""
    for name in unknown[:_MAX_NAMED_FIELDS]:
        yield f"The field {name[:_MAX_FIELD_NAME]!r} is unknown and was ignored."
    if (unnamed := len(unknown) - _MAX_NAMED_FIELDS) > 0:
        yield f"{unnamed} more fields are unknown and were ignored."


def warnings_of_page(result: OCRResult, number: int) -> Iterator[str]:
    """Return what may be missing of a page, one sentence each."""
    if result.page.max_candidates_reached:
        yield f"Page {number} has more text than the limit of detection: lines are missing."
    if result.error is not None:
        yield f"Page {number} was not read: {result.error}"
    for warning in result.warnings:
        yield f"Page {number}: {warning.message}"
