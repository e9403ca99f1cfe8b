"""Map exceptions to HTTP errors: one table of statuses, and one error body per protocol.

A client error keeps the exception's message. The message of a server error can contain internal addresses
and paths: the log gets the original, the client gets a general sentence.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import tritonocr
from tritonocr_gateway.request_log import route_of

_logger = logging.getLogger(__name__)

TOO_SLOW = "The file was not read within this gateway's time limit."
SERVER_UNAVAILABLE = "The OCR server does not respond. It may be restarting; try again later."
SERVER_FAILED = "The OCR server failed on this file; the gateway's log has the details under this logId."


class GatewayError(Exception):
    """Base class of the errors that the gateway itself detects. The client gets the message.

    Args:
        message: one sentence.
        paddlex_message: the message of PaddleX's own server, if it is another text.
    """

    def __init__(self, message: str, paddlex_message: str | None = None) -> None:
        super().__init__(message)
        self.paddlex_message = paddlex_message


class MalformedBodyError(GatewayError):
    """The body cannot be parsed."""


class InvalidRequestError(GatewayError):
    """The request does not follow the schema, or contradicts itself."""


class NotFoundError(GatewayError):
    """The requested job or result does not exist, or belongs to another caller."""


class UnsupportedMediaTypeError(GatewayError):
    """The gateway does not read bodies of this media type."""


class BodyTooLargeError(GatewayError):
    """The body has more bytes than allowed."""


class UploadTimeoutError(GatewayError):
    """The body did not arrive in the time allowed."""


class UnauthorizedError(GatewayError):
    """The API key is missing or wrong."""


class OverCapacityError(GatewayError):
    """A limit on concurrent requests, uploads or requests per minute is reached."""


class NotReadyError(GatewayError):
    """Triton, or the model in Triton, does not accept requests."""


class ClientGoneError(GatewayError):
    """The client closed the connection, so no one reads the response."""


@dataclass(frozen=True)
class ErrorMapping:
    """The HTTP error of an exception class.

    Attributes:
        status: the HTTP status.
        message: the message for the client; None keeps the exception's own message.
    """

    status: int
    message: str | None = None


UNEXPECTED = ErrorMapping(500, "Internal server error")
ERROR_MAPPINGS: dict[type[Exception], ErrorMapping] = {
    MalformedBodyError: ErrorMapping(400),
    InvalidRequestError: ErrorMapping(422),
    NotFoundError: ErrorMapping(404),
    UnsupportedMediaTypeError: ErrorMapping(415),
    BodyTooLargeError: ErrorMapping(413),
    UploadTimeoutError: ErrorMapping(408),
    UnauthorizedError: ErrorMapping(401),
    OverCapacityError: ErrorMapping(429),
    NotReadyError: ErrorMapping(503),
    ClientGoneError: ErrorMapping(499),  # nginx's status for a client that closed the connection
    tritonocr.InvalidInputError: ErrorMapping(422),
    tritonocr.InvalidOptionError: ErrorMapping(422),
    tritonocr.FetchError: ErrorMapping(422),
    tritonocr.ServerError: ErrorMapping(500, SERVER_FAILED),
    tritonocr.ProtocolError: ErrorMapping(502, SERVER_FAILED),
    tritonocr.ModelNotFoundError: ErrorMapping(503, SERVER_UNAVAILABLE),
    tritonocr.ServerUnavailableError: ErrorMapping(503, SERVER_UNAVAILABLE),
    tritonocr.OverloadedError: ErrorMapping(429, "The OCR server's queue is full; try again later."),
    tritonocr.DeadlineExceededError: ErrorMapping(504, TOO_SLOW),
    tritonocr.RequestCancelledError: ErrorMapping(503, SERVER_UNAVAILABLE),
    tritonocr.AccessDeniedError: ErrorMapping(502, "The OCR server rejects this gateway's credentials."),
    tritonocr.MissingExtraError: ErrorMapping(501),
    tritonocr.ClientStateError: UNEXPECTED,
}


def mapping_of(error: Exception) -> ErrorMapping:
    """Return the mapping of the nearest class in the exception's class hierarchy."""
    return next((ERROR_MAPPINGS[kind] for kind in type(error).__mro__ if kind in ERROR_MAPPINGS), UNEXPECTED)


