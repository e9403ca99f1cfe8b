"""The app: routes, middleware, and what lives as long as it does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

import tritonocr
from tritonocr_gateway.admission import Admission, Rate
from tritonocr_gateway.draining import DrainingMiddleware
from tritonocr_gateway.errors import install_handlers
from tritonocr_gateway.fetching import UrlFetcher
from tritonocr_gateway.metrics import Metrics, MetricsMiddleware
from tritonocr_gateway.request_log import RequestLogMiddleware
from tritonocr_gateway.routers import health, models, ocr, page
from tritonocr_gateway.security import SafeHeadersMiddleware
from tritonocr_gateway.service import Connect, Service, connect
from tritonocr_gateway.settings import Settings


def create_app(settings: Settings | None = None, connect: Connect = connect) -> FastAPI:
    """Make the gateway's app.

    Args:
        settings: from the environment by default.
        connect: makes the client, inside the event loop.
    """
    settings = settings or Settings()
    metrics = Metrics()
    app = FastAPI(
        title="TritonOCR",
        version=tritonocr.__version__,
        description="PaddleX's `POST /ocr` on a TritonOCR server.",
        lifespan=_lifespan(settings, connect, metrics),
        docs_url=None,
        redoc_url=None,
    )
    for module in (ocr, models, health, page):
        app.include_router(module.router)
    app.mount("/static", page.SafeFiles(directory=page.STATIC))
    app.mount("/swagger", page.SafeFiles(directory=page.SWAGGER))
    install_handlers(app, settings.retry_after_s)
    app.add_middleware(SafeHeadersMiddleware)
    app.add_middleware(DrainingMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(RequestLogMiddleware)
    return app


def _lifespan(
    settings: Settings, connect: Connect, metrics: Metrics
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        """Open what all requests share, and close it when the gateway stops."""
        async with connect(settings) as client:
            with ThreadPoolExecutor(settings.picture_threads, "drawing") as drawing:
                app.state.service = Service(
                    settings=settings,
                    client=client,
                    admission=Admission(settings.max_concurrent_requests),
                    rate=Rate(settings.max_requests_per_minute),
                    fetcher=UrlFetcher(settings),
                    drawing=drawing,
                    metrics=metrics,
                )
                yield

    return lifespan
