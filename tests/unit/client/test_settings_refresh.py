"""The client keeps the server's settings for a time, because `tritonocr reload` may change them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tritonocr import AsyncOCRClient, _async_client


class Counting:
    """A transport that counts how often the settings are requested."""

    requests = 0

    async def model_config(self, model_name: str) -> dict[str, Any]:
        self.requests += 1
        return {}

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(("kept_s", "requests"), [(60.0, 1), (-1.0, 2)])
def test_settings_are_requested_again_after_a_time(
    monkeypatch: pytest.MonkeyPatch, kept_s: float, requests: int
) -> None:
    monkeypatch.setattr(_async_client, "SETTINGS_KEPT_S", kept_s)
    transport = Counting()

    async def ask_twice() -> None:
        async with AsyncOCRClient(transport=transport) as client:  # type: ignore[arg-type]
            await client.settings()
            await client.settings()

    asyncio.run(ask_twice())
    assert transport.requests == requests
