"""PaddleX's layout parsing service (PP-StructureV3): `POST /layout-parsing`, with Markdown from text lines.

The Markdown comes from the reading order of the lines. There is no layout model: tables, formulas and images
are not recognised, and `markdown.images` is empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from fastapi import APIRouter, Depends, Request

from tritonocr import OCRResult
from tritonocr_common.file_formats import is_pdf
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import log_id_of
from tritonocr_gateway.files import check_file_type
from tritonocr_gateway.ocr_input import content_of
from tritonocr_gateway.recognition import read_pages
from tritonocr_gateway.request_body import (
    JSON_TYPE,
    media_type_of,
    read_json,
    unsupported_type,
)
from tritonocr_gateway.responses import data_info, pruned, summaries_of, warnings_of
from tritonocr_gateway.schemas import OCRRequest, schema_of
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency
from tritonocr_gateway.validation import validated

router = APIRouter(dependencies=[Depends(require_key)])
ADAPTER = Adapter("layout_parsing", router)

_PADDLEX_DPI = 144
_BLOCK_LABELS = {"heading": "paragraph_title", "paragraph": "text", "page_number": "number"}
"""PP-StructureV3's names of the kinds of blocks; the other names are the same."""

_BODY = {"required": True, "content": {JSON_TYPE: {"schema": schema_of(OCRRequest)}}}


@router.post(
    "/layout-parsing",
    summary="Read an image or PDF as Markdown",
    openapi_extra={"requestBody": _BODY},
)
async def layout_parsing(request: Request, service: ServiceDependency) -> dict[str, Any]:
    """Read an image or PDF, and return the Markdown of each page in PP-StructureV3's form."""
    if media_type_of(request) != JSON_TYPE:
        raise unsupported_type(request, JSON_TYPE)
    fields: Any = validated(OCRRequest, await read_json(request, service))
    request.state.log_id = fields.log_id or log_id_of(request)
    content = await content_of(request, service, fields.file)
    check_file_type(content, fields.file_type)
    results = await read_pages(request, service, content, {**options_of_client(request), **fields.options()})
    summaries = summaries_of(results)
    result = {
        "layoutParsingResults": [layout_page(page) for page in results],
        "dataInfo": data_info(summaries, is_pdf=is_pdf(content)),
        "warnings": list(warnings_of(summaries, tuple(fields.model_extra or ()))),
    }
    return {"logId": log_id_of(request), "result": result, "errorCode": 0, "errorMsg": "Success"}


def options_of_client(request: Request) -> dict[str, Any]:
    """Return the options that a client relies on without sending them.

    RAGFlow places text on the pages of a PDF as sent, and takes coordinates as those of PaddleX's 144 dpi.
    """
    is_ragflow = request.headers.get("Client-Platform") == "ragflow"
    return {"pdf_dpi": _PADDLEX_DPI, "coordinates": "input"} if is_ragflow else {}


def layout_page(page: OCRResult) -> dict[str, Any]:
    """Return a page in PP-StructureV3's form."""
    return {
        "prunedResult": {**pruned(page.json["res"]), "parsing_res_list": list(_parsed_blocks(page))},
        "markdown": {"text": page.markdown, "images": {}, "isStart": True, "isEnd": True},
        "outputImages": {},
        "inputImage": None,
    }


def _parsed_blocks(page: OCRResult) -> Iterator[dict[str, Any]]:
    """Yield the blocks of a page in reading order, in PP-StructureV3's form."""
    for index, (block, content) in enumerate(zip(page.blocks, page.block_markdown, strict=True)):
        boxes = np.asarray(page["rec_boxes"])[list(block.lines)]
        yield {
            "block_label": _BLOCK_LABELS.get(block.kind, block.kind),
            "block_content": content,
            "block_bbox": [*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist()],
            "block_id": index,
            "block_order": index + 1,
        }
