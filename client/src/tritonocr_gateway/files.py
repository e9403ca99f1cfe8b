"""Decode and check the file of a request."""

from __future__ import annotations

import binascii
import re

import pybase64

from tritonocr_common.file_formats import is_pdf
from tritonocr_gateway.errors import InvalidRequestError

_WHITESPACE = b" \t\n\r\v\f"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DATA_PREFIX = re.compile(r"data:[^,]{0,200},")
# The start of text that the server would decode a second time. The head of a PPM file looks like Base64.
_BASE64 = re.compile(rb"(?:data:[^,]{0,200},)?(?!P[1-7]\s)(?=[A-Za-z0-9+/\s]{16})")


def is_url(text: str) -> bool:
    """Return whether the text is a URL. Base64 has no colon."""
    return _URL.match(text) is not None


def from_base64(text: str) -> bytes:
    """Decode Base64, with or without line breaks and a `data:` prefix.

    Raises:
        InvalidRequestError: the text is empty, is not Base64, or is Base64 of text (for example encoded
            twice).
    """
    if prefix := _DATA_PREFIX.match(text):
        text = text[prefix.end() :]
    try:
        # `translate` needs one copy; `split` would make an object of each line, 1.3 GB for a body of 100 MB.
        content = pybase64.b64decode(text.encode().translate(None, _WHITESPACE), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(f"The file is not Base64: {error}.") from error
    if not content:
        raise InvalidRequestError("The file is empty; expected the bytes of an image or PDF in Base64.")
    if _is_base64(content):
        raise InvalidRequestError(
            "The decoded file is Base64 again; expected the bytes of an image or PDF, encoded once."
        )
    return content


def _is_base64(content: bytes) -> bool:
    head = _BASE64.match(content)
    if not head:
        return False
    try:
        pybase64.b64decode(content[head.end() :].translate(None, _WHITESPACE), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def check_file_type(content: bytes, file_type: int | None) -> None:
    """Check that the file is of the type that the request names.

    Args:
        content: the file's bytes.
        file_type: 0 for a PDF, 1 for an image, None where the request names no type.

    Raises:
        InvalidRequestError: the file is of the other type.
    """
    if file_type == 0 and not is_pdf(content):
        raise InvalidRequestError("fileType is 0 (PDF), but the file is not a PDF.")
    if file_type == 1 and is_pdf(content):
        raise InvalidRequestError("fileType is 1 (image), but the file is a PDF.")
