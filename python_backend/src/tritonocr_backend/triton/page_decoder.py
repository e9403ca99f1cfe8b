"""Read the pages of one document, one at a time and with few large pages in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar

from tritonocr_backend.documents.document import Document
from tritonocr_backend.documents.pages import Page, ReductionOf, unreduced
from tritonocr_backend.documents.text_layer import TextLayer
from tritonocr_backend.triton.telemetry import CLOCK, READ_FILE

MAX_HELD_PIXELS = 1 << 26
"""Another page is decoded only while the decoded pages of the document have at most this many pixels."""

_T = TypeVar("_T")


class PageDecoder:
    """Decodes the pages of one document for the tasks that read them.

    Args:
        document: the document; one thread at a time reads it.
        threads: threads that decode.
    """

    def __init__(self, document: Document, threads: Executor) -> None:
        self._document, self._threads = document, threads
        self._turn = asyncio.Condition()
        self._held_pixels: dict[int, int] = {}

    async def text_layer(self, index: int) -> TextLayer | None:
        """Return the text layer of a page; None if the format has none."""
        read = self._document.read_text
        if read is None:
            return None
        async with self._turn:
            return await self._timed(lambda: read(index))

    async def page(self, index: int, reduction_of: ReductionOf) -> Page:
        """Decode a page, which counts as held until `release`. Wait while large pages are held."""
        async with self._turn:
            await self._turn.wait_for(lambda: sum(self._held_pixels.values()) <= MAX_HELD_PIXELS)
            page = await self._timed(lambda: self._document.read_page(index, reduction_of))
            self._held_pixels[index] = page.pixels.shape[0] * page.pixels.shape[1]
        return page

    async def all_pixels(self, index: int) -> Page:
        """Decode all pixels of a page. This does not wait: its task holds the page already."""
        async with self._turn:
            return await self._timed(lambda: self._document.read_page(index, unreduced))

    async def release(self, index: int) -> None:
        """Let other pages be decoded: nobody uses the pixels of this page any more."""
        async with self._turn:
            self._held_pixels.pop(index, None)
            self._turn.notify_all()

    async def _timed(self, read: Callable[[], _T]) -> _T:
        with CLOCK.get().running(READ_FILE):
            return await asyncio.get_running_loop().run_in_executor(self._threads, read)
