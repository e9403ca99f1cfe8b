"""The time limit of a file, when the file is the cause, and the number of decoded pages in memory."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tritonocr_backend.core.errors import InvalidInputError, OverloadedError
from tritonocr_backend.documents.document import Document
from tritonocr_backend.documents.pages import Page, unreduced
from tritonocr_backend.triton import page_decoder, work_share
from tritonocr_backend.triton.deadline import Deadline
from tritonocr_backend.triton.page_decoder import PageDecoder
from tritonocr_backend.triton.telemetry import CLOCK, StageClock
from tritonocr_backend.triton.work_share import WorkShare


class Share(WorkShare):
    """The share of the server's work that a test states."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def since(self, before: dict[int, float]) -> float:
        return self._share


@pytest.mark.parametrize(
    ("share", "error", "reason"),
    [
        (1.0, InvalidInputError, "no other file was read"),
        (0.8, InvalidInputError, "small files beside a large one"),
        (0.5, OverloadedError, "two equal files"),
        (0.03, OverloadedError, "32 clients"),
    ],
)
def test_the_file_is_at_fault_only_if_the_server_worked_on_it(
    share: float, error: type[Exception], reason: str
) -> None:
    async def read() -> None:
        await Deadline(0.01, Share(share)).wait_for(asyncio.sleep(60))

    with pytest.raises(error, match="limit max_seconds"):
        asyncio.run(read())


def test_work_in_time_is_returned() -> None:
    async def read() -> str:
        return await Deadline(60, Share(1)).wait_for(asyncio.sleep(0, "read"))

    assert asyncio.run(read()) == "read"


@pytest.fixture
def busy_sibling(tmp_path: Path) -> Iterator[int]:
    """A process of the same parent as this one's that computes, with the arguments of a stub of `ocr`."""
    loop = tmp_path / "ocr" / "1" / "model.py"
    loop.parent.mkdir(parents=True)
    loop.write_text("while True: pass")
    process = subprocess.Popen([sys.executable, loop])
    yield process.pid
    process.kill()
    process.wait()


def test_the_cpu_time_of_siblings_counts(busy_sibling: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", os.getpid)  # the sibling is a child of this process
    share = WorkShare()
    before = share.cpu_seconds()
    assert set(before) == {busy_sibling, os.getpid()}
    time.sleep(1)
    assert share.since(before) < 0.5


def test_no_work_at_all_is_the_files_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_share, "_cpu_seconds", lambda _: 1.0)
    share = WorkShare()
    assert share.since(share.cpu_seconds()) == 1.0


def test_large_pages_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four pages of 134 megapixels at once took 1540 MB."""
    monkeypatch.setattr(page_decoder, "MAX_HELD_PIXELS", 100)
    pixels = np.zeros((20, 10, 3), np.uint8)
    document = Document(4, lambda index, _: Page.reduced(pixels, unreduced), lambda: None)
    held, most = 0, 0

    async def read(decoder: PageDecoder, index: int) -> None:
        nonlocal held, most
        CLOCK.set(StageClock())
        await decoder.page(index, unreduced)
        held += 1
        most = max(most, held)
        await decoder.all_pixels(index)  # which waits for nobody
        await asyncio.sleep(0.01)
        held -= 1
        await decoder.release(index)

    async def read_all() -> None:
        with ThreadPoolExecutor(4) as threads:
            decoder = PageDecoder(document, threads)
            await asyncio.wait_for(asyncio.gather(*(read(decoder, index) for index in range(4))), 20)

    asyncio.run(read_all())
    assert most == 1
    monkeypatch.setattr(page_decoder, "MAX_HELD_PIXELS", 10_000)
    asyncio.run(read_all())
    assert most > 1
