"""The input of `POST /ocr`: the fields and the files of a request, in each form of its body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from tritonocr_gateway.errors import GatewayError, InvalidRequestError
from tritonocr_gateway.file_names import name_of_header, name_of_url, upload_name
from tritonocr_gateway.files import from_base64, is_url
from tritonocr_gateway.request_body import (
    FORM_TYPE,
    JSON_TYPE,
    Form,
    fetch,
    media_type_of,
    read_bytes,
    read_form,
    read_json,
    run_parser,
    unsupported_type,
)
from tritonocr_gateway.schemas import OCRFields, OCRRequest
from tritonocr_gateway.service import Service
from tritonocr_gateway.validation import missing_field, validated

_RAW_TYPES = ("application/pdf", "application/octet-stream")


@dataclass(frozen=True)
class InputFile:
    """A file of a request.

    Attributes:
        name: the name for results; empty if the request gives none.
        content: the bytes, or text: Base64 or a URL.
    """

    name: str
    content: bytes | str


@dataclass(frozen=True)
class OCRInput:
    """A request whose fields are valid.

    Attributes:
        fields: the fields except the files.
        files: at least one file.
    """

    fields: OCRFields
    files: Sequence[InputFile]


async def read_input(request: Request, service: Service) -> OCRInput:
    """Read and check the body of a request: JSON, a form, or the file itself with the fields in the query.

    Raises:
        UnsupportedMediaTypeError: the body has another media type.
        InvalidRequestError: a field is missing or invalid.
    """
    media_type = media_type_of(request)
    if media_type == JSON_TYPE:
        fields = await _json_fields(request, service)
        return _named(fields, [InputFile(_url_name(fields.file), fields.file)])
    if media_type == FORM_TYPE:
        return _form_input(await read_form(request, service))
    if media_type.startswith("image/") or media_type in _RAW_TYPES:
        fields = _text_fields(dict(request.query_params))
        return _named(fields, [InputFile(name_of_header(request), await read_bytes(request, service))])
    raise unsupported_type(request, JSON_TYPE, FORM_TYPE, "the file itself (image/*, application/pdf)")


async def _json_fields(request: Request, service: Service) -> Any:
    """Read the fields of PaddleX's own form of a request. Its errors have PaddleX's messages too."""
    try:
        return validated(OCRRequest, await read_json(request, service))
    except GatewayError as error:
        if error.paddlex_message is None:
            raise
        raise type(error)(error.paddlex_message) from error


def _form_input(form: Form) -> OCRInput:
    fields = _text_fields({name: value for name, value in form.fields.items() if name != "file"})
    if uploads := form.files.get("file"):
        return _named(fields, [InputFile(upload.name, upload.content) for upload in uploads])
    if "file" not in form.fields:
        raise missing_field("file")
    text = form.fields["file"]
    return _named(fields, [InputFile(_url_name(text), text)])


def _url_name(file: str) -> str:
    return name_of_url(file) if is_url(file) else ""


def _named(fields: OCRFields, files: Sequence[InputFile]) -> OCRInput:
    """Apply the field `fileName` to the only file."""
    if not fields.file_name:
        return OCRInput(fields, files)
    if len(files) > 1:
        raise InvalidRequestError("fileName applies to one file; expected no fileName with several files.")
    return OCRInput(fields, [InputFile(upload_name(fields.file_name), files[0].content)])


def _text_fields(values: dict[str, Any]) -> OCRFields:
    """Validate fields that are text, as in a form or a query."""
    if values.get("fileType") in ("0", "1"):  # the one field whose type pydantic does not read from text
        values["fileType"] = int(values["fileType"])
    fields: OCRFields = validated(OCRFields, values)
    return fields


async def content_of(request: Request, service: Service, file: bytes | str) -> bytes:
    """Return the bytes of a file that a request gives as bytes, as a URL or in Base64.

    Raises:
        InvalidRequestError: the text is not Base64, or the URL is not allowed.
    """
    if isinstance(file, bytes):
        return file
    if is_url(file):
        return await fetch(request, service, file)
    return await run_parser(service, from_base64, file)
