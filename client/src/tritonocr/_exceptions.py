"""The exceptions of TritonOCR's client.

    TritonOCRError
    ├── InvalidInputError (ValueError)     the request is wrong: the file, an option, a combination
    │   ├── InvalidOptionError             an option is wrong, or the server does not support its value
    │   └── FetchError                     a URL could not be fetched
    ├── ServerError                        the server failed; its log has the details
    │   ├── ProtocolError                  the response does not follow the contract
    │   ├── ModelNotFoundError             the server does not serve the model
    │   └── ServerUnavailableError (ConnectionError)    no server answers, or it starts or stops
    │       └── OverloadedError            the server rejects requests for now: its queue is full
    ├── DeadlineExceededError (TimeoutError)            no response within `timeout_s`
    ├── RequestCancelledError              cancelled by the caller or by the server
    ├── AccessDeniedError (PermissionError)             the credentials are missing or wrong
    ├── ClientStateError (RuntimeError)    the client is closed, or a fork made it unusable
    └── MissingExtraError (ImportError)    an optional package is not installed

Each message is one sentence; if the server sent a message, it is the server's sentence.
"""

from __future__ import annotations

from collections.abc import Mapping

from tritonocr_common.error_reasons import Reason, split_reason
from tritonocr_common.triton_messages import (
    is_cut_off,
    is_overload,
    is_process_dead,
    is_refused,
    is_stopping,
    is_unknown_model,
)


class TritonOCRError(Exception):
    """Base class of all errors that TritonOCR raises."""


class InvalidInputError(TritonOCRError, ValueError):
    """The file, an option or their combination is wrong; a retry does not help."""


class InvalidOptionError(InvalidInputError):
    """An option is wrong, or the server does not support its value, whatever the file."""


class FetchError(InvalidInputError):
    """A URL given as input could not be fetched."""


class ServerError(TritonOCRError):
    """The server failed."""


class ProtocolError(ServerError):
    """The response does not follow the contract of the `ocr` model."""


class ModelNotFoundError(ServerError):
    """The server does not serve the requested model."""


class ServerUnavailableError(ServerError, ConnectionError):
    """No server answers, or it starts or stops.

    Attributes:
        reason: what happened, without the server's address.
        may_have_begun: whether the server may have started to read the file.
        has_answered: whether something at the address accepted the connection.
    """

    def __init__(
        self,
        message: str,
        reason: str | None = None,
        may_have_begun: bool = False,
        has_answered: bool = True,
    ) -> None:
        super().__init__(message)
        self.reason = reason or message
        self.may_have_begun = may_have_begun
        self.has_answered = has_answered

    @property
    def is_refused(self) -> bool:
        """Whether the machine answered that no process listens on the port, as during a restart."""
        return is_refused(self.reason)

    @property
    def is_cut_off(self) -> bool:
        """Whether the connection was closed before the server answered, as when its process ends."""
        return is_cut_off(self.reason)

    def with_remark(self, remark: str) -> ServerUnavailableError:
        """Return the same error with a remark after its message."""
        message = f"{str(self).rstrip('.')}. {remark}"
        return type(self)(message, self.reason, self.may_have_begun, self.has_answered)


class OverloadedError(ServerUnavailableError):
    """The server's queue or its shared memory is full; a later retry may succeed."""

    is_memory_full = False
    """Whether the server's shared memory is full, and not its queue."""


class DeadlineExceededError(TritonOCRError, TimeoutError):
    """The response did not arrive within the time limit."""


class RequestCancelledError(TritonOCRError):
    """The request was cancelled before its response arrived."""


class AccessDeniedError(TritonOCRError, PermissionError):
    """The credentials are missing or wrong."""


class ClientStateError(TritonOCRError, RuntimeError):
    """The client is closed, or a fork made it unusable."""


class MissingExtraError(TritonOCRError, ImportError):
    """An optional package is not installed."""


