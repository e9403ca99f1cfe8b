"""What the routes share: the client, the permits, the fetcher and the threads that draw."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from tritonocr import TLS, AsyncOCRClient
from tritonocr_gateway.admission import Admission, Rate
from tritonocr_gateway.fetching import UrlFetcher
from tritonocr_gateway.metrics import Metrics
from tritonocr_gateway.settings import Settings


@dataclass(frozen=True)
class Service:
    """One of each; lives as long as the app."""

    settings: Settings
    client: AsyncOCRClient
    admission: Admission
    rate: Rate
    fetcher: UrlFetcher
    drawing: ThreadPoolExecutor
    metrics: Metrics


Connect = Callable[[Settings], AsyncOCRClient]


def connect(settings: Settings) -> AsyncOCRClient:
    """Make the client of the settings' Triton; call it inside the event loop."""
    files = (settings.triton_ca, settings.triton_certificate, settings.triton_key)
    tls = TLS(*files) if any(files) else None
    return AsyncOCRClient(settings.url, timeout_s=settings.timeout_s, tls=tls)


def service_of(request: Request) -> Service:
    """The app's service."""
    return cast(Service, request.app.state.service)


ServiceDependency = Annotated[Service, Depends(service_of)]
