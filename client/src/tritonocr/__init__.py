"""Client of a TritonOCR server: PaddleX's `create_pipeline().predict()` over Triton's own protocols.

Needs numpy and tritonclient[grpc] alone. Extras add HTTP addresses [http], the command line [cli], pictures
and PDFs [viz], PaddleX's `POST /ocr` [gateway] and work over many machines [ray].
"""

from importlib.metadata import version

from ._async_client import AsyncOCRClient
from ._client import OCRClient
from ._exceptions import (
    AccessDeniedError,
    ClientStateError,
    DeadlineExceededError,
    FetchError,
    InvalidInputError,
    InvalidOptionError,
    MissingExtraError,
    ModelNotFoundError,
    OverloadedError,
    ProtocolError,
    RequestCancelledError,
    ServerError,
    ServerUnavailableError,
    TritonOCRError,
)
from ._extras import demo_page, searchable_pdf, write_searchable_pdf
from ._options import OPTIONS, OCROptions, Option
from ._paddleocr import PaddleOCR
from ._pipeline import IgnoredArgumentWarning, OCRPipeline, create_pipeline
from ._read_ahead import PagesSkippedWarning
from ._results.documents import save_document
from ._results.failure import OCRFailure
from ._results.formats import FORMATS, DocumentFormat, formatted
from ._results.page import PageRecord
from ._results.result import OCRResult
from ._transport.base import Health
from ._transport.tls import TLS

__version__ = version("tritonocr")

__all__ = [
    "FORMATS",
    "OPTIONS",
    "TLS",
    "AccessDeniedError",
    "AsyncOCRClient",
    "ClientStateError",
    "DeadlineExceededError",
    "DocumentFormat",
    "FetchError",
    "Health",
    "IgnoredArgumentWarning",
    "InvalidInputError",
    "InvalidOptionError",
    "MissingExtraError",
    "ModelNotFoundError",
    "OCRClient",
    "OCRFailure",
    "OCROptions",
    "OCRPipeline",
    "OCRResult",
    "Option",
    "OverloadedError",
    "PaddleOCR",
    "PageRecord",
    "PagesSkippedWarning",
    "ProtocolError",
    "RequestCancelledError",
    "ServerError",
    "ServerUnavailableError",
    "TritonOCRError",
    "__version__",
    "create_pipeline",
    "demo_page",
    "formatted",
    "save_document",
    "searchable_pdf",
    "write_searchable_pdf",
]
