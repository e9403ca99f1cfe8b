"""The names of uploads, as they may appear in results. No name is used as a path."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from fastapi import Request

_MAX_CHARACTERS = 200
_MAX_SUFFIX = 16
_MAX_URL = 8192
# Control characters, line separators, marks that reverse the direction of text, and characters that UTF-8 or
# XML cannot hold.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_EXTENDED_NAME = re.compile(r"""; *filename\* *= *"?([\w-]*)'[^']*'([^;"\s]*)""", re.ASCII | re.IGNORECASE)


def upload_name(text: str) -> str:
    """Return the last part of a path, without unsafe characters, in at most 200 characters.

    Args:
        text: the name that a client gives.

    Returns:
        The name; empty if nothing of it is left.
    """
    name = _UNSAFE.sub("_", re.split(r"[/\\]", text)[-1]).strip()
    return "" if name in (".", "..") else _shortened(name)


def _shortened(name: str) -> str:
    """Cut a name before its suffix."""
    if len(name) <= _MAX_CHARACTERS:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = f"…{dot}{suffix}" if stem and len(suffix) <= _MAX_SUFFIX else "…"
    return name[: _MAX_CHARACTERS - len(ending)] + ending


def name_of_part(disposition: str, filename: str | None) -> str | None:
    """Return the file name of a part of a form.

    Args:
        disposition: the part's header Content-Disposition, one character per byte.
        filename: the parameter `filename` of this header, one character per byte.

    Returns:
        The name; empty if the client gives none; None if the part is no file.
    """
    if extended := _EXTENDED_NAME.search(disposition):  # RFC 5987, which some clients use for umlauts
        charset = "latin-1" if extended[1].lower() == "iso-8859-1" else "utf-8"
        return upload_name(unquote(extended[2], charset, "replace"))
    return None if filename is None else upload_name(text_of_header(filename))


def text_of_header(value: str) -> str:
    """Read a header, which has one character per byte, as UTF-8; replace other bytes by U+FFFD."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def name_of_header(request: Request) -> str:
    """Return the name in `X-Filename`, with or without percent-encoding; empty if absent."""
    return upload_name(unquote(text_of_header(request.headers.get("x-filename", ""))))


def name_of_url(url: str) -> str:
    """Return the last part of a URL's path; empty if the path has none."""
    try:
        return upload_name(unquote(urlsplit(url[:_MAX_URL]).path))
    except ValueError:
        return ""
