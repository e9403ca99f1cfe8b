"""From a request's body, JSON or a form, to what it asks for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message

from tritonocr_gateway.errors import (
    BodyTooLargeError,
    ClientGoneError,
    InvalidRequestError,
    UnsupportedMediaTypeError,
    UploadTimeoutError,
    log_id_of,
)
from tritonocr_gateway.schemas import OCRFields, OCRRequest
from tritonocr_gateway.settings import Settings

JSON_TYPE, FORM_TYPE = "application/json", "multipart/form-data"

_T = TypeVar("_T")
_FIELDS, _REQUEST = TypeAdapter(OCRFields), TypeAdapter(OCRRequest)
_MAX_FORM_FIELDS = 64


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
    """Read and check the body; from then on the request has its own logId, if it gave one.

    Raises:
        UnsupportedMediaTypeError: it is neither JSON nor a form.
        BodyTooLargeError: its Content-Length, or what arrives, is over the limit.
        UploadTimeoutError: it does not arrive in time.
        ClientGoneError: it does not arrive at all.
        InvalidRequestError: it does not follow the schema.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (JSON_TYPE, FORM_TYPE):
        raise UnsupportedMediaTypeError(
            f"The Content-Type is {media_type or 'missing'}; expected {JSON_TYPE} or {FORM_TYPE}."
        )
    limited = _limited(request, settings.max_body_bytes)
    reading = _read_json(limited) if media_type == JSON_TYPE else _read_form(limited, settings.max_body_bytes)
    try:
        asked = await asyncio.wait_for(reading, settings.upload_timeout_s)
    except asyncio.TimeoutError as error:
        raise UploadTimeoutError(
            f"The body did not arrive within {settings.upload_timeout_s:g} s (setting upload_timeout_s)."
        ) from error
    except ClientDisconnect as error:
        raise ClientGoneError("The client closed the connection.") from error
    request.state.log_id = asked.fields.log_id or log_id_of(request)
    return asked


def _limited(request: Request, max_bytes: int) -> Request:
    """The same request, whose body must not be over the limit."""
    length = request.headers.get("content-length", "0")
    _check_size(int(length) if length.isdecimal() else 0, max_bytes)
    received = 0

    async def receive() -> Message:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        _check_size(received, max_bytes)
        return message

    return Request(request.scope, receive)


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise BodyTooLargeError(
            f"The body has {size} bytes or more; at most {max_bytes} are read (setting max_body_bytes)."
        )


async def _read_json(request: Request) -> Asked:
    body = await request.body()
    if not body:
        raise _invalid("missing", (), "Field required")
    asked = await asyncio.to_thread(lambda: _validated(_REQUEST, _parsed(body)))
    return Asked(asked, asked.file)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise _invalid("json_invalid", (error.pos,), "JSON decode error") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, endless digits, nested without end
        raise HTTPException(400, "There was an error parsing the body") from error


async def _read_form(request: Request, max_bytes: int) -> Asked:
    async with request.form(max_files=1, max_fields=_MAX_FORM_FIELDS, max_part_size=max_bytes) as form:
        file = form.get("file")
        if file is None:
            raise _invalid("missing", ("file",), "Field required")
        content = await file.read() if isinstance(file, UploadFile) else file
        return Asked(_validated(_FIELDS, _values(form)), content)


def _values(form: FormData) -> dict[str, Any]:
    """The form's fields; of the types that are not read from text, there is one."""
    values: dict[str, Any] = {name: value for name, value in form.items() if name != "file"}
    if values.get("fileType") in ("0", "1"):
        values["fileType"] = int(values["fileType"])
    return values


def _validated(adapter: TypeAdapter[_T], values: Any) -> _T:
    try:
        return adapter.validate_python(values, from_attributes=True)
    except ValidationError as error:
        raise InvalidRequestError(_described(error.errors(include_url=False))) from error


def _invalid(kind: str, location: tuple[str | int, ...], message: str) -> InvalidRequestError:
    return InvalidRequestError(_described([{"type": kind, "loc": location, "msg": message}]))


def _described(errors: Sequence[Any]) -> str:
    """Spell errors as PaddleX does: a JSON list of what, where and why."""
    return json.dumps(
        [{"type": error["type"], "loc": _path(error["loc"]), "msg": error["msg"]} for error in errors]
    )


def _path(location: Sequence[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return "body" + "".join(steps)
