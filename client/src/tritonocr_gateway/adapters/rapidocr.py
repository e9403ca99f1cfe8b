"""The protocol of `rapidocr_api`: `POST /rapidocr/ocr` with `image_file`, or `image_data` in Base64."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, field_validator

from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import ErrorDetails, MalformedBodyError
from tritonocr_gateway.files import from_base64
from tritonocr_gateway.recognition import polygons, read_pages
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    media_type_of,
    read_bytes,
    read_form,
    run_parser,
    unsupported_type,
)
from tritonocr_gateway.schemas import DetailFailure
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import Service, ServiceDependency
from tritonocr_gateway.validation import missing_field, validated

URL_ENCODED = "application/x-www-form-urlencoded"

router = APIRouter(dependencies=[Depends(require_key)])


class RapidSteps(BaseModel):
    """The fields of a form that switch steps on or off."""

    use_det: bool | None = None
    use_cls: bool | None = None
    use_rec: bool | None = None

    @field_validator("use_det", "use_rec")
    @classmethod
    def _check_is_on(cls, value: bool | None) -> bool | None:
        if value is False:
            raise ValueError("expected true: detection and recognition cannot be switched off")
        return value


_SCHEMA = {
    "type": "object",
    "properties": {
        "image_file": {"type": "string", "format": "binary"},
        "image_data": {"type": "string"},
        **{name: {"type": "boolean"} for name in RapidSteps.model_fields},
    },
}
_BODY = {"required": True, "content": {FORM_TYPE: {"schema": _SCHEMA}, URL_ENCODED: {"schema": _SCHEMA}}}
_OPTIONS = {"use_doc_orientation_classify": False, "use_doc_unwarping": False, "max_pages": 1}
_MAX_FIELDS = 16
_MAX_EXTRA_ESCAPES = 10_000


def _error_body(details: ErrorDetails) -> Any:
    return {"detail": details.message}


ADAPTER = Adapter("rapidocr", router, _error_body, DetailFailure)


@router.post("/rapidocr/ocr", summary="Read an image for RapidOCR", openapi_extra={"requestBody": _BODY})
async def rapidocr(request: Request, service: ServiceDependency) -> dict[str, Any]:
    """Read an image, and return its lines by their index as text."""
    form, image = await _form(request, service)
    steps = validated(RapidSteps, form)
    rotate = {} if steps.use_cls is None else {"use_textline_orientation": steps.use_cls}
    results = await read_pages(request, service, image, {**_OPTIONS, **rotate})
    return {
        str(index): {"rec_txt": text, "dt_boxes": polygon, "score": float(score)}
        for result in results
        for index, (text, polygon, score) in enumerate(
            zip(result["rec_texts"], polygons(result), result["rec_scores"], strict=True)
        )
    }


async def _form(request: Request, service: Service) -> tuple[dict[str, str], bytes]:
    """Return the fields of a form, and the image."""
    media_type = media_type_of(request)
    if media_type == URL_ENCODED:
        fields = await run_parser(service, _url_encoded, await read_bytes(request, service))
    elif media_type == FORM_TYPE:
        form = await read_form(request, service)
        fields = dict(form.fields)
        if uploads := form.files.get("image_file"):
            return fields, uploads[0].content
    else:
        raise unsupported_type(request, FORM_TYPE, URL_ENCODED)
    if "image_data" not in fields:
        raise missing_field("image_file or image_data")
    return fields, await run_parser(service, from_base64, fields["image_data"])


def _url_encoded(body: bytes) -> dict[str, str]:
    # Decoding makes an object of each escape. Base64 with line breaks needs at most one per 19 bytes.
    if body.count(b"%") > len(body) // 16 + _MAX_EXTRA_ESCAPES:
        raise MalformedBodyError("The body has too many percent-encoded characters; expected Base64.")
    try:
        text = str(body, "ascii")
        return dict(parse_qsl(text, max_num_fields=_MAX_FIELDS, encoding="utf-8", errors="strict"))
    except ValueError as error:
        raise MalformedBodyError("The body is not a URL-encoded form in UTF-8.") from error
