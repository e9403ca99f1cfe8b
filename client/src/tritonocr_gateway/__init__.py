"""REST gateway of TritonOCR: PaddleX's `POST /ocr`, other OCR protocols, and a web page."""

from tritonocr import MissingExtraError

try:
    from tritonocr_gateway.app import create_app
    from tritonocr_gateway.settings import Settings
except ImportError as error:
    raise MissingExtraError(
        f'The gateway needs the package {error.name!r}: pip install "tritonocr[gateway]".', name=error.name
    ) from error

__all__ = ["Settings", "create_app"]
