"""`GET /models` and `GET /options`: the models and options that a request can name."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends

from tritonocr_common.languages import TITLES
from tritonocr_gateway.schemas import Failure, OptionInfo, ServedModels, option_infos
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_key)])

_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": Failure} for status in (401, 503, 504)}


@router.get("/models", summary="The loaded models and their languages", responses=_ERRORS)
async def models(service: ServiceDependency) -> ServedModels:
    """Return the detection and recognition models that Triton has loaded, and their languages."""
    languages = {code: TITLES[code] for code in await service.client.languages()}
    return ServedModels(**await service.client.models(), languages=languages)


@router.get("/options", summary="The options, with their values in force", responses=_ERRORS)
async def options(service: ServiceDependency) -> dict[str, OptionInfo]:
    """Describe the options of `POST /ocr`, with the values that Triton's pipeline is set to."""
    values, max_pages = await service.client.settings(), service.settings.explicit_max_pages
    return option_infos(values if max_pages is None else {**values, "max_pages": max_pages})
