"""Readiness: whether the server reads pages, and not only whether Triton has loaded its models."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tritonocr import AsyncOCRClient, OverloadedError, TritonOCRError

READ_WITHIN_S = 60.0
"""If a page was read within this time, the server is ready; else a small page is read."""
TIMEOUT_S = 4.0


class Readiness:
    """Check whether the server reads pages.

    Args:
        client: the client of the server.
    """

    def __init__(self, client: AsyncOCRClient) -> None:
        self._client = client
        self._reading = asyncio.Lock()

    async def is_ready(self) -> bool:
        """Return whether the model is ready and a page was read lately. Read a small page if none was."""
        if not (await self._client.health()).model_ready:
            return False
        async with self._reading:  # requests that arrive at the same time share one page
            return self._client.answered_within(READ_WITHIN_S) or await self._reads_a_page()

    async def _reads_a_page(self) -> bool:
        try:
            await self._client.ocr(_page(), request_id="readiness", timeout_s=TIMEOUT_S)
        except OverloadedError:
            return True  # the queue is full of other requests
        except TritonOCRError:
            return False
        return True


@lru_cache
def _page() -> NDArray[Any]:
    """Draw a page [H,W,3] with one line of text."""
    page = Image.new("RGB", (256, 64), "white")
    ImageDraw.Draw(page).text((24, 20), "TritonOCR 0123456789", "black")
    pixels: NDArray[np.uint8] = np.array(page)
    return np.ascontiguousarray(pixels[:, :, ::-1])
