"""Build the response of `POST /ocr`: PaddleX's JSON, text, or a searchable PDF. No event loop here."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pybase64
from starlette.responses import JSONResponse, Response

from tritonocr import FORMATS, DocumentFormat, OCRResult, formatted, searchable_pdf
from tritonocr_common.file_formats import JPEG_QUALITY

if TYPE_CHECKING:
    from PIL import Image

JSON, NDJSON, PDF = FORMATS["json"].media_type, FORMATS["ndjson"].media_type, "application/pdf"
DOCUMENTS = {row.media_type: row for row in FORMATS.values() if row.media_type not in (JSON, NDJSON)}
"""The formats of `tritonocr.FORMATS` by media type. Both forms of JSON are those of PaddleX's service."""
MEDIA_TYPES = (JSON, NDJSON, *DOCUMENTS, PDF)

JPEG_MAX_SIDE_PX = 65_500
_PRUNED_KEYS = ("input_path", "page_index")  # PaddleX removes these keys at every depth
_MAX_NAMED_FIELDS = 10
_MAX_FIELD_NAME = 80


@dataclass(frozen=True)
class FileResult:
    """The result of a file, and what the request wants of it.

    Attributes:
        results: one result per page, at least one.
        is_pdf: whether the file is a PDF.
        log_id: the request's id.
        visualize: whether to draw pictures.
        picture_max_side_px: the longest side of a page in drawn pictures, in pixels.
        return_page_image: whether to return the page that coordinates refer to.
        return_text: whether to return the lines in reading order.
        original: the bytes of the file, for a searchable PDF.
        unknown_fields: names of the request's fields that the gateway ignores.
    """

    results: Sequence[OCRResult]
    is_pdf: bool
    log_id: str
    visualize: bool = False
    picture_max_side_px: int | None = None
    return_page_image: bool = False
    return_text: bool = False
    original: bytes | None = None
    unknown_fields: Sequence[str] = ()


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


def render(read: FileResult, media_type: str) -> Response:
    """Build the response in JSON, a format of `DOCUMENTS` or PDF. Drawing is slow: call this in a thread.

    Raises:
        InvalidInputError: a document of the media type holds one page, and the file has more.
    """
    if media_type in DOCUMENTS:
        response = _document(read, DOCUMENTS[media_type])
    else:
        response = _pdf(read) if media_type == PDF else _json(read)
    response.headers["X-Page-Count"] = str(read.results[0].page_count)
    response.headers["X-Pages-Read"] = str(len(read.results))
    return response


def _json(read: FileResult) -> Response:
    return JSONResponse(
        {"logId": read.log_id, "result": result_fields(read), "errorCode": 0, "errorMsg": "Success"}
    )


def result_fields(read: FileResult) -> dict[str, Any]:
    """Build PaddleX's `result` object of a file."""
    result: dict[str, Any] = {
        "ocrResults": [_page_result(result, read) for result in read.results],
        "dataInfo": data_info(read),
    }
    if warnings := list(warnings_of(read)):
        result["warnings"] = warnings
    return result


def _document(read: FileResult, row: DocumentFormat) -> Response:
    content = "".join(formatted(read.results, row.name))
    return Response(content.encode("utf-8", "backslashreplace"), media_type=row.media_type)


def _pdf(read: FileResult) -> Response:
    return Response(searchable_pdf(read.results, read.original), media_type=PDF)


def _page_result(result: OCRResult, read: FileResult) -> dict[str, Any]:
    return {
        **page_fields(result, with_page_image=read.return_page_image, with_text=read.return_text),
        **(_pictures(result, read.picture_max_side_px) if read.visualize and result.ok else {}),
    }


def page_fields(result: OCRResult, *, with_page_image: bool, with_text: bool) -> dict[str, Any]:
    """Build the fields of a page without drawn pictures."""
    return {
        "prunedResult": pruned(result.json["res"]),
        **({"pageImage": _base64(result.page_picture())} if with_page_image and result.ok else {}),
        **({"text": result.text} if with_text else {}),
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


def data_info(read: FileResult) -> dict[str, Any]:
    """Describe the file: an image, or a document with the number of its pages."""
    pages = [{"width": result.page.width, "height": result.page.height} for result in read.results]
    page_count = read.results[0].page_count
    if not read.is_pdf and page_count == 1:
        return {**pages[0], "type": "image"}
    return {"numPages": page_count, "pages": pages, "type": "pdf" if read.is_pdf else "tiff"}


def warnings_of(read: FileResult) -> Iterator[str]:
    """Return what was left out of a result, one sentence each."""
    yield from warnings_of_fields(read.unknown_fields)
    if len(read.results) < read.results[0].page_count:
        yield f"The file has {read.results[0].page_count} pages; {len(read.results)} of them were read."
    for number, result in enumerate(read.results, 1):
        yield from warnings_of_page(result, number)


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
