"""Create the app: its routes, middleware and shared objects."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from fastapi.routing import APIRoute

import tritonocr
from tritonocr_common.memory import CHANGE_BYTES, malloc_trim, own_bytes
from tritonocr_gateway.adapters import adapters
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.admission import Admission, RequestRate
from tritonocr_gateway.errors import ErrorResponses
from tritonocr_gateway.fetching import UrlFetcher
from tritonocr_gateway.metrics import Metrics, MetricsMiddleware
from tritonocr_gateway.readiness import Readiness
from tritonocr_gateway.request_log import RequestLogMiddleware
from tritonocr_gateway.routers import health, models, page
from tritonocr_gateway.security import FramingMiddleware, SafeHeadersMiddleware
from tritonocr_gateway.service import Connect, Service, connect
from tritonocr_gateway.settings import Settings
from tritonocr_gateway.unread_bodies import UnreadBodyMiddleware
from tritonocr_gateway.uploads import HeldBodyMiddleware, UploadLimiter

_TRIM_EVERY_S = 5.0


def create_app(settings: Settings | None = None, connect: Connect = connect) -> FastAPI:
    """Create the gateway's app.

    Args:
        settings: the settings; read from the environment where None.
        connect: creates the client inside the event loop.
    """
    settings = settings or Settings()
    metrics = Metrics()
    enabled = [adapter for name, adapter in adapters().items() if name not in settings.disabled_adapters]
    app = FastAPI(
        title="TritonOCR",
        version=tritonocr.__version__,
        description="PaddleX's `POST /ocr` and other OCR protocols on a TritonOCR server.",
        lifespan=_lifespan(settings, connect, metrics, enabled),
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    for adapter in enabled:
        app.include_router(adapter.router, responses=adapter.error_responses)
    for router in (models.router, health.router, page.router):
        app.include_router(router)
    app.mount("/static", page.SafeFiles(directory=page.STATIC))
    app.mount("/swagger", page.SafeFiles(directory=page.SWAGGER))
    error_bodies = {
        route.path: adapter.error_body
        for adapter in enabled
        for route in adapter.router.routes
        if isinstance(route, APIRoute)
    }
    # Middleware that is added later runs earlier.
    app.add_middleware(HeldBodyMiddleware)
    ErrorResponses(settings.retry_after_s, error_bodies).install(app)
    app.add_middleware(FramingMiddleware)
    app.add_middleware(SafeHeadersMiddleware)
    app.add_middleware(UnreadBodyMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(RequestLogMiddleware)
    return app


def _lifespan(
    settings: Settings, connect: Connect, metrics: Metrics, enabled: Sequence[Adapter]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Open the shared objects at startup, and close them at shutdown."""
        async with connect(settings) as client:
            with (
                ThreadPoolExecutor(settings.picture_threads, "drawing") as drawing,
                # One thread: parsing a large body keeps the interpreter busy for up to 0.4 s at a time, and
                # several such threads would together starve the event loop.
                ThreadPoolExecutor(1, "parsing") as parsing,
            ):
                app.state.service = Service(
                    settings=settings,
                    client=client,
                    readiness=Readiness(client),
                    admission=Admission(settings.max_concurrent_requests),
                    uploads=UploadLimiter(settings.max_uploads, settings.max_held_body_bytes),
                    rate=RequestRate(settings.max_requests_per_minute),
                    fetcher=UrlFetcher(settings),
                    drawing=drawing,
                    parsing=parsing,
                    metrics=metrics,
                )
                async with AsyncExitStack() as stack:
                    stack.push_async_callback(_cancelled, asyncio.create_task(_return_memory()))
                    for adapter in enabled:
                        if adapter.lifespan:
                            await stack.enter_async_context(adapter.lifespan(app))
                    yield

    return lifespan


async def _return_memory() -> None:
    """Return the memory of large requests to the system while the process is larger than when idle."""
    idle_bytes = own_bytes()
    while True:
        await asyncio.sleep(_TRIM_EVERY_S)
        if own_bytes() - idle_bytes >= CHANGE_BYTES // 2:
            await asyncio.to_thread(_collect)


def _collect() -> None:
    gc.collect()  # the traceback of a rejected request and its tasks refer to each other, and to the body
    malloc_trim()


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
