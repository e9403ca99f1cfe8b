"""Reasons of failed requests, by which programs decide.

Triton transfers an error as a status and a message, and several reasons share a status. The `ocr` model
therefore appends the reason to the message: `max_pages: got 0, expected 1 to 100000 [invalid_option]`. The
errors of a stream have no status: `ocr_stream` always appends the reason. The client removes the reason from
the message and selects the exception class by the reason.
"""

from __future__ import annotations

import re
from typing import Final, Literal, cast, get_args

Reason = Literal[
    "invalid_request",
    "invalid_option",
    "unreadable",
    "protected",
    "too_large",
    "overloaded",
    "stopping",
    "shared_memory_full",
    "process_died",
    "quarantined",
    "cancelled",
    "internal",
]
"""Why a request failed. The metrics and the log use the same names."""

_STATED_BY_STATUS: Final[frozenset[Reason]] = frozenset({"invalid_request", "cancelled", "internal"})
_ENDS_WITH_REASON = re.compile(rf"(.*) \[({'|'.join(get_args(Reason))})\]", re.DOTALL)


def append_reason(message: str, reason: Reason, *, has_status: bool = True) -> str:
    """Return the message with its reason, or the same message if Triton's status states the reason."""
    return message if has_status and reason in _STATED_BY_STATUS else f"{message} [{reason}]"


def split_reason(message: str) -> tuple[str, Reason | None]:
    """Return the message without its reason, and the reason; None for a message without a reason."""
    match = _ENDS_WITH_REASON.fullmatch(message)
    return (match[1], cast(Reason, match[2])) if match else (message, None)
