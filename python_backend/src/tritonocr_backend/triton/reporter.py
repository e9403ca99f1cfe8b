"""Update the metrics and the log of `ocr` without delaying requests."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, get_args

from tritonocr_backend.core.logs import REQUESTS
from tritonocr_backend.triton.metrics import Families, instance_labels
from tritonocr_backend.triton.telemetry import TIMED_STEPS, FileRecord, PageRecord
from tritonocr_backend.triton.threads import started_threads
from tritonocr_common.error_reasons import Reason
from tritonocr_common.restarts import read_restarts

LINES_A_PAGE = (0.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)
SECONDS_A_PAGE = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

_COUNTING_MODEL = "ocr"
_log = logging.getLogger(__name__)


class Reporter:
    """Count in a separate thread, because each update waits for tritonserver.

    Args:
        args: the arguments of `initialize`.
    """

    def __init__(self, args: Mapping[str, str]) -> None:
        self._metrics = _OcrMetrics(args)
        self._instance = instance_labels(args)
        self._thread = started_threads(1, "reporter")
        self._pages_in_flight = 0

    @contextmanager
    def page_in_flight(self) -> Iterator[None]:
        """Count a page as in flight inside the block."""
        self._move(+1)
        try:
            yield
        finally:
            self._move(-1)

    def page_read(self, page: PageRecord) -> None:
        """Count a page that was read."""
        self._do(self._metrics.count_page, page)

    def answered(self, file: FileRecord) -> None:
        """Count and log a request that was answered."""
        REQUESTS.info({"message": "request", **self._instance, **file.log_fields()})
        self._do(self._metrics.count_file, file)

    def close(self) -> None:
        """Finish the pending counts, and delete the metrics."""
        self._thread.shutdown()
        del self._metrics

    def _move(self, by: int) -> None:
        self._pages_in_flight += by
        self._do(self._metrics.set_pages_in_flight, self._pages_in_flight)

    def _do(self, action: Callable[..., None], *arguments: Any) -> None:
        def logged() -> None:
            try:
                action(*arguments)
            except Exception:  # a failed count must not fail a request
                _log.exception("a metric was not counted")

        self._thread.submit(logged)


class _OcrMetrics:
    """The metrics of `ocr` and `ocr_stream`. Each metric starts with the value 0."""

    def __init__(self, args: Mapping[str, str]) -> None:
        self._families = families = Families({"model": args["model_name"]})
        add = families.add
        self._files = add("COUNTER", "tritonocr_files_total", "Requests with a result or an error")()
        self._bytes = add("COUNTER", "tritonocr_received_bytes_total", "Bytes of files and pixels received")()
        self._pages = add("COUNTER", "tritonocr_pages_total", "Pages read")()
        self._lines = add("COUNTER", "tritonocr_lines_total", "Text lines read")()
        rejected = add("COUNTER", "tritonocr_rejected_files_total", "Requests that did not get a full result")
        self._rejected = {reason: rejected(reason=reason) for reason in get_args(Reason)}
        stages = add("COUNTER", "tritonocr_stage_seconds_total", "Seconds that pages took in each stage")
        self._stages = {stage: stages(stage=stage) for stage in TIMED_STEPS}
        page_lines = add("HISTOGRAM", "tritonocr_page_lines", "Text lines per page")
        self._page_lines = page_lines(buckets=LINES_A_PAGE)
        page_seconds = add("HISTOGRAM", "tritonocr_page_seconds", "Seconds per page, including decoding")
        self._page_seconds = page_seconds(buckets=SECONDS_A_PAGE)
        if args["model_instance_name"] == f"{_COUNTING_MODEL}_0_0":  # instances add up
            self._server_families = Families({})
            restarts = self._server_families.add(
                "COUNTER", "tritonocr_restarts_total", "Restarts of the server because a process died or hung"
            )
            for restart_reason, count in read_restarts().items():
                restarts(reason=restart_reason).increment(count)
        in_flight = add("GAUGE", "tritonocr_pages_in_flight", "Pages that are being read")
        self._in_flight = in_flight(**instance_labels(args))
        self._in_flight.set(0)  # a killed instance leaves its last value

    def count_page(self, page: PageRecord) -> None:
        """Count a page that was read."""
        self._pages.increment(1)
        self._lines.increment(page.lines)
        self._page_lines.observe(page.lines)
        self._page_seconds.observe(page.seconds)
        self._count_stages(page.stage_seconds)

    def count_file(self, file: FileRecord) -> None:
        """Count and log a request that was answered."""
        self._files.increment(1)
        self._bytes.increment(file.received_bytes)
        self._count_stages(file.clock.seconds)
        if file.reason:
            self._rejected[file.reason].increment(1)

    def set_pages_in_flight(self, count: int) -> None:
        """Set the number of pages in flight in this instance."""
        self._in_flight.set(count)

    def _count_stages(self, stage_seconds: Mapping[str, float]) -> None:
        for stage, seconds in stage_seconds.items():
            self._stages[stage].increment(seconds)
