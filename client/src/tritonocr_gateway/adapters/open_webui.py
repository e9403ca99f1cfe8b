"""Open WebUI's external document loader: `PUT /process` with the file as the body."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import ErrorDetails, InvalidRequestError
from tritonocr_gateway.file_names import name_of_header
from tritonocr_gateway.recognition import read_pages
from tritonocr_gateway.request_body import read_bytes
from tritonocr_gateway.schemas import DetailFailure
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency

router = APIRouter(dependencies=[Depends(require_key)])

_BODY = {
    "required": True,
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}


def _error_body(details: ErrorDetails) -> Any:
    return {"detail": details.message}


ADAPTER = Adapter("open_webui", router, _error_body, DetailFailure)


@router.put("/process", summary="Read a document for Open WebUI", openapi_extra={"requestBody": _BODY})
async def process(request: Request, service: ServiceDependency) -> list[dict[str, Any]]:
    """Read the file in the body, and return one document per page that has text."""
    name = name_of_header(request)
    service.admission.check()
    results = await read_pages(request, service, await read_bytes(request, service))
    documents = [
        {"page_content": result.text, "metadata": {"source": name, "page": number}}
        for number, result in enumerate(results, 1)
        if result.text.strip()
    ]
    if not documents:
        raise InvalidRequestError("No extractable text")
    return documents
