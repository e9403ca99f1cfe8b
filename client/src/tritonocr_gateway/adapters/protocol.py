"""What an adapter declares about its protocol."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from tritonocr_gateway.errors import ErrorBody, paddlex_error_body
from tritonocr_gateway.schemas import Failure

ERROR_DESCRIPTIONS: Final = {
    400: "The body cannot be parsed.",
    401: "The API key is missing or wrong.",
    404: "The route or the job does not exist.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The route does not read bodies of this media type.",
    422: "A field or the file is invalid.",
    429: "A limit is reached; Retry-After says when to try again.",
    500: "The gateway or the OCR server failed.",
    501: "The gateway lacks a package.",
    502: "The OCR server sent an invalid response.",
    503: "The OCR server is unavailable.",
    504: "The file was not read in time.",
}


@dataclass(frozen=True)
class Adapter:
    """The routes of one protocol.

    Attributes:
        name: the name in the setting `disabled_adapters`.
        router: the routes.
        error_body: builds the protocol's form of an error.
        error_model: the schema of what `error_body` builds.
        lifespan: what the protocol opens at startup, after the shared objects, and closes at shutdown.
    """

    name: str
    router: APIRouter
    error_body: ErrorBody = paddlex_error_body
    error_model: type[BaseModel] = Failure
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None

    @property
    def error_responses(self) -> dict[int | str, dict[str, Any]]:
        """Describe the error responses of the routes by status, for OpenAPI."""
        return {
            status: {"model": self.error_model, "description": description}
            for status, description in ERROR_DESCRIPTIONS.items()
        }
