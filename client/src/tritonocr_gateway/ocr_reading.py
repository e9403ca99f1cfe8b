"""Read a file of `POST /ocr`: the options of the request to the server, and those of the response."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from fastapi import Request

import tritonocr
from tritonocr_common.file_formats import is_pdf
from tritonocr_gateway.errors import InvalidRequestError, log_id_of
from tritonocr_gateway.request_log import trace_headers
from tritonocr_gateway.responses import DOCUMENTS, JSON, NDJSON, PDF, ResponseOptions
from tritonocr_gateway.schemas import OCRFields
from tritonocr_gateway.service import Service
from tritonocr_gateway.settings import Settings


async def read_file(
    service: Service, fields: OCRFields, content: bytes, request: Request
) -> list[tritonocr.OCRResult]:
    """Read all pages of a file for a response in JSON, which does not contain the file's name."""
    results = await service.client.ocr(
        content,
        request_id=log_id_of(request),
        headers=trace_headers(request),
        retry="restarts",
        **_client_options(service, fields, JSON),
    )
    service.metrics.pages.inc(len(results))
    return results


def read_pages(
    service: Service, fields: OCRFields, content: bytes, request: Request, media_type: str, name: str = ""
) -> AsyncGenerator[list[tritonocr.OCRResult], None]:
    """Read a file page by page. `name` is the name of the file in documents; empty: the request id."""
    return service.client.responses(
        content,
        _client_options(service, fields, media_type),
        page_by_page=True,
        input_path=name or None,
        timeout_s=service.client.timeout_s,
        retry="restarts",
        request_id=log_id_of(request),
        headers=trace_headers(request),
    )


def _client_options(service: Service, fields: OCRFields, media_type: str) -> dict[str, Any]:
    """Return the options of a request to the server, with the options that the format needs."""
    draws = media_type == JSON and _visualize(service, fields)
    shows = media_type in (JSON, NDJSON) and bool(fields.return_page_image)
    options = {
        "return_page_images": draws or shows or media_type == PDF,
        **_held_by(media_type),
        **fields.options(),
        "max_pages": _max_pages(fields.max_pages, service.settings),
    }
    return {name: value for name, value in options.items() if value is not None}


def response_options(
    service: Service, fields: OCRFields, content: bytes, request: Request, media_type: str
) -> ResponseOptions:
    """Return what the response to a request contains."""
    return ResponseOptions(
        is_pdf=is_pdf(content),
        log_id=log_id_of(request),
        visualize=media_type == JSON and _visualize(service, fields),
        picture_max_side_px=service.settings.picture_max_side_px,
        return_page_image=bool(fields.return_page_image),
        return_text=media_type == NDJSON or bool(fields.return_text),
        unknown_fields=tuple(fields.model_extra or ()),
    )


def _held_by(media_type: str) -> dict[str, Any]:
    """Return the options that make the server return the content of a format."""
    if media_type == PDF:
        # The text is placed on the original pages, and only missing text is added.
        return {"return_word_box": True, "coordinates": "input", "pdf_text": "auto"}
    return {"return_word_box": True} if media_type in DOCUMENTS and DOCUMENTS[media_type].has_words else {}


def _visualize(service: Service, fields: OCRFields) -> bool:
    return service.settings.visualize if fields.visualize is None else fields.visualize


def _max_pages(requested: int | None, settings: Settings) -> int | None:
    if requested is not None and requested > settings.max_pages:
        raise InvalidRequestError(
            f"maxPages is {requested}; this gateway reads at most {settings.max_pages} pages of a file "
            "(setting max_pages)."
        )
    return requested or settings.explicit_max_pages
