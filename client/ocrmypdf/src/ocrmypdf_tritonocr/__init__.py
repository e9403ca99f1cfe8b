"""OCRmyPDF plugin that reads pages on a TritonOCR server.

The plugin is used when a server is named: by `--tritonocr-url` or the environment variable `TRITONOCR_URL`.
Otherwise OCRmyPDF uses its own engine.
"""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser
from typing import Any

import pluggy
from ocrmypdf import hookimpl
from ocrmypdf.builtin_plugins.tesseract_ocr import TesseractOptions
from ocrmypdf.exceptions import BadArgsError, MissingDependencyError
from pydantic import BaseModel, Field

from tritonocr import OCRClient, TritonOCRError
from tritonocr_common import environment

from ._engine import TritonOcrEngine
from ._languages import model_language

TESSERACT_PLUGIN = "ocrmypdf.builtin_plugins.tesseract_ocr"
URL_VARIABLE = environment.URL


class TritonOcrOptions(BaseModel):
    """Options of the plugin: `options.tritonocr` in OCRmyPDF.

    Attributes:
        url: address of the server, such as localhost:8001; None leaves OCRmyPDF's own engine in place.
        timeout: seconds for one page.
    """

    url: str | None = None
    timeout: float = Field(default=180.0, gt=0)


@hookimpl
def initialize(plugin_manager: pluggy.PluginManager) -> None:
    """Remove Tesseract's plugin if the program tesseract is not installed, because its checks would fail."""
    if not _has_tesseract():
        plugin_manager.set_blocked(TESSERACT_PLUGIN)


def _has_tesseract() -> bool:
    return shutil.which("tesseract") is not None


@hookimpl
def add_options(parser: ArgumentParser) -> None:
    """Add `--tritonocr-url` and `--tritonocr-timeout` to the command line."""
    group = parser.add_argument_group("TritonOCR", "Read pages on a TritonOCR server")
    group.add_argument(
        "--tritonocr-url",
        metavar="URL",
        dest="tritonocr_url",
        default=os.environ.get(URL_VARIABLE) or None,
        help=f"address of the server, for example localhost:8001 (environment: {URL_VARIABLE})",
    )
    group.add_argument(
        "--tritonocr-timeout",
        metavar="SECONDS",
        dest="tritonocr_timeout",
        type=float,
        default=180.0,
        help="seconds for one page (default: 180)",
    )


@hookimpl
def register_options() -> dict[str, type[BaseModel]]:
    """Register the plugin's options, and Tesseract's if its plugin is removed: OCRmyPDF reads them."""
    if _has_tesseract():
        return {"tritonocr": TritonOcrOptions}
    return {"tritonocr": TritonOcrOptions, "tesseract": TesseractOptions}


@hookimpl
def check_options(options: Any) -> None:
    """Check the language and the server before any page is rendered.

    Raises:
        BadArgsError: no served model reads the language.
        MissingDependencyError: the server does not respond or is not ready.
    """
    if options.tritonocr.url is None:
        return
    try:
        with OCRClient(options.tritonocr.url, timeout_s=options.tritonocr.timeout) as client:
            health = client.health()
    except TritonOCRError as error:
        raise BadArgsError(f"--tritonocr-url {options.tritonocr.url}: {error}") from error
    if not health.ready:
        raise MissingDependencyError(
            f"TritonOCR server {options.tritonocr.url} is not ready: start it with `tritonocr serve`, "
            "or remove --tritonocr-url"
        )
    model_language(options.languages)


@hookimpl
def get_ocr_engine(options: Any) -> TritonOcrEngine | None:
    """Return the engine if a server is named and no other engine is selected."""
    if options is None or options.tritonocr.url is None or options.ocr_engine != "auto":
        return None
    return TritonOcrEngine()
