"""Repeating an input in an error message."""

from __future__ import annotations

MAX_QUOTED_CHARACTERS = 80


def quoted(value: object, limit: int = MAX_QUOTED_CHARACTERS) -> str:
    """Return `repr(value)`, cut after about `limit` characters.

    An error travels in a gRPC header of at most 8 kB, and in log lines. Use this function wherever an error
    repeats what a caller sent.
    """
    is_long = isinstance(value, (str, bytes)) and len(value) > limit
    text = repr(value[:limit] if is_long else value)  # type: ignore[index]  # repr() of 2 GB takes seconds
    return f"{text[:limit]}…" if is_long or len(text) > limit else text
