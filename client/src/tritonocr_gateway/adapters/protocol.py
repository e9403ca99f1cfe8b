"""What an adapter declares about its protocol."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI

from tritonocr_gateway.errors import ErrorBody, paddlex_error_body


@dataclass(frozen=True)
class Adapter:
    """The routes of one protocol.

    Attributes:
        name: the name in the setting `disabled_adapters`.
        router: the routes.
        error_body: builds the protocol's form of an error.
        lifespan: what the protocol opens at startup, after the shared objects, and closes at shutdown.
    """

    name: str
    router: APIRouter
    error_body: ErrorBody = paddlex_error_body
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None
