"""From results to an answer: JSON as PaddleX has it, text, or a searchable PDF. No event loop here."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pybase64
from starlette.responses import JSONResponse, Response

from tritonocr import OCRResult, searchable_pdf

if TYPE_CHECKING:
    from PIL import Image

JSON, TEXT, PDF = "application/json", "text/plain", "application/pdf"
MEDIA_TYPES = (JSON, TEXT, PDF)

JPEG_QUALITY = 95
JPEG_MAX_SIDE_PX = 65_500
_PRUNED = ("input_path", "page_index")  # by PaddleX, at every depth


@dataclass(frozen=True)
class Read:
    """What was read of a file, and what of it was asked for.

    Attributes:
        results: one a page, at least one.
        is_pdf: whether the file is a PDF.
        log_id: the request's.
        visualize: whether pictures are drawn.
        return_page_image: whether the page that coordinates refer to is returned.
        return_text: whether the lines in reading order are returned.
        unknown_fields: names of the request's fields that mean nothing here.
    """

    results: Sequence[OCRResult]
    is_pdf: bool
    log_id: str
    visualize: bool
    return_page_image: bool
    return_text: bool
    unknown_fields: Sequence[str]


def preferred_type(accept: str) -> str:
    """Choose the answer's media type by an Accept header (RFC 9110, 12.5.1); JSON where nothing else fits."""
    ranges = [_media_range(part) for part in accept.split(",")]
    for wanted, quality in sorted(ranges, key=lambda media_range: -media_range[1]):
        if wanted == "*/*" or not quality:
            break
        if wanted in MEDIA_TYPES:
            return wanted
    return JSON


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    quality = next((value[2:] for value in parameters if value.startswith("q=")), "1")
    return name, float(quality) if re.fullmatch(r"[01](\.\d*)?", quality) else 1.0


def render(read: Read, media_type: str) -> Response:
    """Build the answer in one of `MEDIA_TYPES`; drawing makes this slow."""
    response = _RENDERERS[media_type](read)
    response.headers["X-Page-Count"] = str(read.results[0].page_count)
    response.headers["X-Pages-Read"] = str(len(read.results))
    return response


def _json(read: Read) -> Response:
    result: dict[str, Any] = {
        "ocrResults": [_page_result(result, read) for result in read.results],
        "dataInfo": data_info(read),
    }
    if warnings := list(_warnings(read)):
        result["warnings"] = warnings
    return JSONResponse({"logId": read.log_id, "result": result, "errorCode": 0, "errorMsg": "Success"})


def _text(read: Read) -> Response:
    """The pages' text, each page but the last ended by a form feed, as pdftotext does."""
    return Response("\f".join(f"{result.text}\n" for result in read.results), media_type=TEXT)


def _pdf(read: Read) -> Response:
    return Response(searchable_pdf(read.results), media_type=PDF)


_RENDERERS: Mapping[str, Callable[[Read], Response]] = {JSON: _json, TEXT: _text, PDF: _pdf}


def _page_result(result: OCRResult, read: Read) -> dict[str, Any]:
    return {
        "prunedResult": _pruned(result.json["res"]),
        **(_pictures(result) if read.visualize and result.ok else {}),
        **({"pageImage": _base64(result.page_picture())} if read.return_page_image and result.ok else {}),
        **({"text": result.text} if read.return_text else {}),
    }


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if key not in _PRUNED}
    return value


def _pictures(result: OCRResult) -> dict[str, str]:
    drawn = result.img
    pictures = {"ocrImage": encoded(drawn["ocr_res_img"])}
    if "preprocessed_img" in drawn:
        pictures["docPreprocessingImage"] = encoded(drawn["preprocessed_img"])
    pictures["inputImage"] = _base64(result.page.input_image or b"")
    return pictures


def encoded(picture: Image.Image) -> str:
    """Encode a picture as JPEG, or as PNG where JPEG cannot say its size, in Base64."""
    output = io.BytesIO()
    if max(picture.size) > JPEG_MAX_SIDE_PX:
        picture.save(output, "PNG")
    else:
        picture.save(output, "JPEG", quality=JPEG_QUALITY)
    return _base64(output.getvalue())


def _base64(content: bytes) -> str:
    return pybase64.b64encode_as_string(content)


def data_info(read: Read) -> dict[str, Any]:
    """Describe the file: an image, or a document with the number of all its pages."""
    pages = [{"width": result.page.width, "height": result.page.height} for result in read.results]
    page_count = read.results[0].page_count
    if not read.is_pdf and page_count == 1:
        return {**pages[0], "type": "image"}
    return {"numPages": page_count, "pages": pages, "type": "pdf" if read.is_pdf else "tiff"}


def _warnings(read: Read) -> Iterator[str]:
    """What was left out."""
    for name in read.unknown_fields:
        yield f"The field {name!r} means nothing here and was ignored."
    if len(read.results) < read.results[0].page_count:
        yield f"The file has {read.results[0].page_count} pages, of which {len(read.results)} were read."
    for number, result in enumerate(read.results, 1):
        if result.page.max_candidates_reached:
            yield f"Page {number} has more text than detection looks at: lines are missing."
        if result.error is not None:
            yield f"Page {number} was not read: {result.error}"
        for warning in result.warnings:
            yield f"Page {number}: {warning.message}"
