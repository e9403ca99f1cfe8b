"""Umi-OCR's HTTP protocol: `POST /api/ocr` and `GET /api/ocr/get_options`."""

from __future__ import annotations

import time
from typing import Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from tritonocr import OCRResult
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import ErrorDetails
from tritonocr_gateway.files import from_base64
from tritonocr_gateway.recognition import polygons, read_pages
from tritonocr_gateway.request_body import JSON_TYPE, read_json, run_parser, validated
from tritonocr_gateway.schemas import schema_of
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency

SUCCESS, NO_TEXT = 100, 101  # Umi-OCR's codes
_FAILURE = 901

router = APIRouter(dependencies=[Depends(require_key)])


class UmiRequest(BaseModel):
    """The body of `POST /api/ocr`."""

    base64: str = Field(description="The image in Base64.")
    options: dict[str, Any] = Field(default_factory=dict, description="See `GET /api/ocr/get_options`.")


class UmiFailure(BaseModel):
    """The response to a request that failed."""

    code: Literal[901]
    data: str = Field(description="One sentence that describes the error.")


def _error_body(details: ErrorDetails) -> Any:
    return {"code": _FAILURE, "data": details.message}


ADAPTER = Adapter("umi_ocr", router, _error_body, UmiFailure)
_BODY = {"required": True, "content": {JSON_TYPE: {"schema": schema_of(UmiRequest)}}}


@router.post("/api/ocr", summary="Read an image for Umi-OCR clients", openapi_extra={"requestBody": _BODY})
async def umi_ocr(request: Request, service: ServiceDependency) -> dict[str, Any]:
    """Read an image, and return its lines, or its text with the option `data.format=text`."""
    started_s = time.monotonic()
    body = validated(UmiRequest, await read_json(request, service))
    content = await run_parser(service, from_base64, body.base64)
    (result,) = await read_pages(request, service, content, _options(body.options))
    return {
        "code": SUCCESS if result["rec_texts"] else NO_TEXT,
        "data": result.text if body.options.get("data.format") == "text" else _lines(result),
        "score": float(sum(result["rec_scores"]) / max(len(result["rec_scores"]), 1)),
        "time": time.monotonic() - started_s,
        "timestamp": time.time(),
    }


def _options(given: dict[str, Any]) -> dict[str, Any]:
    language = given.get("ocr.language")
    return {
        "use_doc_orientation_classify": False,
        "use_doc_unwarping": False,
        "use_textline_orientation": bool(given.get("ocr.cls", False)),
        "max_pages": 1,
        **({"lang": language} if language else {}),
    }


def _lines(result: OCRResult) -> list[dict[str, Any]] | str:
    lines = zip(result["rec_texts"], result["rec_scores"], polygons(result), strict=True)
    return [
        {"text": text, "score": float(score), "box": polygon, "end": "\n"} for text, score, polygon in lines
    ] or "No text was found in the image."


@router.get("/api/ocr/get_options", summary="The options of `POST /api/ocr`")
async def get_options() -> dict[str, Any]:
    """Return the options in Umi-OCR's form."""
    return {
        "ocr.language": {
            "title": "Language",
            "toolTip": "Language of the text; empty: the server's default model.",
            "default": "",
        },
        "ocr.cls": {
            "title": "Correct the text direction",
            "default": False,
            "toolTip": "Rotate upside-down lines.",
        },
        "data.format": {
            "title": "Result format",
            "default": "dict",
            "optionsList": [["dict", "Lines with boxes"], ["text", "Plain text"]],
            "toolTip": "Form of `data` in the response.",
        },
    }
