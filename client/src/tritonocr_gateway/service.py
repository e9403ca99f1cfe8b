"""The objects that all routes share, such as the client, the limits and the drawing threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from tritonocr import TLS, AsyncOCRClient
from tritonocr_gateway.admission import Admission, RequestRate
from tritonocr_gateway.fetching import UrlFetcher
from tritonocr_gateway.metrics import Metrics
from tritonocr_gateway.readiness import Readiness
from tritonocr_gateway.settings import Settings
from tritonocr_gateway.uploads import UploadLimiter


@dataclass(frozen=True)
class Service:
    """The shared objects of one app. They live as long as the app."""

    settings: Settings
    client: AsyncOCRClient
    readiness: Readiness
    admission: Admission
    uploads: UploadLimiter
    rate: RequestRate
    fetcher: UrlFetcher
    drawing: ThreadPoolExecutor
    parsing: ThreadPoolExecutor
    metrics: Metrics


Connect = Callable[[Settings], AsyncOCRClient]


def connect(settings: Settings) -> AsyncOCRClient:
    """Create the client of the settings' Triton. Call this inside the event loop."""
    files = (settings.triton_ca, settings.triton_certificate, settings.triton_key)
    tls = TLS(*files) if any(files) else None
    return AsyncOCRClient(
        settings.url,
        timeout_s=settings.timeout_s,
        restart_wait_s=settings.restart_wait_s,
        headers=triton_headers(settings),
        tls=tls,
    )


def triton_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of the gateway's requests to Triton."""
    if settings.triton_header is None:
        return {}
    name, _, value = settings.triton_header.get_secret_value().partition(":")
    return {name.strip(): value.strip()}


def service_of(request: Request) -> Service:
    """Return the app's service."""
    return cast(Service, request.app.state.service)


ServiceDependency = Annotated[Service, Depends(service_of)]
