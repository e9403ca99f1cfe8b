"""Download one file over HTTP with retries, resumption and a size limit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from tritonocr_backend.zoo.errors import SourceError

Progress = Callable[[int, int | None], None]
"""Called with the number of bytes received, and the total number of bytes (None if unknown)."""

_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class _BusyError(Exception):
    """The server is busy; the request can be retried."""


def download(url: str, path: Path, *, max_bytes: int, progress: Progress) -> None:
    """Download `url` to `path`; resume an earlier attempt with a Range request.

    The server's ETag is stored beside the file. If the ETag has changed, the download starts again (RFC 9110,
    If-Range).

    Args:
        url: address of the file.
        path: where the file is written.
        max_bytes: largest size of the file in bytes.
        progress: called after each received block.

    Raises:
        SourceError: the server cannot be reached, returns an error, or the file exceeds `max_bytes`.
    """
    try:
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
            _attempt(client, url, path, max_bytes, progress)
    except (_BusyError, httpx.InvalidURL) as error:
        raise SourceError(str(error)) from None
    except httpx.HTTPError as error:
        raise SourceError(f"{type(error).__name__}: {error or 'the server gave no reason'}") from None


@retry(
    retry=retry_if_exception_type((httpx.TransportError, _BusyError)),
    stop=stop_after_attempt(4),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    reraise=True,
)
def _attempt(client: httpx.Client, url: str, path: Path, max_bytes: int, progress: Progress) -> None:
    etag = path.with_name(f"{path.name}.etag")
    received = path.stat().st_size if path.exists() and etag.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if received:
        headers |= {"Range": f"bytes={received}-", "If-Range": etag.read_text()}
    with client.stream("GET", url, headers=headers) as response:
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            path.unlink()  # the local file is not the beginning of the server's file
            raise _BusyError("the server cannot resume the earlier download")
        _check_status(response)
        received = received if response.status_code == httpx.codes.PARTIAL_CONTENT else 0
        length = response.headers.get("Content-Length")
        total = received + int(length) if length else None
        if total is not None and total > max_bytes:
            raise SourceError(f"the file has {total} bytes, the limit is {max_bytes}")
        _store_etag(etag, response.headers.get("ETag"))
        with path.open("ab" if received else "wb") as file:
            for chunk in response.iter_raw():
                received += file.write(chunk)
                if received > max_bytes:
                    raise SourceError(f"the file is larger than the limit of {max_bytes} bytes")
                progress(received, total)


def _check_status(response: httpx.Response) -> None:
    status = f"the server answered {response.status_code} {response.reason_phrase}"
    if response.status_code in _BUSY:
        raise _BusyError(status)
    if not response.is_success:
        raise SourceError(status)


def _store_etag(path: Path, etag: str | None) -> None:
    """Store a strong ETag; without it a download cannot be resumed safely."""
    if etag and not etag.startswith("W/"):
        path.write_text(etag)
    else:
        path.unlink(missing_ok=True)
