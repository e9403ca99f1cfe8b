"""Declare the limits of a request, each with its range and help.

Each limit is an attribute of `settings.PipelineSettings`, which has the default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tritonocr_backend.core.errors import ServerError
from tritonocr_common.quoting import quoted


@dataclass(frozen=True)
class Limit:
    """A limit that the operator can set.

    Attributes:
        name: attribute of `PipelineSettings`.
        low: smallest value.
        high: largest value.
        help: the limited quantity, and the effect of exceeding the limit.
    """

    name: str
    low: int
    high: int
    help: str


LIMITS: Mapping[str, Limit] = {
    limit.name: limit
    for limit in (
        Limit("max_file_bytes", 1, 1 << 31, "Bytes per file; a larger file is rejected."),
        Limit("max_pixels", 1, 1 << 31, "Pixels per page; a larger page is rejected before decoding."),
        Limit("max_pages", 1, 100_000, "Largest `max_pages` of a request."),
        Limit(
            "max_candidates",
            1,
            1_000_000,
            "Line candidates per page; the response reports excess.",
        ),
        Limit("pages_in_flight", 1, 64, "Pages of one file that are read in parallel."),
        Limit("max_seconds", 1, 86_400, "Seconds for reading a file; longer files are rejected."),
        Limit("max_render_seconds", 1, 3600, "CPU seconds for rendering a PDF page."),
        Limit(
            "max_render_bytes",
            1 << 26,
            1 << 36,
            "Bytes for rendering a PDF page, without its image.",
        ),
        Limit("max_queue_size", 1, 100_000, "Waiting requests; more requests are rejected at once."),
        Limit("max_queue_seconds", 1, 86_400, "Seconds that a request waits before it is rejected."),
    )
}


def parse_limits(texts: Iterable[str]) -> dict[str, int]:
    """Read `name=value` texts.

    Raises:
        ServerError: a name is unknown, or a value is not an integer in the range of the limit.
    """
    return dict(_parsed(text) for text in texts)


def _parsed(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    limit = LIMITS.get(name)
    if limit is None:
        raise ServerError(f"limit: got {quoted(text)}, expected name=value with one of {', '.join(LIMITS)}")
    if not (value.isascii() and value.isdecimal() and limit.low <= int(value[:20]) <= limit.high):
        raise ServerError(f"limit {name}: got {quoted(value)}, expected {limit.low} to {limit.high}")
    return name, int(value)
