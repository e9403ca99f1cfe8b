"""From a request's body, JSON or a form, to what it asks for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message, Receive

from tritonocr_gateway.errors import (
    BodyTooLargeError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
    UploadTimeoutError,
)
from tritonocr_gateway.schemas import OCRFields, OCRRequest
from tritonocr_gateway.settings import Settings

JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data"

_FIELDS, _REQUEST = TypeAdapter(OCRFields), TypeAdapter(OCRRequest)
_MAX_FORM_FIELDS = 64
_TO_THREAD_BYTES = 1 << 16  # parsing more than this would keep the event loop waiting


@dataclass(frozen=True)
class Asked:
    """A request, checked as far as its form goes.

    Attributes:
        fields: everything but the file.
        file: the file's bytes, or text: Base64 or a URL.
    """

    fields: OCRFields
    file: bytes | str


async def read_request(request: Request, settings: Settings) -> Asked:
    """Read and check the body.

    Raises:
        UnsupportedMediaTypeError: it is neither JSON nor a form.
        BodyTooLargeError: its Content-Length, or what arrives, is over the limit.
        UploadTimeoutError: it does not arrive in time.
        InvalidRequestError: it does not follow the schema.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (JSON_TYPE, FORM_TYPE):
        raise UnsupportedMediaTypeError(
            f"The Content-Type is {media_type or 'missing'}; expected {JSON_TYPE} or {FORM_TYPE}."
        )
    read = _read_json if media_type == JSON_TYPE else _read_form
    try:
        return await asyncio.wait_for(read(_limited(request, settings)), settings.upload_timeout_s)
    except asyncio.TimeoutError as error:
        raise UploadTimeoutError(
            f"The body did not arrive within {settings.upload_timeout_s:g} s (setting upload_timeout_s)."
        ) from error


async def _read_json(request: Request) -> Asked:
    body = await request.body()
    if not body:
        raise InvalidRequestError(_described([{"type": "missing", "loc": (), "msg": "Field required"}]))
    run = asyncio.to_thread if len(body) > _TO_THREAD_BYTES else _call
    asked = await run(_parsed, body)
    request.state.log_id = asked.log_id or request.state.log_id
    return Asked(asked, asked.file)


async def _read_form(request: Request) -> Asked:
    async with request.form(max_files=1, max_fields=_MAX_FORM_FIELDS) as form:
        fields = _validated(_FIELDS, _form_values(form))
        request.state.log_id = fields.log_id or request.state.log_id
        file = form.get("file")
        if isinstance(file, UploadFile):
            return Asked(fields, await file.read())
        if file is None:
            raise InvalidRequestError(
                _described([{"type": "missing", "loc": ("file",), "msg": "Field required"}])
            )
        return Asked(fields, file)
