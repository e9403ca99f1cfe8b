"""Errors of the server side.

    TritonOcrError
    ├── InvalidInputError      the request is wrong    -> Triton INVALID_ARG
    │   └── InvalidOptionError  the same, for any file
    ├── OverloadedError        try again later         -> Triton UNAVAILABLE
    ├── StoppingError          ask another server      -> Triton UNAVAILABLE
    ├── SharedMemoryFullError  try again later         -> Triton UNAVAILABLE
    ├── ProcessDiedError       try again later         -> Triton UNAVAILABLE
    ├── AbandonedError         the client has gone     -> Triton CANCELLED
    ├── StageError             a stage of ours failed  -> Triton INTERNAL
    └── ServerError            tritonserver cannot be found, started or kept running (never crosses the wire)

The table to Triton's codes is `tritonocr_backend.triton.errors`; a test says that it is total.
"""

from tritonocr_common.error_reasons import Reason


class TritonOcrError(Exception):
    """Base class of the errors of TritonOCR. Their messages are sent to the client."""

    reason: Reason = "internal"


class InvalidInputError(TritonOcrError, ValueError):
    """The request is wrong: the message states the input, the received value and the expected value.

    Args:
        message: one sentence.
        reason: for metrics and log lines, which must not contain the content of a request.
    """

    def __init__(self, message: str, reason: Reason = "invalid_request") -> None:
        super().__init__(message)
        self.reason = reason


class InvalidOptionError(InvalidInputError):
    """An option is wrong for every file.

    Args:
        message: one sentence that begins with the name of the option.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, "invalid_option")


class OverloadedError(TritonOcrError, RuntimeError):
    """A stage rejected the request because its queue is full."""

    reason: Reason = "overloaded"


class StoppingError(TritonOcrError, RuntimeError):
    """The server is stopping and accepts no further request."""

    reason: Reason = "stopping"


class SharedMemoryFullError(TritonOcrError, RuntimeError):
    """The shared memory of the server is full, so a page cannot be passed to the next model."""

    reason: Reason = "shared_memory_full"


class ProcessDiedError(TritonOcrError, RuntimeError):
    """A process of another model died while it had a part of the page; the supervisor restarts the server."""

    reason: Reason = "process_died"


class AbandonedError(TritonOcrError, RuntimeError):
    """The client has cancelled the request or closed the connection."""

    reason: Reason = "cancelled"


class StageError(TritonOcrError, RuntimeError):
    """A stage failed, and the request is not the cause."""


class ServerError(TritonOcrError, RuntimeError):
    """The embedded tritonserver cannot be found, started or kept running."""


def reason_of(error: Exception) -> Reason:
    """Return why a request failed with this error: `internal` for an error of another class."""
    return error.reason if isinstance(error, TritonOcrError) else "internal"
