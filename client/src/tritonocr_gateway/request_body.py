"""Read a request body, JSON or a form, within bounds of size, time, depth and number of elements."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from fastapi import Request
from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)
from starlette.requests import ClientDisconnect

from tritonocr_gateway.errors import (
    BodyTooLargeError,
    ClientGoneError,
    MalformedBodyError,
    UnsupportedMediaTypeError,
)
from tritonocr_gateway.file_names import name_of_part, text_of_header
from tritonocr_gateway.service import Service
from tritonocr_gateway.uploads import Upload
from tritonocr_gateway.validation import invalid_json, invalid_text, missing_field

_T = TypeVar("_T")
_Text = TypeVar("_Text", bytes, str)

JSON_TYPE: Final = "application/json"
FORM_TYPE: Final = "multipart/form-data"

_MAX_PARTS = 128
_MAX_PART_HEADER_BYTES = 1 << 16  # a file name of 5000 characters, percent-encoded
_MAX_JSON_ELEMENTS = 10_000
_SMALL_BYTES = 1 << 16
_PART_BYTES = 1 << 22
_PADDLEX_UNPARSED = "There was an error parsing the body"
_CONTAINERS_AND_SEPARATORS = (b"[", b"{", b",", b":")


@dataclass(frozen=True)
class UploadedFile:
    """A file of a form.

    Attributes:
        name: the name as `file_names.upload_name()` returns it; empty if the client gives none.
        content: the bytes.
    """

    name: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """A parsed `multipart/form-data` body.

    Attributes:
        fields: the text fields; of fields with the same name, the last one.
        files: the uploaded files by field name, in the order of the form.
    """

    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[UploadedFile]] = field(default_factory=dict)


def media_type_of(request: Request) -> str:
    """Return the media type of the body in lower case, without parameters; empty where absent."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request, service: Service) -> Any:
    """Read a JSON body.

    Raises:
        GatewayError: the body is malformed, too large, too late, or has too many elements.
    """
    body = await read_bytes(request, service)
    if not body:
        raise missing_field()
    return await run_parser(service, parse_json, body)


async def run_parser(service: Service, parse: Callable[[_Text], _T], content: _Text) -> _T:
    """Parse small content at once, and large content in the thread for parsing, outside the event loop."""
    if len(content) <= _SMALL_BYTES:
        return parse(content)
    return await asyncio.get_running_loop().run_in_executor(service.parsing, parse, content)


def parse_json(body: bytes, name: str = "") -> Any:
    """Parse JSON in UTF-8 with at most 10 000 elements.

    The brackets, commas and colons are counted first, which takes 0.1 s for 100 MB. Strings in a valid
    request hold few of these characters: Base64 has none.

    Args:
        body: the bytes.
        name: the field that holds the JSON; empty for the body.

    Raises:
        MalformedBodyError: the body is not UTF-8, is nested too deeply, or has too many elements.
        InvalidRequestError: the body is not JSON.
    """
    what = name or "The JSON body"
    if _elements(body) > _MAX_JSON_ELEMENTS:
        raise MalformedBodyError(f"{what} has too many elements; expected at most {_MAX_JSON_ELEMENTS}.")
    try:
        return json.loads(str(body, "utf-8"))
    except json.JSONDecodeError as error:
        raise invalid_json(error.pos, name) from error
    except UnicodeDecodeError as error:
        raise MalformedBodyError(f"{what} is not UTF-8.", _PADDLEX_UNPARSED) from error
    except RecursionError as error:
        raise MalformedBodyError(f"{what} is nested too deeply.", _PADDLEX_UNPARSED) from error
    except ValueError as error:
        raise MalformedBodyError(f"{what} has a number of too many digits.", _PADDLEX_UNPARSED) from error


def _elements(body: bytes) -> int:
    """Count brackets, commas and colons in parts, so that the event loop runs in between."""
    parts = ((start, start + _PART_BYTES) for start in range(0, len(body), _PART_BYTES))
    return sum(body.count(sign, start, end) for start, end in parts for sign in _CONTAINERS_AND_SEPARATORS)


