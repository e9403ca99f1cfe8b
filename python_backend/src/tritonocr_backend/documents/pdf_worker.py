"""The worker process that reads PDFs for an `ocr` instance: a hostile PDF cannot crash the instance.

A page of a few hundred bytes can request hours of drawing or gigabytes of memory. PDFium has no limits of
its own and cannot be interrupted. The kernel limits this process, and the instance starts another one.

Requests arrive on standard input and answers leave on standard output. Each is a line of JSON followed by
as many bytes as its `bytes` says. `op` names the method of `_Reader`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, BinaryIO

import pypdfium2
from pypdfium2 import raw

from tritonocr_backend.documents.pdf_content import PageContent, picture_dpi, read_content
from tritonocr_backend.documents.pdf_text import read_text
from tritonocr_backend.documents.pdf_user_unit import UserUnits

Message = dict[str, Any]


def main() -> None:
    """Answer requests until standard input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output that a library prints must not mix with answers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    reader = _Reader()
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["bytes"])
        _limit(request["seconds"], request["memory_bytes"])
        try:
            answer, payload = getattr(reader, request["op"])(request, data)
        except (pypdfium2.PdfiumError, MemoryError) as error:
            answer, payload = _failure(error), b""
        _send(answers, answer, payload)


def _failure(error: Exception) -> Message:
    needs_password = getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD
    return {"error": str(error) or type(error).__name__, "password_required": needs_password}


def _limit(seconds: float, memory_bytes: int) -> None:
    """Limit the further CPU time and the total memory. The kernel ends the process beyond either limit."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used_s = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used_s + seconds) + 1, hard))
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, hard))


def _send(answers: BinaryIO, answer: Message, payload: Any) -> None:
    answers.write(json.dumps({**answer, "bytes": len(payload)}).encode() + b"\n")
    answers.write(payload)
    answers.flush()


def _start_form_filling(pdf: pypdfium2.PdfDocument) -> None:
    """Make PDFium draw form fields; this must precede every other call for the document.

    `PdfDocument.init_forms` does the same, but not for fields that no form of the document lists.
    """
    config = raw.FPDF_FORMFILLINFO(version=2)
    pdf.formenv = pypdfium2.PdfFormEnv(raw.FPDFDOC_InitFormFillEnvironment(pdf, config), config)


def _open_page(pdf: pypdfium2.PdfDocument, index: int) -> pypdfium2.PdfPage:
    """Open a page. Ignore a CropBox that has no point of the MediaBox: PDFium's page is then empty."""
    page = pdf[index]
    if 0 in page.get_size():
        page.set_cropbox(*page.get_mediabox())
        page.close()
        page = pdf[index]
    return page


class _Reader:
    """The worker's open PDF and its open page."""

    def __init__(self) -> None:
        self._pdf: Any = None
        self._page: Any = None
        self._content: PageContent | None = None
        self._index = 0
        self._units = UserUnits(b"")

    def open(self, request: Message, data: bytes) -> tuple[Message, bytes]:
        self._pdf = pypdfium2.PdfDocument(data)
        _start_form_filling(self._pdf)
        self._units = UserUnits(data)
        return {"pages": len(self._pdf)}, b""

    def page(self, request: Message, data: bytes) -> tuple[Message, bytes]:
        """Open a page; answer its size in units of page space, the unit in points, and its pictures' dpi."""
        self._index = request["index"]
        self._page = _open_page(self._pdf, self._index)
        self._content = read_content(self._page) if request["dpi"] else None
        width, height = self._page.get_size()
        unit = self._units.of_page(self._index)
        dpi = picture_dpi(self._content, self._page.get_bbox()) / unit if self._content else 0
        return {"width": width, "height": height, "unit": unit, "picture_dpi": dpi}, b""

    def text(self, request: Message, data: bytes) -> tuple[Message, bytes]:
        """Answer the text layer of the open page, its form fields and annotations included."""
        # Fields and annotations become content, which is read when the page is loaded again.
        if raw.FPDFPage_Flatten(self._page, raw.FLAT_NORMALDISPLAY) == raw.FLATTEN_SUCCESS:
            self._page.close()
            self._page = self._pdf[self._index]
            self._content = None
        return read_text(self._page, self._content or read_content(self._page))

    def render(self, request: Message, data: bytes) -> tuple[Message, Any]:
        """Answer the pixels of the open page at `scale` pixels per unit of page space."""
        bitmap = self._page.render(scale=request["scale"])
        self._page.close()
        shape = {"height": bitmap.height, "stride": bitmap.stride, "channels": bitmap.n_channels}
        return {**shape, "width": bitmap.width}, memoryview(bitmap.buffer).cast("B")

    def close(self, request: Message, data: bytes) -> tuple[Message, bytes]:
        self._pdf.close()
        self.__init__()  # type: ignore[misc]  # as new
        return {}, b""


if __name__ == "__main__":
    main()
