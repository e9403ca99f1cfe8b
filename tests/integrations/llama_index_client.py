"""Read a PDF with llama-index-readers-paddle-ocr and our class PaddleOCR: URL FILE."""

import functools
import json
import sys
import types

import tritonocr

url, file = sys.argv[1:]
paddle_ocr = functools.partial(tritonocr.PaddleOCR, url=url)
sys.modules["paddleocr"] = types.SimpleNamespace(PaddleOCR=paddle_ocr)  # type: ignore[assignment]

from llama_index.readers.paddle_ocr import PDFPaddleOCRReader  # noqa: E402

reader = PDFPaddleOCRReader(use_angle_cls=True, lang="en")
documents = reader.load_data(file)
print(json.dumps([{"text": document.text, "page": document.metadata.get("page")} for document in documents]))