async def read_form(request: Request, service: Service) -> Form:
    """Read a `multipart/form-data` body in UTF-8. A `charset` parameter is ignored.

    The parser gets the headers as Latin-1, so that a file name in another encoding is no error.

    Raises:
        GatewayError: the body is malformed, too large, too late, or has too many parts.
    """
    parameters = parse_options_header(request.headers.get("content-type", ""))[1]
    try:
        parser = PushMultipartParser(
            parameters.get("boundary", ""),
            max_segment_count=_MAX_PARTS,
            max_header_size=_MAX_PART_HEADER_BYTES,
            header_charset="latin-1",
            strict=True,
        )
    except (MultipartError, UnicodeError) as error:
        raise MalformedBodyError("The form has no valid boundary in its Content-Type.") from error

    async def read(upload: Upload) -> Form:
        form, parts = Form(), _Parts()
        async for chunk in _chunks(request, service, upload):
            for event in _events(parser, chunk):
                parts.add(event, form)
        _finish(parser)
        return form

    return await _upload(request, service, read)


async def read_bytes(request: Request, service: Service) -> bytes:
    """Read the whole body as it is.

    Raises:
        GatewayError: the body is too large or too late.
    """

    async def read(upload: Upload) -> bytes:
        content = io.BytesIO()  # unlike a bytearray, it becomes bytes without a copy
        async for chunk in _chunks(request, service, upload):
            content.write(chunk)
        return content.getvalue()

    return await _upload(request, service, read)


async def fetch(request: Request, service: Service, url: str) -> bytes:
    """Fetch the file of a URL. Its bytes count as those of a body.

    Raises:
        tritonocr.FetchError: URLs are off, or the file cannot be fetched.
        OverCapacityError: the bodies of all requests are too large together.
    """

    async def read(upload: Upload) -> bytes:
        return await service.fetcher.fetch(url, lambda count: service.uploads.count(upload, count))

    return await service.uploads.run(read, None, request.state.response)


async def _upload(request: Request, service: Service, read: Callable[[Upload], Awaitable[_T]]) -> _T:
    try:
        timeout_s = service.settings.upload_timeout_s
        return await service.uploads.run(read, timeout_s, request.state.response)
    except ClientDisconnect as error:
        raise ClientGoneError("The client closed the connection.") from error


async def _chunks(request: Request, service: Service, upload: Upload) -> AsyncIterator[bytes]:
    max_bytes = service.settings.max_body_bytes
    length = request.headers.get("content-length", "0")
    _check_size(int(length) if length.isdecimal() else 0, max_bytes)
    async for chunk in request.stream():
        service.uploads.count(upload, len(chunk))
        _check_size(upload.received_bytes, max_bytes)
        if chunk:
            yield chunk


def _check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise BodyTooLargeError(
            f"The body has {size} bytes or more; expected at most {max_bytes} (setting max_body_bytes)."
        )


class _Parts:
    """The part of a form that is being read."""

    def __init__(self) -> None:
        self._segment: MultipartSegment | None = None
        self._content = io.BytesIO()

    def add(self, event: MultipartSegment | bytes | bytearray | None, form: Form) -> None:
        """Handle a parser event: a part begins, some of its bytes, or (None) its end."""
        if isinstance(event, MultipartSegment):
            self._segment, self._content = event, io.BytesIO()
        elif event is not None:
            self._content.write(event)
        elif self._segment is not None:
            _store(self._segment, self._content.getvalue(), form)
            self._segment, self._content = None, io.BytesIO()


def _store(segment: MultipartSegment, content: bytes, form: Form) -> None:
    field = text_of_header(segment.name)
    file_name = name_of_part(segment.header("Content-Disposition", ""), segment.filename)
    if file_name is not None:
        form.files.setdefault(field, []).append(UploadedFile(file_name, content))
        return
    try:
        form.fields[field] = str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise invalid_text(field) from error


def _events(parser: PushMultipartParser, chunk: bytes) -> Any:
    try:
        yield from parser.parse(chunk)
    except ParserLimitReached as error:
        raise MalformedBodyError(f"The form exceeds a limit: {error}.") from error
    except (MultipartError, UnicodeError) as error:
        raise MalformedBodyError(f"The form is malformed: {error.args[0]}.") from error


def _finish(parser: PushMultipartParser) -> None:
    try:
        parser.close()
    except MultipartError as error:
        raise MalformedBodyError("The form ends before its last boundary.") from error


def unsupported_type(request: Request, *expected: str) -> UnsupportedMediaTypeError:
    """Build the error for a body of another media type."""
    return UnsupportedMediaTypeError(
        f"The Content-Type is {media_type_of(request)[:100] or 'missing'}; expected {' or '.join(expected)}."
    )
