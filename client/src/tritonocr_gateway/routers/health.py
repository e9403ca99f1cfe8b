"""Health, readiness and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from tritonocr_gateway.errors import NotReadyError, log_id_of
from tritonocr_gateway.schemas import Failure, Healthy
from tritonocr_gateway.service import ServiceDependency

router = APIRouter()


@router.get("/health", summary="Liveness: whether the gateway runs")
async def health(request: Request) -> Healthy:
    """Return 200 in PaddleX's form. `/health/ready` includes the state of Triton."""
    return Healthy(log_id=log_id_of(request))


@router.get(
    "/health/ready", summary="Readiness: whether files can be read", responses={503: {"model": Failure}}
)
async def ready(request: Request, service: ServiceDependency) -> Healthy:
    """Return 200 when the server reads pages, else 503. Reads a small page if no page was read lately."""
    if not await service.readiness.is_ready():
        raise NotReadyError("The OCR server is not ready; try again later.")
    return Healthy(log_id=log_id_of(request), error_msg="Ready")


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
async def metrics(service: ServiceDependency) -> Response:
    """Return the gateway's own metrics. Triton serves its metrics on its own port."""
    service.metrics.in_flight.set(service.admission.in_flight)
    service.metrics.set_retries(service.client.retries)
    return Response(service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
