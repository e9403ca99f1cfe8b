"""From exceptions to HTTP: one table of statuses, and PaddleX's error body.

The client's exceptions keep their sentence where the request is at fault. Where a server is, the sentence may
name machines that are nobody's business outside: the log gets it, and the answer another one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import tritonocr

_logger = logging.getLogger(__name__)

BEHIND_SCHEDULE = "The file was not read in the time that this gateway allows."
SERVER_AWAY = "The OCR server does not answer; try again later."
SERVER_FAILED = "The OCR server failed on this file; the gateway's log says more under this logId."


class GatewayError(Exception):
    """Root of what the gateway itself finds wrong with a request; the message is for the client."""


class InvalidRequestError(GatewayError):
    """The request does not follow the schema, or contradicts itself."""


class UnsupportedMediaTypeError(GatewayError):
    """The body is of a type that the gateway does not read."""


class BodyTooLargeError(GatewayError):
    """The body has more bytes than allowed."""


class UploadTimeoutError(GatewayError):
    """The body did not arrive in the time allowed."""


class UnauthorizedError(GatewayError):
    """The API key is missing or wrong."""


class OverCapacityError(GatewayError):
    """As many requests as allowed are being worked on."""


class NotReadyError(GatewayError):
    """Triton, or the model in it, does not take requests."""


class ClientGoneError(GatewayError):
    """The client closed the connection: nobody reads the answer."""


@dataclass(frozen=True)
class Answer:
    """How an exception is answered.

    Attributes:
        status: of HTTP.
        message: instead of the exception's own; None keeps that.
    """

    status: int
    message: str | None = None


ANSWERS: dict[type[Exception], Answer] = {
    InvalidRequestError: Answer(422),
    UnsupportedMediaTypeError: Answer(415),
    BodyTooLargeError: Answer(413),
    UploadTimeoutError: Answer(408),
    UnauthorizedError: Answer(401),
    OverCapacityError: Answer(429),
    NotReadyError: Answer(503),
    ClientGoneError: Answer(499),  # nginx's status of a client that closed the connection
    tritonocr.InvalidInputError: Answer(422),
    tritonocr.FetchError: Answer(422),
    tritonocr.ServerError: Answer(500, SERVER_FAILED),
    tritonocr.ProtocolError: Answer(502, SERVER_FAILED),
    tritonocr.ModelNotFoundError: Answer(503, SERVER_AWAY),
    tritonocr.ServerUnavailableError: Answer(503, SERVER_AWAY),
    tritonocr.OverloadedError: Answer(429, "The OCR server's queue is full; try again later."),
    tritonocr.DeadlineExceededError: Answer(504, BEHIND_SCHEDULE),
    tritonocr.RequestCancelledError: Answer(503, SERVER_AWAY),
    tritonocr.AccessDeniedError: Answer(502, "The OCR server refuses this gateway's credentials."),
    tritonocr.MissingExtraError: Answer(501),
}
UNFORESEEN = Answer(500, "Internal server error")


def answer_to(error: Exception) -> Answer:
    """Look up how an exception is answered, by the nearest of its classes."""
    return next((ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), UNFORESEEN)


def log_id_of(request: Request) -> str:
    """The request's id: see request_log.RequestLogMiddleware."""
    log_id: str = request.state.log_id
    return log_id


def install_handlers(app: FastAPI, retry_after_s: int) -> None:
    """Make the app answer every exception with PaddleX's `{logId, errorCode, errorMsg}`."""

    def answer(request: Request, error: Exception) -> JSONResponse:
        found, log_id = answer_to(error), log_id_of(request)
        if found.status >= 500:
            _logger.error("%s: %s: %s", log_id, type(error).__name__, error)
        return error_response(request, found.status, found.message or str(error), retry_after_s)

    def http_answer(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return error_response(request, error.status_code, error.detail, retry_after_s, error.headers)

    for kind in (tritonocr.TritonOCRError, GatewayError, Exception):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(HTTPException, http_answer)


def error_response(
    request: Request,
    status: int,
    message: str,
    retry_after_s: int,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Build the error's answer."""
    body = {"logId": log_id_of(request), "errorCode": status, "errorMsg": message}
    retry = {"Retry-After": str(retry_after_s)}
    own = {401: {"WWW-Authenticate": "Bearer"}, 429: retry, 503: retry}
    return JSONResponse(body, status, {**(headers or {}), **own.get(status, {})})
