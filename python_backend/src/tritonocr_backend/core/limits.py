"""What a request may cost the server: every limit, declared once with its range and help.

Their defaults stand in `settings.PipelineSettings`, of which they are attributes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tritonocr_backend.core.errors import ServerError


@dataclass(frozen=True)
class Limit:
    """A limit that someone may tune.

    Attributes:
        name: attribute of `PipelineSettings`.
        low: smallest value.
        high: largest value.
        help: what is limited, and what happens beyond it.
    """

    name: str
    low: int
    high: int
    help: str


LIMITS: Mapping[str, Limit] = {
    limit.name: limit
    for limit in (
        Limit("max_file_bytes", 1, 1 << 31, "Bytes of a file; a larger one is refused."),
        Limit("max_pixels", 1, 1 << 31, "Pixels of a page; a larger one is refused before it is decoded."),
        Limit("max_pages", 1, 100_000, "The largest `max_pages` that a request may ask for."),
        Limit("max_candidates", 1, 1_000_000, "Lines looked for on a page; an answer says if it has more."),
        Limit("pages_in_flight", 1, 64, "Pages of one file that are read at the same time."),
        Limit("max_seconds", 1, 86_400, "Seconds of reading a file; one that takes longer is refused."),
        Limit("max_render_seconds", 1, 3600, "Seconds of computing that a page of a PDF may take to render."),
        Limit("max_render_bytes", 1 << 26, 1 << 36, "Bytes of memory that it may take beyond its pixels."),
        Limit("max_queue_size", 1, 100_000, "Requests that wait; one more is refused at once."),
        Limit("max_queue_seconds", 1, 86_400, "Seconds that a request waits before it is refused."),
    )
}


def parse_limits(texts: Iterable[str]) -> dict[str, int]:
    """Read `name=value` texts.

    Raises:
        ServerError: a name is unknown, or a value no whole number in its range.
    """
    return dict(_parsed(text) for text in texts)


def _parsed(text: str) -> tuple[str, int]:
    name, _, value = text.partition("=")
    limit = LIMITS.get(name)
    if limit is None:
        raise ServerError(f"limit: got {text!r}, expected name=value with one of {', '.join(LIMITS)}")
    if not (value.isascii() and value.isdecimal() and limit.low <= int(value[:20]) <= limit.high):
        raise ServerError(f"limit {name}: got {value!r}, expected {limit.low} to {limit.high}")
    return name, int(value)
