"""The process that renders PDFs for an `ocr` instance: what a file makes PDFium do stays in here.

A page of a few hundred bytes can ask for hours of drawing or gigabytes of memory, and PDFium can be neither
interrupted nor bounded from within. The kernel can do both to a process; the instance starts another one.

Requests on standard input and answers on standard output are a line of JSON, which names the `bytes` that
follow it. `op` is one of `open`, `size`, `render` and `close`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from typing import Any, BinaryIO

import pypdfium2

Message = dict[str, Any]


def main() -> None:
    """Answer requests until standard input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    reader = _Reader()
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["bytes"])
        _limit(request["seconds"], request["memory_bytes"])
        try:
            answer, pixels = getattr(reader, request["op"])(request, data)
        except (pypdfium2.PdfiumError, MemoryError) as error:
            answer, pixels = {"error": str(error) or type(error).__name__}, b""
        _send(answers, answer, pixels)


def _limit(seconds: float, memory_bytes: int) -> None:
    """Allow the process so much more computing, and so much memory in all; beyond them it ends."""
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


class _Reader:
    """One open PDF at a time."""

    def __init__(self) -> None:
        self._pdf: Any = None
        self._page: Any = None

    def open(self, request: Message, data: bytes) -> tuple[Message, bytes]:
        self._pdf = pypdfium2.PdfDocument(data)
        return {"pages": len(self._pdf)}, b""

    def size(self, request: Message, data: bytes) -> tuple[Message, bytes]:
        self._page = self._pdf[request["index"]]
        width, height = self._page.get_size()
        return {"width": width, "height": height}, b""

    def render(self, request: Message, data: bytes) -> tuple[Message, Any]:
        bitmap = self._page.render(scale=request["scale"])
        self._page.close()
        shape = {"height": bitmap.height, "stride": bitmap.stride, "channels": bitmap.n_channels}
        return {**shape, "width": bitmap.width}, memoryview(bitmap.buffer).cast("B")

    def close(self, request: Message, data: bytes) -> tuple[Message, bytes]:
        self._pdf.close()
        self._pdf = self._page = None
        return {}, b""


if __name__ == "__main__":
    main()
