"""The table from our errors to Triton's codes, and from the errors of called models to ours."""

from __future__ import annotations

import logging

import triton_python_backend_utils as pb_utils

from tritonocr_backend.core.errors import (
    AbandonedError,
    InvalidInputError,
    OverloadedError,
    ProcessDiedError,
    ServerError,
    SharedMemoryFullError,
    StageError,
    StoppingError,
    reason_of,
)
from tritonocr_common.error_reasons import append_reason, split_reason
from tritonocr_common.triton_messages import is_overload, is_process_dead, is_shared_memory_full

# Names of codes: pb_utils has its classes only after the model is imported.
CODES = {
    InvalidInputError: "INVALID_ARG",
    OverloadedError: "UNAVAILABLE",
    StoppingError: "UNAVAILABLE",
    ProcessDiedError: "UNAVAILABLE",
    AbandonedError: "CANCELLED",
    SharedMemoryFullError: "UNAVAILABLE",
    StageError: "INTERNAL",
    ServerError: "INTERNAL",
}

_log = logging.getLogger(__name__)


def error_response(
    error: Exception, request_id: str = "", *, is_streamed: bool = False
) -> pb_utils.InferenceResponse:
    """Return the response to a failed request; unexpected errors do not reveal internals to the client.

    Args:
        error: why the request failed.
        request_id: the name of the request in the log.
        is_streamed: whether the response belongs to a stream, which transfers no status.
    """
    for error_class, code in CODES.items():
        if isinstance(error, error_class):
            return _failed(append_reason(str(error), reason_of(error), has_status=not is_streamed), code)
    # A client chose the id, which goes into a log line.
    shown = request_id if request_id.isprintable() else repr(request_id)
    named = f" under request id {shown}" if request_id else ""
    _log.error("a request failed%s", named, exc_info=error)
    message = f"internal error ({type(error).__name__}); the server's log has the details{named}"
    return _failed(message, "INTERNAL")


def _failed(message: str, code: str) -> pb_utils.InferenceResponse:
    return pb_utils.InferenceResponse(
        error=pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))
    )


def from_response_error(model: str, error: pb_utils.TritonError) -> Exception:
    """Return our error for the error of a call to another model."""
    message, reason = split_reason(error.message())
    if error.code() == pb_utils.TritonError.INVALID_ARG:
        return InvalidInputError(message, reason or "invalid_request")
    if error.code() == pb_utils.TritonError.UNAVAILABLE or is_overload(message):
        return OverloadedError(f"{model} is overloaded; try again later")
    if is_shared_memory_full(message):
        return _shared_memory_full()
    if is_process_dead(message):
        return ProcessDiedError(f"the process of {model} died; the server restarts")
    return StageError(f"{model} failed: {message}")


def from_call_exception(error: Exception) -> Exception:
    """Return our error for an exception that pb_utils raises in a call to another model.

    Triton's stub reports a full /dev/shm only by the text of its exception. The exceptions of this package
    are never compared with that text, since they may repeat what a client sent.
    """
    return _shared_memory_full() if is_shared_memory_full(str(error)) else error


def _shared_memory_full() -> SharedMemoryFullError:
    return SharedMemoryFullError(
        "the server is overloaded: its shared memory (/dev/shm) is full; "
        "send fewer or smaller pages at a time, or give the server a larger /dev/shm"
    )
