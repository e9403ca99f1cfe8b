"""LiteParse's OCR server protocol: `POST /liteparse/ocr` with the form fields `file` and `language`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from tritonocr import OCRResult
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import ErrorDetails
from tritonocr_gateway.recognition import polygons, read_pages
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    media_type_of,
    read_form,
    unsupported_type,
)
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency
from tritonocr_gateway.validation import missing_field

router = APIRouter(dependencies=[Depends(require_key)])

_SCHEMA = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string", "format": "binary"}, "language": {"type": "string"}},
}
_BODY = {"required": True, "content": {FORM_TYPE: {"schema": _SCHEMA}}}
# LiteParse reads images page by page: no coordinate may refer to a rotated or unwarped page.
_OPTIONS = {"use_doc_orientation_classify": False, "use_doc_unwarping": False, "max_pages": 1}


class LiteParseFailure(BaseModel):
    """The response to a request that failed."""

    error: str = Field(description="One sentence that describes the error.")


def _error_body(details: ErrorDetails) -> Any:
    return {"error": details.message}


ADAPTER = Adapter("liteparse", router, _error_body, LiteParseFailure)


@router.post("/liteparse/ocr", summary="Read an image for LiteParse", openapi_extra={"requestBody": _BODY})
async def liteparse(request: Request, service: ServiceDependency) -> dict[str, Any]:
    """Read an image, and return its lines with boxes in pixels of the image."""
    if media_type_of(request) != FORM_TYPE:
        raise unsupported_type(request, FORM_TYPE)
    form = await read_form(request, service)
    if not form.files.get("file"):
        raise missing_field("file")
    language = form.fields.get("language", "")
    options = {**_OPTIONS, **({"lang": language} if language else {})}
    results = await read_pages(request, service, form.files["file"][0].content, options)
    return {"results": [line for result in results for line in _lines(result)]}


def _lines(result: OCRResult) -> list[dict[str, Any]]:
    boxes = [[int(edge) for edge in box] for box in result["rec_boxes"]]
    lines = zip(result["rec_texts"], boxes, result["rec_scores"], polygons(result), strict=True)
    return [
        {"text": text, "bbox": box, "confidence": float(score), "polygon": polygon}
        for text, box, score, polygon in lines
    ]
