"""One file over HTTP: retried, resumed where the last attempt ended, never larger than allowed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from tritonocr_backend.zoo.errors import SourceError

Progress = Callable[[int, int | None], None]
"""Called with the bytes received so far, and those in all (None where unknown)."""

_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class _BusyError(Exception):
    """The server asks, by its status, to come again."""


def download(url: str, path: Path, *, max_bytes: int, progress: Progress) -> None:
    """Bring `url` to `path`; what an earlier attempt left in `path` is continued by a Range request.

    The server's ETag is kept beside the file, and a changed one starts over (RFC 9110, If-Range).

    Raises:
        SourceError: The server cannot be reached, refuses, or offers more than `max_bytes`.
    """
    try:
        with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
            _attempt(client, url, path, max_bytes, progress)
    except (_BusyError, httpx.InvalidURL) as error:
        raise SourceError(str(error)) from None
    except httpx.HTTPError as error:
        raise SourceError(f"{type(error).__name__}: {error or 'no further detail'}") from None


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
            path.unlink()  # what is there is not a part of what the server has
            raise _BusyError("the server could not continue an earlier download")
        _check_status(response)
        received = received if response.status_code == httpx.codes.PARTIAL_CONTENT else 0
        length = response.headers.get("Content-Length")
        total = received + int(length) if length else None
        if total is not None and total > max_bytes:
            raise SourceError(f"{total} bytes are offered, allowed are {max_bytes}")
        _remember(etag, response.headers.get("ETag"))
        with path.open("ab" if received else "wb") as file:
            for chunk in response.iter_raw():
                received += file.write(chunk)
                if received > max_bytes:
                    raise SourceError(f"more than the allowed {max_bytes} bytes are sent")
                progress(received, total)


def _check_status(response: httpx.Response) -> None:
    status = f"the server answered {response.status_code} {response.reason_phrase}"
    if response.status_code in _BUSY:
        raise _BusyError(status)
    if not response.is_success:
        raise SourceError(status)


def _remember(path: Path, etag: str | None) -> None:
    """Keep a strong ETag; without one a download cannot be continued safely."""
    if etag and not etag.startswith("W/"):
        path.write_text(etag)
    else:
        path.unlink(missing_ok=True)
