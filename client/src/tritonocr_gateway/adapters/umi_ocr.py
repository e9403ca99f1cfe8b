"""Umi-OCR's HTTP protocol: `POST /api/ocr` and `GET /api/ocr/get_options`.

Contract: `docs/http/api_ocr.md` of Umi-OCR, with the options of its PaddleOCR plugin.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from tritonocr import OCRResult
from tritonocr_gateway.adapters.protocol import Adapter
from tritonocr_gateway.errors import ErrorDetails
from tritonocr_gateway.files import from_base64
from tritonocr_gateway.recognition import polygons, read_pages
from tritonocr_gateway.request_body import JSON_TYPE, read_json, run_parser
from tritonocr_gateway.schemas import schema_of
from tritonocr_gateway.security import require_key
from tritonocr_gateway.service import ServiceDependency
from tritonocr_gateway.validation import validated

SUCCESS, NO_TEXT = 100, 101  # Umi-OCR's codes
_FAILURE = 901

router = APIRouter(dependencies=[Depends(require_key)])


# Umi-OCR names a language by the file of its engine's configuration.
_LANGUAGE_FILE = re.compile(r"models/config_(\w+)(?:\(v\d\))?\.txt")
_LANGUAGES = {
    "models/config_chinese.txt": "简体中文",
    "models/config_en.txt": "English",
    "models/config_chinese_cht(v2).txt": "繁體中文",
    "models/config_japan.txt": "日本語",
    "models/config_korean.txt": "한국어",
    "models/config_cyrillic.txt": "Русский",
}
_PARSERS = {
    "multi_para": "Columns, paragraphs on one line",
    "multi_line": "Columns, one line per line",
    "multi_none": "Columns, without line breaks",
    "single_para": "As multi_para",
    "single_line": "As multi_line",
    "single_none": "As multi_none",
    "single_code": "As multi_line; indents are not kept",
    "none": "Order of detection, one line per line",
}
_UNLIMITED_PX = 999_999
_Corner = tuple[float, float]


class UmiOptions(BaseModel):
    """The options of a request. Unknown options are ignored, and named in `warnings`."""

    model_config = ConfigDict(extra="allow")

    language: str = Field(default="", alias="ocr.language")
    cls: bool = Field(default=False, alias="ocr.cls")
    limit_side_px: Annotated[int, Field(ge=1, le=_UNLIMITED_PX)] | None = Field(
        default=None, alias="ocr.limit_side_len"
    )
    parser: str = Field(default="multi_para", alias="tbpu.parser")
    ignored_areas: list[tuple[_Corner, _Corner]] = Field(default_factory=list, alias="tbpu.ignoreArea")
    format: Literal["dict", "text"] = Field(default="dict", alias="data.format")

    @field_validator("parser")
    @classmethod
    def _check_parser(cls, value: str) -> str:
        if value not in _PARSERS:
            raise ValueError(f"expected one of {', '.join(_PARSERS)}")
        return value

    def client_options(self) -> dict[str, Any]:
        """Return the client's options."""
        named = _LANGUAGE_FILE.fullmatch(self.language)
        language = named[1] if named else self.language
        options: dict[str, Any] = {
            "use_doc_orientation_classify": False,
            "use_doc_unwarping": False,
            "use_textline_orientation": self.cls,
            "max_pages": 1,
        }
        if language:
            options["lang"] = "ch" if language == "chinese" else language
        if self.limit_side_px not in (None, _UNLIMITED_PX):
            options |= {"text_det_limit_side_len": self.limit_side_px, "text_det_limit_type": "max"}
        return options


