"""Everything that TritonOCR's client raises.

    TritonOCRError
    ├── InvalidInputError (ValueError)     the request is wrong: the file, an option, a combination
    │   └── FetchError                     a URL that could not be fetched
    ├── ServerError                        the server failed; its log says more
    │   ├── ProtocolError                  the server's answer does not follow the contract
    │   ├── ModelNotFoundError             the server does not serve that model
    │   └── ServerUnavailableError (ConnectionError)    no server there, or it is starting or going away
    │       └── OverloadedError            the server refuses for now: its queue is full
    ├── DeadlineExceededError (TimeoutError)            no answer within `timeout_s`
    ├── RequestCancelledError              cancelled by the caller, or by the server
    ├── AccessDeniedError (PermissionError)             the credentials are missing or wrong
    └── MissingExtraError (ImportError)    an optional part is not installed

Messages are one sentence each, the server's own where it sent one.
"""

from __future__ import annotations


class TritonOCRError(Exception):
    """Root of all errors that TritonOCR raises on purpose."""


class InvalidInputError(TritonOCRError, ValueError):
    """The file, an option or their combination is wrong; sending it again does not help."""


class FetchError(InvalidInputError):
    """A URL given as input could not be fetched."""


class ServerError(TritonOCRError):
    """The server failed on its own account."""


class ProtocolError(ServerError):
    """The server's answer does not follow the contract of the `ocr` model."""


class ModelNotFoundError(ServerError):
    """The server does not serve the model that was asked for."""


class ServerUnavailableError(ServerError, ConnectionError):
    """No server answers, or it is starting or going away.

    Attributes:
        reason: what happened, without the server's address.
        may_have_begun: whether the server may have been at work on the request.
    """

    def __init__(self, message: str, reason: str | None = None, may_have_begun: bool = False) -> None:
        super().__init__(message)
        self.reason = reason or message
        self.may_have_begun = may_have_begun


class OverloadedError(ServerUnavailableError):
    """The server's queue is full: the same request may pass later."""


class DeadlineExceededError(TritonOCRError, TimeoutError):
    """The answer did not come within the time allowed."""


class RequestCancelledError(TritonOCRError):
    """The request was cancelled before its answer came."""


class AccessDeniedError(TritonOCRError, PermissionError):
    """The server wants credentials, or other ones."""


class MissingExtraError(TritonOCRError, ImportError):
    """A part of TritonOCR that needs further packages is used without them."""


# gRPC's status codes, and the HTTP statuses that Triton maps its own codes to (src/http_server.cc).
ERROR_BY_STATUS: dict[str, type[TritonOCRError]] = {
    "StatusCode.OK": ProtocolError,  # an error that claims success
    "StatusCode.CANCELLED": RequestCancelledError,
    "StatusCode.UNKNOWN": ServerError,
    "StatusCode.INVALID_ARGUMENT": InvalidInputError,
    "StatusCode.DEADLINE_EXCEEDED": DeadlineExceededError,
    "StatusCode.NOT_FOUND": ModelNotFoundError,
    "StatusCode.ALREADY_EXISTS": ServerError,
    "StatusCode.PERMISSION_DENIED": AccessDeniedError,
    "StatusCode.RESOURCE_EXHAUSTED": InvalidInputError,  # a message above gRPC's 2 GiB
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
    "499": RequestCancelledError,
    "500": ServerError,
    "501": ServerError,
    "502": ServerUnavailableError,
    "503": ServerUnavailableError,
    "504": DeadlineExceededError,
}

# Triton says "overloaded" and "gone" with the same code; only the sentence tells them apart.
_OVERLOAD_PHRASES = ("maximum queue size", "timeout expired", "overloaded")

# What Triton says while it stops, under several codes: a file in work gets INTERNAL, when a model that `ocr`
# asks is closed before `ocr` itself is done.
_STOPPING_PHRASES = ("server is stopping", "server not ready", "server exiting", "no available versions")


def error_from_status(status: str | None, message: str) -> TritonOCRError:
    """Translate a gRPC status (`StatusCode.X`) or an HTTP status (`"400"`) to an exception.

    Args:
        status: what tritonclient reports; None where it reports none, which counts as the server's failure.
        message: the server's sentence.
    """
    kind = ERROR_BY_STATUS.get(status or "", ServerError)
    if issubclass(kind, ServerError) and says_that_it_stops(message):
        return ServerUnavailableError(message)
    if kind is ServerUnavailableError and any(phrase in message.lower() for phrase in _OVERLOAD_PHRASES):
        kind = OverloadedError
    return kind(message)


def says_that_it_stops(message: str) -> bool:
    """Whether a server's sentence means that it is going away, so that the file was not read."""
    return any(phrase in message.lower() for phrase in _STOPPING_PHRASES)


def unreachable(url: object, reason: object, *, may_have_begun: bool = False) -> ServerUnavailableError:
    """The error of a server that is not there, or was there when the request was sent."""
    sentence = f"No TritonOCR server answers at {url}: {reason}"
    return ServerUnavailableError(sentence, str(reason), may_have_begun)


def deadline_exceeded(url: object, timeout_s: float | None) -> DeadlineExceededError:
    """The error of an answer that did not come in time."""
    return DeadlineExceededError(f"The server at {url} did not answer within {timeout_s} s (timeout_s).")


def missing_extra(extra: str, purpose: str, cause: ImportError) -> MissingExtraError:
    """The error of a feature whose extra is not installed.

    Args:
        extra: the name of the extra of the `tritonocr` distribution.
        purpose: what needs it, as the subject of a sentence: "Drawing results".
        cause: the failed import, whose module is named.
    """
    return MissingExtraError(
        f'{purpose} needs the package {cause.name!r}: pip install "tritonocr[{extra}]".', name=cause.name
    )
