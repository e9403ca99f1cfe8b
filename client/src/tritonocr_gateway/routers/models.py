"""What a request may choose: `GET /models` and `GET /options`."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from tritonocr_gateway.schemas import Failure, OptionValues, ServedModels
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_key)])

_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (401, 503, 504)}


@router.get("/models", summary="The models that are loaded", responses=_ERRORS)
async def models(service: ServiceDependency) -> ServedModels:
    """Ask Triton which detection and recognition models are loaded."""
    return ServedModels(**await service.client.models())


@router.get("/options", summary="The options' values when nobody gives them", responses=_ERRORS)
async def options(service: ServiceDependency) -> OptionValues:
    """Ask Triton how the pipeline is set."""
    values, stated = await service.client.settings(), service.settings.stated_max_pages
    return OptionValues(**values if stated is None else {**values, "max_pages": stated})