class UmiRequest(BaseModel):
    """The body of `POST /api/ocr`."""

    base64: str = Field(description="The image in Base64.")
    options: UmiOptions = Field(default_factory=UmiOptions, description="See `GET /api/ocr/get_options`.")


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
    started_s = time.time()
    body = validated(UmiRequest, await read_json(request, service))
    content = await run_parser(service, from_base64, body.base64)
    (result,) = await read_pages(request, service, content, body.options.client_options())
    lines = [line for line in _lines(result, body.options) if not _is_ignored(line, body.options)]
    ignored = [f"The option {name!r} is unknown and was ignored." for name in body.options.model_extra or ()]
    return {
        "code": SUCCESS if lines else NO_TEXT,
        "data": _data(lines, body.options),
        "score": sum(line["score"] for line in lines) / max(len(lines), 1),
        "time": time.time() - started_s,
        "timestamp": started_s,
        **({"warnings": ignored} if ignored else {}),
    }


def _data(lines: Sequence[dict[str, Any]], options: UmiOptions) -> Any:
    if not lines:
        return "No text was found in the image."
    return "".join(line["text"] + line["end"] for line in lines) if options.format == "text" else lines


def _lines(result: OCRResult, options: UmiOptions) -> Iterator[dict[str, Any]]:
    """Yield the lines in Umi-OCR's form, in the order and with the ends that the parser chooses."""
    texts, scores, corners = result["rec_texts"], result["rec_scores"], polygons(result)
    blocks = [range(len(texts))] if options.parser == "none" else [block.lines for block in result.blocks]
    for block in blocks:
        for index in block:
            end = _end(texts[index], options.parser, is_last=index == block[-1])
            yield {"text": texts[index], "score": float(scores[index]), "box": corners[index], "end": end}


def _end(text: str, parser: str, *, is_last: bool) -> str:
    if parser.endswith("_para"):
        return "\n" if is_last else _between(text)
    return _between(text) if parser.endswith("_none") else "\n"


def _between(text: str) -> str:
    """Return what follows a line that goes on: nothing after East Asian characters, else a space."""
    return "" if text and unicodedata.east_asian_width(text[-1]) in "WF" else " "


def _is_ignored(line: dict[str, Any], options: UmiOptions) -> bool:
    """Return whether a line lies completely in an ignored area."""
    return any(
        all(left <= x <= right and top <= y <= bottom for x, y in line["box"])
        for (left, top), (right, bottom) in options.ignored_areas
    )


_OPTIONS = {
    "ocr.language": {
        "title": "Language",
        "toolTip": "Language of the text, by Umi-OCR's names or those of the option lang.",
        "type": "enum",
        "default": "",
        "optionsList": [["", "The server's default model"], *map(list, _LANGUAGES.items())],
    },
    "ocr.cls": {
        "title": "Correct the text direction",
        "toolTip": "Rotate upside-down lines.",
        "type": "boolean",
        "default": False,
    },
    "ocr.limit_side_len": {
        "title": "Largest side of the image",
        "toolTip": "Larger images are scaled down for detection.",
        "type": "enum",
        "default": 960,
        "optionsList": [
            [960, "960"],
            [2880, "2880"],
            [4320, "4320"],
            [_UNLIMITED_PX, "The server's default"],
        ],
    },
    "tbpu.parser": {
        "title": "Order and ends of lines",
        "toolTip": "The server recognises columns in each case.",
        "type": "enum",
        "default": "multi_para",
        "optionsList": [*map(list, _PARSERS.items())],
    },
    "tbpu.ignoreArea": {
        "title": "Ignored areas",
        "toolTip": "Lines inside one of the boxes [[left, top], [right, bottom]] are dropped.",
        "type": "var",
        "default": [],
    },
    "data.format": {
        "title": "Result format",
        "toolTip": "Form of `data` in the response.",
        "type": "enum",
        "default": "dict",
        "optionsList": [["dict", "Lines with boxes"], ["text", "Plain text"]],
    },
}


@router.get("/api/ocr/get_options", summary="The options of `POST /api/ocr`")
async def get_options() -> dict[str, Any]:
    """Return the options in Umi-OCR's form."""
    return _OPTIONS
