"""Fetch files from http:// and https:// URLs; the server itself never opens a URL."""

from __future__ import annotations

import base64
import http.client
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import SplitResult, quote, unquote, unquote_to_bytes, urlsplit

from tritonocr_common.content_encoding import ContentEncodingError, decode_content
from tritonocr_common.file_formats import decode_base64
from tritonocr_common.quoting import quoted

from .._exceptions import FetchError

MAX_URL_BYTES = 1 << 30
_MAX_SHOWN_CHARACTERS = 200  # of a URL in an error
URL_TIMEOUT_S = 60.0  # of the connection, and of each read
URL_TOTAL_TIMEOUT_S = 600.0
_CHUNK_BYTES = 1 << 20
# Reserved characters keep their meaning, and `%` of an escaped URL is not escaped again.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


def is_url(name: object) -> bool:
    """Return whether an input is a URL, of any scheme."""
    return isinstance(name, str) and "://" in name[:64]


def is_data_url(name: object) -> bool:
    """Return whether an input is a `data:` URL, which contains the file itself."""
    return isinstance(name, str) and name[:5].lower() == "data:" and "," in name


def data_url_content(url: str) -> bytes:
    """Return the file in a `data:` URL (RFC 2397).

    Raises:
        FetchError: its content is not valid Base64.
    """
    header, _, content = url.partition(",")
    if not header.lower().endswith(";base64"):
        return unquote_to_bytes(content)
    try:
        return decode_base64(unquote_to_bytes(content))
    except ValueError as error:
        raise FetchError(f"Cannot decode the Base64 content of {quoted(url, 40)}: {error}.") from error


def fetch(url: str) -> bytes:
    """Fetch a URL.

    Blanks and characters beyond ASCII are escaped; `user:password@` becomes basic authentication.

    Raises:
        FetchError: the scheme is not http(s), also after a redirect; the connection fails or breaks; the
            status is not 200; or the file is larger than `MAX_URL_BYTES`.
    """
    shown = quoted(_without_password(url), _MAX_SHOWN_CHARACTERS)
    if not url.lower().startswith(("http://", "https://")):
        raise FetchError(f"Cannot fetch {shown}: expected an http:// or https:// URL.")
    try:
        with _http_only_opener().open(_request(url), timeout=URL_TIMEOUT_S) as response:
            coding = response.headers.get("Content-Encoding", "")
            return decode_content(_content(response), coding, MAX_URL_BYTES)
    except (_BrokenTransferError, ContentEncodingError) as error:
        raise FetchError(f"Cannot fetch {shown}: {error}.") from error
    except urllib.error.HTTPError as error:
        error.close()
        reason = next(iter(str(error.reason).splitlines()), "").rstrip(".")
        answer = f"{error.code} {reason}".rstrip()
        raise FetchError(f"Cannot fetch {shown}: the server answered {answer}.") from error
    except http.client.IncompleteRead as error:
        raise FetchError(f"Cannot fetch {shown}: the connection broke during the transfer.") from error
    except http.client.HTTPException as error:
        raise FetchError(f"Cannot fetch {shown}: the server's response is not valid HTTP.") from error
    except (OSError, ValueError) as error:
        raise FetchError(f"Cannot fetch {shown}: {getattr(error, 'reason', error)}.") from error


class _BrokenTransferError(Exception):
    """The body of a response is too short, too long or too slow."""


def _content(response: Any) -> bytes:
    """Read a response's body, with limits on its size and time."""
    expected_bytes = response.length  # None for chunks, and where the end of the connection ends the body
    ends_s = time.monotonic() + URL_TOTAL_TIMEOUT_S
    content = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        content += chunk
        if len(content) > MAX_URL_BYTES:
            raise _BrokenTransferError(f"it is larger than {MAX_URL_BYTES} bytes")
        if time.monotonic() > ends_s:
            raise _BrokenTransferError(f"the transfer takes longer than {URL_TOTAL_TIMEOUT_S:g} s")
        if len(content) == expected_bytes:
            break
    if expected_bytes is not None and len(content) < expected_bytes:
        raise _BrokenTransferError(
            f"the connection broke after {len(content)} of {expected_bytes} bytes of the transfer"
        )
    return bytes(content)


def _request(url: str) -> urllib.request.Request:
    """Build a request for a URL as people write it."""
    parts = urlsplit(url.strip())
    request = urllib.request.Request(_escaped(parts))  # noqa: S310 (the scheme was checked)
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        encoded = base64.b64encode(credentials.encode()).decode()
        # Not sent to the target of a redirect.
        request.add_unredirected_header("Authorization", f"Basic {encoded}")
    return request


def _escaped(parts: SplitResult) -> str:
    """Return a URL in ASCII, without user name and password."""
    host = parts.hostname or ""
    netloc = f"[{host}]" if ":" in host else host.encode("idna").decode()
    if parts.port is not None:
        netloc += f":{parts.port}"
    path, query = quote(parts.path or "/", safe=_SAFE), quote(parts.query, safe=_SAFE)
    return parts._replace(netloc=netloc, path=path, query=query, fragment="").geturl()


def _without_password(url: str) -> str:
    """Return a URL for messages: an error must not tell a password."""
    before, at, after = url.partition("@")
    scheme, slashes, user = before.partition("://")
    if not at or "/" in user:
        return url
    return f"{scheme}{slashes}{user.partition(':')[0]}:***@{after}" if ":" in user else url


def _http_only_opener() -> urllib.request.OpenerDirector:
    """Return an opener without the schemes file, ftp and data."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener
