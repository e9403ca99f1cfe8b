"""From what a request gives as its file to the file's bytes."""

from __future__ import annotations

import binascii
import re

import pybase64

from tritonocr_gateway.errors import InvalidRequestError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DATA_PREFIX = re.compile(r"data:[^,]{0,200},")
_SNIFFED_BYTES = 1024  # where readers accept a PDF's signature
# How what the server would decode once more begins; a PPM's head looks like it.
_BASE64 = re.compile(rb"(?:data:[^,]{0,200},)?(?!P[1-7]\s)(?=[A-Za-z0-9+/\s]{16})")


def is_url(text: str) -> bool:
    """Whether text is a URL rather than Base64, which has no colon."""
    return _URL.match(text) is not None


def is_pdf(content: bytes) -> bool:
    """Whether the bytes are a PDF's."""
    return b"%PDF-" in content[:_SNIFFED_BYTES]


def from_base64(text: str) -> bytes:
    """Decode Base64; line breaks and a `data:` prefix are fine.

    Raises:
        InvalidRequestError: the text is empty, not Base64, or Base64 of text, such as Base64 again.
    """
    if prefix := _DATA_PREFIX.match(text):
        text = text[prefix.end() :]
    if "\n" in text:
        text = "".join(text.split())
    try:
        content = pybase64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(f"The file is not Base64: {error}.") from error
    if not content:
        raise InvalidRequestError("The file is empty; expected the bytes of an image or PDF in Base64.")
    if _is_base64(content):
        raise InvalidRequestError("The file is text in Base64; expected the bytes of an image or PDF in it.")
    return content


def _is_base64(content: bytes) -> bool:
    head = _BASE64.match(content)
    if not head:
        return False
    try:
        pybase64.b64decode(b"".join(content[head.end() :].split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def check_file_type(content: bytes, file_type: int | None) -> None:
    """Check the bytes against what the request says that they are.

    Raises:
        InvalidRequestError: they are the other.
    """
    if file_type == 0 and not is_pdf(content):
        raise InvalidRequestError("fileType is 0, which means a PDF, but the file is none.")
    if file_type == 1 and is_pdf(content):
        raise InvalidRequestError("fileType is 1, which means an image, but the file is a PDF.")
