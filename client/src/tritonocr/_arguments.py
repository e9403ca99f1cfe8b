"""Keyword arguments that several of the clients' methods share: named, typed and explained once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from ._options import OCROptions

if TYPE_CHECKING:
    from ._transport.base import Transport
    from ._transport.tls import TLS

DEFAULT_TIMEOUT_S = 300.0
DEFAULT_JOBS = 4


class ClientArguments(TypedDict, total=False):
    """Of the clients: see `AsyncOCRClient`."""

    timeout_s: float | None
    jobs: int
    headers: Mapping[str, str] | None
    tls: TLS | None
    model_name: str
    options: OCROptions | None
    transport: Transport | None


class ReadArguments(OCROptions, total=False):
    """Of `ocr()` and `submit()`.

    Attributes:
        input_path: what the results say they come from.
        request_id: what the server's log calls the request; made up if absent.
        timeout_s: instead of the client's own.
        retry: whether the request is sent again while the server restarts or is overloaded, within
            `timeout_s`. The default is False.
        headers: sent with this request beside the client's own, such as a `traceparent`.
    """

    input_path: str | None
    request_id: str | None
    timeout_s: float | None
    retry: bool
    headers: Mapping[str, str] | None


class PredictArguments(OCROptions, total=False):
    """Of `predict()`.

    Attributes:
        recursive: search directories below a given one as well.
        raise_on_error: raise the first file's error instead of yielding an `OCRFailure` in its place.
            By default a single file's error is raised, and that of one of many is yielded.
        jobs: files in flight at once, instead of the client's own.
        timeout_s: seconds per file, instead of the client's own.
        retry: whether requests are sent again while the server restarts or is overloaded, within
            `timeout_s`. By default they are, except if nothing ever answered at the address.
        progress: show a progress bar. By default one is shown on a terminal, for work that takes seconds.
    """

    recursive: bool
    raise_on_error: bool | None
    jobs: int | None
    timeout_s: float | None
    retry: bool | None
    progress: bool | None
