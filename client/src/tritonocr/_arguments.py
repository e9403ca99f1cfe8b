"""Keyword arguments that several methods of the clients share, declared once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

from ._options import OCROptions

if TYPE_CHECKING:
    from ._transport.base import Transport
    from ._transport.retrying import Retry
    from ._transport.tls import TLS

DEFAULT_TIMEOUT_S = 300.0
DEFAULT_JOBS = 4
RESTART_WAIT_S = 90.0


class ClientArguments(TypedDict, total=False):
    """Arguments of the clients; see `AsyncOCRClient`."""

    timeout_s: float | None
    jobs: int
    restart_wait_s: float
    headers: Mapping[str, str] | None
    tls: TLS | None
    model_name: str
    options: OCROptions | None
    transport: Transport | None


class ReadArguments(OCROptions, total=False):
    """Arguments of `ocr()` and `submit()`.

    Attributes:
        input_path: `input_path` of the results.
        request_id: the request's name in the server's log; random if absent.
        timeout_s: seconds for the request, instead of the client's own.
        retry: whether the request is sent again while the server restarts or is overloaded, within
            `timeout_s`. "restarts": only while it restarts, at most `restart_wait_s`. The default is False.
        headers: sent with this request, in addition to the client's own, such as a `traceparent`.
    """

    input_path: str | None
    request_id: str | None
    timeout_s: float | None
    retry: Retry
    headers: Mapping[str, str] | None


class PredictArguments(OCROptions, total=False):
    """Arguments of `predict()`.

    Attributes:
        recursive: search the subdirectories of directories too.
        raise_on_error: raise the first error instead of yielding an `OCRFailure` in place of the file. By
            default the error of a single file is raised, and an error among several files is yielded.
        jobs: files in flight at the same time, instead of the client's own number.
        timeout_s: seconds per file, instead of the client's own.
        retry: whether requests are sent again while the server restarts or is overloaded, within
            `timeout_s`. By default they are. If nothing ever answered at the address, they are sent again
            for 20 s: the server may restart at this moment. "restarts": only while the server restarts, at
            most the client's `restart_wait_s`.
        progress: show a progress bar; by default only on a terminal, for work that takes seconds.
    """

    recursive: bool
    raise_on_error: bool | None
    jobs: int | None
    timeout_s: float | None
    retry: Retry | None
    progress: bool | None
