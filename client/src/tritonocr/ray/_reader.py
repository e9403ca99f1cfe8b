"""The Ray actor that reads blocks, with a client or with its own server."""

from __future__ import annotations

import json
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
    InvalidOptionError,
    MissingExtraError,
    ModelNotFoundError,
    RequestCancelledError,
    ServerError,
    ServerUnavailableError,
    TritonOCRError,
)
from .._pipeline import create_pipeline
from .._results.failure import OCRFailure
from .._results.result import OCRResult
from .._transport.tls import TLS
from ._plan import part_name, write_failures
from ._rows import FORMATS, rows
from ._storage import Directory, StoredFile, read

_T = TypeVar("_T")

# Errors that every other file would get too.
ENDS_THE_RUN = (
    AccessDeniedError,
    InvalidOptionError,
    MissingExtraError,
    ModelNotFoundError,
    ServerUnavailableError,
)
# Further attempts for a file if the server failed on it.
RETRIES = 2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
_logger = logging.getLogger("tritonocr")


@dataclass(frozen=True)
class ReaderJob:
    """The settings of a run that every reader needs.

    Attributes:
        output: URI of the output directory.
        file_format: `parquet` or `jsonl`.
        urls: servers; if empty, each reader starts its own.
        device: device of such an own server.
        headers: sent with every request.
        tls: certificates.
        options: options of `predict()`.
        jobs: files in flight per reader.
        timeout_s: seconds per file.
        patience_s: seconds that servers may be away or overloaded before the run ends.
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
    """Read blocks and write their parts; Ray makes one reader per process.

    Args:
        job: the settings of all blocks.
    """

    def __init__(self, job: ReaderJob) -> None:
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
            The numbers of `files` and `pages`, and the errors by URI as JSON in `failed`. If an error ends
            the run, no part is written, and `ended_by` and `reason` are the error's class and message: Ray
            transfers only the text of an exception.
        """
        try:
            return {**self._read_block(block), "ended_by": "", "reason": ""}
        except TritonOCRError as error:
            nothing = {"files": 0, "pages": 0, "failed": "{}"}
            return {**nothing, "ended_by": type(error).__name__, "reason": str(error)}

    def _read_block(self, block: Mapping[str, Any]) -> dict[str, Any]:
        columns = zip(block["uris"], block["sizes_bytes"], block["mtimes_ns"], strict=True)
        files = [StoredFile(str(uri), int(size), int(mtime)) for uri, size, mtime in columns]
        read_one = partial(self._read, self._client)
        with ThreadPoolExecutor(self._job.jobs) as pool:
            by_file = list(pool.map(read_one, files))
        found = [row for file, results in zip(files, by_file, strict=True) for row in rows(file, results)]
        failed = {row["input_path"]: row["error"] for row in found if row["error"] is not None}
        self._write(str(block["name"]), found, failed, is_retry=bool(block["is_retry"]))
        pages = sum(result.ok for results in by_file for result in results)
        return {"files": len(files), "pages": pages, "failed": json.dumps(failed)}

    def _write(
        self, name: str, found: list[dict[str, Any]], failed: Mapping[str, str], *, is_retry: bool
    ) -> None:
        """Write a block's part; a retry keeps the rows of the files that had been read before."""
        file_format = FORMATS[self._job.file_format]
        part = part_name(name, self._job.file_format)
        if is_retry:
            earlier = [row for row in file_format.read(self._output.read(part)) if row["error"] is None]
            found = sorted(earlier + found, key=lambda row: (row["input_path"], row["page_index"] or 0))
        write_failures(self._output, name, failed)
        self._output.write(part, file_format.write(found))

    def _read(self, client: OCRClient, file: StoredFile) -> Sequence[OCRResult | OCRFailure]:
        try:
            content = read(file)
            send = partial(client.ocr, content, input_path=file.uri, timeout_s=self._job.timeout_s)
            return persistently(partial(send, **self._job.options), self._job.patience_s)
        except ENDS_THE_RUN:
            raise
        except TritonOCRError as error:
            return [OCRFailure(file.uri, error)]


def persistently(
    call: Callable[[], _T], patience_s: float, pause: Callable[[float], None] = time.sleep
) -> _T:
    """Call until a result is returned: for a time while servers are away, a few times if they fail.

    Args:
        call: reads a file; raises what a client raises.
        patience_s: seconds after which a ServerUnavailableError is raised.
        pause: waits for a number of seconds.
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
        _logger.warning("retrying in %.1f s: %s", pause_s, reason)
        pause(pause_s * random.uniform(0.5, 1))  # noqa: S311 (so that not all come back at once)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
