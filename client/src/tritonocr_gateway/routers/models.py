"""`GET /models`."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from tritonocr_gateway.schemas import Failure, ServedModels
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_key)])


@router.get(
    "/models",
    summary="The models that a request may name",
    responses={401: {"model": Failure}, 503: {"model": Failure}},
)
async def models(service: ServiceDependency) -> ServedModels:
    """Ask Triton which detection and recognition models are loaded."""
    return ServedModels(**await service.client.models())
