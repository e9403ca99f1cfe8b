"""One table from our errors to Triton's codes."""

from __future__ import annotations

import logging

import triton_python_backend_utils as pb_utils

from tritonocr_backend.core.errors import InvalidInputError, OverloadedError, ServerError, StageError

# By name: pb_utils has its classes only once the model is imported.
CODES = {
    InvalidInputError: "INVALID_ARG",
    OverloadedError: "UNAVAILABLE",
    StageError: "INTERNAL",
    ServerError: "INTERNAL",
}
QUEUE_FULL = "Exceeds maximum queue size"
NOT_LOADED = "is not ready"
SHARED_MEMORY_FULL = "shared memory pool size"

_log = logging.getLogger(__name__)


def error_response(error: Exception, request_id: str = "") -> pb_utils.InferenceResponse:
    """The response to a request that failed; an error that is nobody's on purpose tells no details.

    Args:
        error: why it failed.
        request_id: what the log calls the request.
    """
    if SHARED_MEMORY_FULL in str(error):  # of a call to another model, which had no answer yet
        error = _shared_memory_full()
    for error_class, code in CODES.items():
        if isinstance(error, error_class):
            return _failed(str(error), code)
    shown = request_id if request_id.isprintable() else repr(request_id)  # a client's own, in a log line
    named = f" under request id {shown}" if request_id else ""
    _log.error("a request failed%s", named, exc_info=error)
    message = f"internal error ({type(error).__name__}); the server's log has the details{named}"
    return _failed(message, "INTERNAL")


def _failed(message: str, code: str) -> pb_utils.InferenceResponse:
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))
    )


def from_response_error(model: str, error: pb_utils.TritonError) -> Exception:
    """What a failed call to another model means here."""
    message = error.message()
    if error.code() == pb_utils.TritonError.INVALID_ARG:
        return InvalidInputError(message)
    if error.code() == pb_utils.TritonError.UNAVAILABLE or QUEUE_FULL in message:
        return OverloadedError(f"{model} is overloaded; try again later")
    if SHARED_MEMORY_FULL in message:
        return _shared_memory_full()
    return StageError(f"{model} failed: {message}")


def _shared_memory_full() -> OverloadedError:
    return OverloadedError(
        "the server is overloaded: its shared memory (/dev/shm) is full; "
        "fewer or smaller pages at a time pass, or a larger /dev/shm"
    )