@dataclass(frozen=True)
class ErrorDetails:
    """An error for the client.

    Attributes:
        status: the HTTP status.
        message: one sentence.
        log_id: the id of the request.
    """

    status: int
    message: str
    log_id: str


def error_details(error: Exception, log_id: str) -> ErrorDetails:
    """Map an exception to the error for the client, and log a server error with its original message."""
    mapping = mapping_of(error)
    if mapping is UNEXPECTED:
        _logger.error("%s: unexpected error", log_id, exc_info=error)
    elif mapping.status >= 500:
        _logger.error("%s: %s: %s", log_id, type(error).__name__, error)
    return ErrorDetails(mapping.status, mapping.message or str(error), log_id)


ErrorBody = Callable[[ErrorDetails], Any]
"""Builds the JSON body of an error in a protocol's own form."""


def paddlex_error_body(details: ErrorDetails) -> Any:
    """Build PaddleX's error body: `{logId, errorCode, errorMsg}`."""
    return {"logId": details.log_id, "errorCode": details.status, "errorMsg": details.message}


def log_id_of(request: Request) -> str:
    """Return the request's id, which `request_log.RequestLogMiddleware` sets."""
    log_id: str = request.state.log_id
    return log_id


class ErrorResponses:
    """Build error responses, each in the form of the route's protocol.

    Args:
        retry_after_s: the `Retry-After` of 429 and 503, in seconds.
        bodies: the error body of each route that does not use PaddleX's.
    """

    def __init__(self, retry_after_s: int, bodies: Mapping[str, ErrorBody]) -> None:
        self._retry_after_s = retry_after_s
        self._bodies = bodies

    def response(
        self, request: Request, details: ErrorDetails, headers: Mapping[str, str] | None = None
    ) -> JSONResponse:
        """Build the response to a request."""
        body = self._bodies.get(route_of(request.scope), paddlex_error_body)(details)
        retry = {"Retry-After": str(self._retry_after_s)}
        own = {401: {"WWW-Authenticate": "Bearer"}, 429: retry, 503: retry}
        return JSONResponse(body, details.status, {**(headers or {}), **own.get(details.status, {})})

    def install(self, app: FastAPI) -> None:
        """Register the handlers of expected errors. `UnexpectedErrorMiddleware` handles the others."""

        def handle(request: Request, error: Exception) -> JSONResponse:
            return self.response(request, error_details(error, log_id_of(request)))

        def handle_http(request: Request, error: Exception) -> JSONResponse:
            assert isinstance(error, HTTPException)
            details = ErrorDetails(error.status_code, error.detail, log_id_of(request))
            return self.response(request, details, error.headers)

        for kind in (tritonocr.TritonOCRError, GatewayError):
            app.add_exception_handler(kind, handle)
        app.add_exception_handler(HTTPException, handle_http)
        app.add_middleware(UnexpectedErrorMiddleware, responses=self)


class UnexpectedErrorMiddleware:
    """Respond 500 to an unexpected exception, inside the middleware that sets ids, headers and metrics.

    Starlette's own handler of unexpected exceptions runs outside all middleware.
    """

    def __init__(self, app: ASGIApp, responses: ErrorResponses) -> None:
        self._app = app
        self._responses = responses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI request."""
        has_started = False

        async def watched_send(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception as error:
            if scope["type"] != "http" or has_started:
                raise
            request = Request(scope)
            response = self._responses.response(request, error_details(error, log_id_of(request)))
            await response(scope, receive, watched_send)
