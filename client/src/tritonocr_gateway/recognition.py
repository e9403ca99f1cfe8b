"""Read a file for an adapter: admission, cancellation, request id and page limit in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request

from tritonocr import OCRResult
from tritonocr_gateway.disconnects import unless_disconnected
from tritonocr_gateway.errors import InvalidRequestError, log_id_of
from tritonocr_gateway.request_log import trace_headers
from tritonocr_gateway.service import Service


async def read_pages(
    request: Request, service: Service, content: bytes, options: Mapping[str, Any] | None = None
) -> list[OCRResult]:
    """Read a file and return one result per page.

    Args:
        request: a request whose body has been read to its end.
        service: the shared objects.
        content: the bytes of the file.
        options: the client's options that the request gives.

    Raises:
        OverCapacityError: no permit is free.
        InvalidRequestError: the file is empty, or none of its pages can be read.
        tritonocr.TritonOCRError: the server failed or rejected the file.
    """
    if not content:
        raise InvalidRequestError("The file is empty; expected the bytes of an image or PDF.")
    with service.admission.permit():
        reading = service.client.ocr(
            content,
            request_id=log_id_of(request),
            headers=trace_headers(request),
            retry="restarts",
            **{"max_pages": service.settings.explicit_max_pages, **(options or {})},
        )
        results = await unless_disconnected(request, reading)
    service.metrics.pages.inc(len(results))
    check_any_page(results)
    return results


def check_any_page(results: Sequence[OCRResult]) -> None:
    """Check that at least one page was read.

    Raises:
        InvalidRequestError: every page failed.
    """
    if not any(result.ok for result in results):
        raise InvalidRequestError(f"No page could be read: {results[0].error}")


def polygons(result: OCRResult) -> list[list[list[int]]]:
    """Return the corners [4,2] of each line, in pixels, clockwise from the top left of the text."""
    return [[[int(x), int(y)] for x, y in poly] for poly in result["rec_polys"]]