# gRPC's status codes, and the HTTP statuses to which Triton maps its own codes (src/http_server.cc).
ERROR_BY_STATUS: dict[str, type[TritonOCRError]] = {
    "StatusCode.OK": ProtocolError,  # an error with the status of a success
    "StatusCode.CANCELLED": RequestCancelledError,
    "StatusCode.UNKNOWN": ServerError,
    "StatusCode.INVALID_ARGUMENT": InvalidInputError,
    "StatusCode.DEADLINE_EXCEEDED": DeadlineExceededError,
    "StatusCode.NOT_FOUND": ModelNotFoundError,
    "StatusCode.ALREADY_EXISTS": ServerError,
    "StatusCode.PERMISSION_DENIED": AccessDeniedError,
    "StatusCode.RESOURCE_EXHAUSTED": OverloadedError,  # a quota of a proxy; the client checks sizes itself
    "StatusCode.FAILED_PRECONDITION": ServerError,
    "StatusCode.ABORTED": ServerError,
    "StatusCode.OUT_OF_RANGE": InvalidInputError,
    "StatusCode.UNIMPLEMENTED": ServerError,
    "StatusCode.INTERNAL": ServerError,
    "StatusCode.UNAVAILABLE": ServerUnavailableError,
    "StatusCode.DATA_LOSS": ServerError,
    "StatusCode.UNAUTHENTICATED": AccessDeniedError,
    "400": InvalidInputError,
    "401": AccessDeniedError,
    "403": AccessDeniedError,
    "404": ModelNotFoundError,
    "408": DeadlineExceededError,
    "409": ServerError,
    "413": InvalidInputError,
    "429": OverloadedError,
    "499": RequestCancelledError,
    "500": ServerError,
    "501": ServerError,
    "502": ServerUnavailableError,
    "503": ServerUnavailableError,
    "504": DeadlineExceededError,
}

# A reason that the `ocr` model states is more exact than the status, which errors of a stream do not have.
_ERROR_BY_REASON: Mapping[Reason | None, type[TritonOCRError]] = {
    "invalid_request": InvalidInputError,
    "invalid_option": InvalidOptionError,
    "unreadable": InvalidInputError,
    "protected": InvalidInputError,
    "too_large": InvalidInputError,
    "quarantined": InvalidInputError,
    "overloaded": OverloadedError,
    "shared_memory_full": OverloadedError,
    "stopping": ServerUnavailableError,
    "cancelled": RequestCancelledError,
    "internal": ServerError,
}


def error_from_status(status: str | None, message: str) -> TritonOCRError:
    """Return the exception for a gRPC status (`StatusCode.X`) or an HTTP status (`"400"`).

    Args:
        status: the status of the response; None in a stream, where the reason or Triton's text decides.
        message: the server's message.
    """
    sentence, reason = split_reason(message)
    if reason == "process_died" or is_process_dead(message):
        return ServerUnavailableError(
            f"A process of the server died while it read the file: {sentence}", sentence, may_have_begun=True
        )
    kind = _ERROR_BY_REASON.get(reason) or ERROR_BY_STATUS.get(status or "", ServerError)
    if reason is None and issubclass(kind, ServerError) and is_stopping(message):
        kind = ServerUnavailableError
    elif reason is None and (kind is ServerUnavailableError or status is None) and is_overload(message):
        kind = OverloadedError
    elif reason is None and status is None and is_unknown_model(message):
        kind = ModelNotFoundError
    error = kind(sentence)
    if isinstance(error, OverloadedError):
        error.is_memory_full = reason == "shared_memory_full"
    return error


def has_not_begun(message: str) -> bool:
    """Return whether a server's message states that it stops and did not read the file."""
    return split_reason(message)[1] == "stopping" or is_stopping(message)


def unreachable(
    url: object, reason: object, *, may_have_begun: bool = False, has_answered: bool = True
) -> ServerUnavailableError:
    """Return the error for a server that does not answer, or stopped answering."""
    sentence = f"No TritonOCR server answers at {url}: {reason}"
    return ServerUnavailableError(sentence, str(reason), may_have_begun, has_answered)


def deadline_exceeded(url: object, timeout_s: float | None) -> DeadlineExceededError:
    """Return the error for a response that did not arrive in time."""
    return DeadlineExceededError(f"The server at {url} did not answer within {timeout_s} s (timeout_s).")


def missing_extra(extra: str, purpose: str, cause: ImportError) -> MissingExtraError:
    """Return the error for a feature whose extra is not installed.

    Args:
        extra: name of the extra of the `tritonocr` distribution.
        purpose: the feature, as the subject of a sentence: "Drawing results".
        cause: the failed import, which names the module.
    """
    return MissingExtraError(
        f'{purpose} needs the package {cause.name!r}: pip install "tritonocr[{extra}]".', name=cause.name
    )
