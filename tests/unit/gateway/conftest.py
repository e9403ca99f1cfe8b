"""A gateway on a real socket, without Triton."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_triton import FakeTransport, picture
from fastapi import FastAPI
from running_gateway import running

from tritonocr import AsyncOCRClient
from tritonocr_gateway import Settings, create_app


@pytest.fixture(scope="session")
def shared_triton() -> FakeTransport:
    return FakeTransport()


@pytest.fixture
def triton(shared_triton: FakeTransport) -> FakeTransport:
    vars(shared_triton).update(vars(FakeTransport()))
    return shared_triton


def _app(triton: FakeTransport, restart_wait_s: float = 0, **settings: Any) -> FastAPI:
    return create_app(
        Settings(**settings),
        connect=lambda _: AsyncOCRClient(transport=triton, restart_wait_s=restart_wait_s),
    )


@pytest.fixture(scope="session")
def default_url(shared_triton: FakeTransport) -> Iterator[str]:
    """A gateway with the default settings, which most tests share."""
    with running(_app(shared_triton)) as url:
        yield url


Serve = Callable[..., httpx.Client]


@pytest.fixture
def serve(triton: FakeTransport, default_url: str) -> Iterator[Serve]:
    """Serve an app with the given settings over the fake, and make a client of it."""
    with ExitStack() as stack:

        def serve(**settings: Any) -> httpx.Client:
            url = stack.enter_context(running(_app(triton, **settings))) if settings else default_url
            return stack.enter_context(httpx.Client(base_url=url, timeout=30))

        yield serve


@pytest.fixture
def body() -> dict[str, Any]:
    """A request that is right."""
    return {"file": base64.b64encode(picture()).decode(), "fileType": 1, "visualize": False}


@pytest.fixture(autouse=True)
def _own_state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test's gateway a job store of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
