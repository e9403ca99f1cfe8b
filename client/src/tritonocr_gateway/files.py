"""Decode and check the file of a request."""

from __future__ import annotations

import binascii
import re

import pybase64

from tritonocr_common.file_formats import decode_base64, decoded_base64, is_pdf
from tritonocr_gateway.errors import InvalidRequestError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def is_url(text: str) -> bool:
    """Return whether the text is a URL. Base64 has no colon."""
    return _URL.match(text) is not None


def from_base64(text: str) -> bytes:
    """Decode Base64, with or without line breaks and a `data:` prefix.

    Raises:
        InvalidRequestError: the text is empty, is not Base64, or is Base64 of text (for example encoded
            twice).
    """
    try:
        content = decode_base64(text.encode("ascii", "replace"), pybase64.b64decode)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequestError(f"The file is not Base64: {error}.") from error
    if not content:
        raise InvalidRequestError("The file is empty; expected the bytes of an image or PDF in Base64.")
    if decoded_base64(content) is not None:  # the server would decode it a second time
        raise InvalidRequestError(
            "The decoded file is Base64 again; expected the bytes of an image or PDF, encoded once."
        )
    return content


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
