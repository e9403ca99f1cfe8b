"""The actor that reads blocks: a client, or a server of its own, in a process of Ray's."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

from .._client import OCRClient
from .._exceptions import (
    AccessDeniedError,
    DeadlineExceededError,
    MissingExtraError,
    ModelNotFoundError,
    RequestCancelledError,
    ServerError,
    ServerUnavailableError,
    TritonOCRError,
)
from .._options import refuses_an_option
from .._pipeline import create_pipeline
from .._results.result import OCRFailure, OCRResult
from .._transport.tls import TLS
from ._plan import part_name
from ._rows import FORMATS, rows
from ._storage import Directory, StoredFile, read

_T = TypeVar("_T")

# The other files would fail alike.
ENDS_THE_RUN = (ServerUnavailableError, AccessDeniedError, ModelNotFoundError, MissingExtraError)
# Of a file that the server, not the file itself, made fail.
RETRIES = 2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
_logger = logging.getLogger("tritonocr")


@dataclass(frozen=True)
class Job:
    """What every reader of a run is told.

    Attributes:
        output: URI of the output directory.
        file_format: `parquet` or `jsonl`.
        urls: servers; empty gives every reader one of its own.
        device: of such a server.
        headers: sent with every request.
        tls: certificates.
        options: of `predict()`.
        jobs: files that a reader has in flight.
        timeout_s: seconds a file.
        patience_s: how long servers may be away or overloaded before the run gives up.
    """

    output: str
    file_format: str
    urls: tuple[str, ...]
    device: str | None
    headers: Mapping[str, str] | None
    tls: TLS | None
    options: Mapping[str, Any]
    jobs: int
    timeout_s: float | None
    patience_s: float


class BlockReader:
    """Reads a block and writes its part; Ray makes one a process.

    Args:
        job: what is the same for all blocks.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._output = Directory(job.output)

    @cached_property
    def _client(self) -> OCRClient:
        if self._job.urls:
            return OCRClient(list(self._job.urls), headers=self._job.headers, tls=self._job.tls)
        return create_pipeline(device=self._job.device)

    def __call__(self, block: Mapping[str, Any]) -> dict[str, Any]:
        """Read a block, given as columns.

        Returns:
            The numbers of `files`, `pages` read and `failures`; or, where no file can be read, no part then
            being written, `ended_by` and `reason`: the error's class and sentence, since Ray hands an
            exception's text on, not the exception.
        """
        try:
            return {**self._read_block(block), "ended_by": "", "reason": ""}
        except TritonOCRError as error:
            nothing = {"files": 0, "pages": 0, "failures": 0}
            return {**nothing, "ended_by": type(error).__name__, "reason": str(error)}

    def _read_block(self, block: Mapping[str, Any]) -> dict[str, int]:
        columns = zip(block["uris"], block["sizes_bytes"], block["mtimes_ns"], strict=True)
        files = [StoredFile(str(uri), int(size), int(mtime)) for uri, size, mtime in columns]
        read_one = partial(self._read, self._client)
        with ThreadPoolExecutor(self._job.jobs) as pool:
            by_file = list(pool.map(read_one, files))
        found = [row for file, results in zip(files, by_file, strict=True) for row in rows(file, results)]
        content = FORMATS[self._job.file_format](found)
        self._output.write(part_name(str(block["name"]), self._job.file_format), content)
        return {
            "files": len(files),
            "pages": sum(result.ok for results in by_file for result in results),
            "failures": sum(row["error"] is not None for row in found),
        }

    def _read(self, client: OCRClient, file: StoredFile) -> Sequence[OCRResult | OCRFailure]:
        try:
            content = read(file)
            send = partial(client.ocr, content, input_path=file.uri, timeout_s=self._job.timeout_s)
            return persistently(partial(send, **self._job.options), self._job.patience_s)
        except TritonOCRError as error:
            if isinstance(error, ENDS_THE_RUN) or refuses_an_option(error):
                raise
            return [OCRFailure(file.uri, error)]


def persistently(
    call: Callable[[], _T], patience_s: float, pause: Callable[[float], None] = time.sleep
) -> _T:
    """Call until there is an answer: for a while where servers are away, a few times where they fail.

    Args:
        call: raises what a client raises.
        patience_s: seconds of ServerUnavailableError after which it is raised.
        pause: waits.
    """
    started_s, failures, pause_s = time.monotonic(), 0, FIRST_PAUSE_S
    while True:
        try:
            return call()
        except ServerUnavailableError as error:
            if time.monotonic() - started_s > patience_s:
                raise
            reason: TritonOCRError = error
        except (ServerError, DeadlineExceededError, RequestCancelledError) as error:
            failures += 1
            if failures > RETRIES:
                raise
            reason = error
        _logger.warning("again in %.1f s: %s", pause_s, reason)
        pause(pause_s * random.uniform(0.5, 1))  # noqa: S311 (so that not all come back at once)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
