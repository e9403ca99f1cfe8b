"""REST gateway of TritonOCR: PaddleX's `POST /ocr`, and a page to try it on, over tritonocr's public API."""

from tritonocr_gateway.app import create_app
from tritonocr_gateway.settings import Settings

__all__ = ["Settings", "create_app"]
