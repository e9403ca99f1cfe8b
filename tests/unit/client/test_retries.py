"""Retries of requests while a server restarts or is overloaded."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncGenerator
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np
import pytest
from kserve_fake import answer_with_lines, texts

import tritonocr
from tritonocr import AsyncOCRClient, Health, OCRResult
from tritonocr._exceptions import error_from_status, unreachable
from tritonocr._options import DEFAULTS
from tritonocr._transport import retrying
from tritonocr._transport.base import Tensors
from tritonocr._transport.protocol import Request

REFUSED = unreachable("grpc://h:1", "Connection refused", has_answered=False)
CUT_OFF = unreachable("grpc://h:1", "recvmsg:Connection reset by peer (104)", has_answered=False)
CLOSED = unreachable("grpc://h:1", "Socket closed", has_answered=False)
BROKEN = unreachable("grpc://h:1", "Socket closed", may_have_begun=True)
DIED = error_from_status("StatusCode.INTERNAL", "Stub process 'ocr_0_1' is not healthy.")
MEMORY_FULL = error_from_status(
    "StatusCode.UNAVAILABLE", "the server is overloaded: its shared memory (/dev/shm) is full; send fewer"
)
OVERLOADED = error_from_status("StatusCode.RESOURCE_EXHAUSTED", "quota exceeded")


class ScriptedTransport:
    """Answer each attempt with the next entry of a script: pages to send, then an error or None."""

    streams = True

    def __init__(self, script: list[tuple[list[str], Exception | None]]) -> None:
        self.script = script
        self.attempts = 0

    async def responses(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        pages, error = self.script[min(self.attempts, len(self.script) - 1)]
        self.attempts += 1
        count = np.array([max(len(pages) for pages, _ in self.script)], np.int32)
        for index, page in enumerate(pages):
            told = {"settings": texts([json.dumps(DEFAULTS)]), "page_count": count}
            yield {**answer_with_lines([page], [index]), **told}
        if error is not None:
            raise error

    async def model_config(self, model_name: str) -> dict[str, Any]:
        return {}

    async def model_names(self) -> list[str]:
        return []

    async def health(self, model_name: str) -> Health:
        return Health(live=True, ready=True, model_ready=True)

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(retrying, "LONGEST_PAUSE_S", 0.002)
    monkeypatch.setattr(retrying, "FIRST_CONTACT_WAIT_S", 20.0)


def read(script: list[tuple[list[str], Exception | None]], **arguments: Any) -> tuple[list[str], int]:
    """Read a file with predict(); return the texts of its pages and the number of attempts."""

    async def run() -> tuple[list[str], int]:
        transport = ScriptedTransport(script)
        async with AsyncOCRClient(transport=transport, timeout_s=5) as client:
            results = [result async for result in client.predict(b"%PDF-", **arguments)]
        return [result.text for result in results if isinstance(result, OCRResult)], transport.attempts

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param([([], OVERLOADED)] * 9 + [(["a"], None)], (["a"], 10), id="a quota of a proxy"),
        pytest.param([([], error_from_status("429", "slow down")), (["a"], None)], (["a"], 2), id="429"),
        pytest.param([([], BROKEN), (["a"], None)], (["a"], 2), id="a server that died while it read"),
        pytest.param([([], DIED), (["a"], None)], (["a"], 2), id="a model's process that died"),
        pytest.param([([], REFUSED), (["a"], None)], (["a"], 2), id="a start during an outage"),
        pytest.param(
            [([], CUT_OFF), ([], CLOSED), ([], REFUSED), (["a"], None)], (["a"], 4), id="a start at a death"
        ),
        pytest.param(
            [([], BROKEN)] + [([], REFUSED)] * 5 + [(["a"], None)], (["a"], 7), id="and is away for a while"
        ),
        pytest.param(
            [(["a"], BROKEN), (["a", "b"], None)], (["a", "b"], 2), id="a stream goes on with page 2"
        ),
    ],
)
def test_predict_retries_what_a_restart_interrupted(
    script: list[tuple[list[str], Exception | None]], expected: tuple[list[str], int]
) -> None:
    assert read(script) == expected


@pytest.mark.parametrize(
    ("arguments", "script", "error", "attempts"),
    [
        pytest.param(
            {"retry": "restarts"}, [([], OVERLOADED)], tritonocr.OverloadedError, 1, id="a full queue"
        ),
        pytest.param({"retry": False}, [([], BROKEN)], tritonocr.ServerUnavailableError, 1, id="off"),
        pytest.param({}, [([], BROKEN)], tritonocr.ServerUnavailableError, 6, id="a file that stops servers"),
        pytest.param({}, [([], tritonocr.ServerError("x"))], tritonocr.ServerError, 1, id="another error"),
    ],
)
def test_predict_gives_up(
    arguments: dict[str, Any],
    script: list[tuple[list[str], Exception | None]],
    error: type[Exception],
    attempts: int,
) -> None:
    async def run() -> int:
        transport = ScriptedTransport(script)
        async with AsyncOCRClient(transport=transport) as client:
            with pytest.raises(error):
                async for _ in client.predict(b"a", **arguments):
                    pass
        return transport.attempts

    assert asyncio.run(run()) == attempts


@pytest.mark.parametrize(("retry", "attempts"), [(False, 1), (True, 3)])
def test_ocr_retries_if_the_caller_chooses_so(retry: bool, attempts: int) -> None:
    async def run() -> int:
        transport = ScriptedTransport([([], OVERLOADED), ([], REFUSED), (["a"], None)])
        async with AsyncOCRClient(transport=transport) as client:
            if retry:
                (page,) = await client.ocr(b"a", retry=True)
                assert page.text == "a"
            else:
                with pytest.raises(tritonocr.OverloadedError):
                    await client.ocr(b"a")
        return transport.attempts

    assert asyncio.run(run()) == attempts


def test_a_wrong_address_is_reported_after_a_short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "FIRST_CONTACT_WAIT_S", 0.05)
    with pytest.raises(tritonocr.ServerUnavailableError, match=r"Gave up after \d+ attempts in 0\.\d s\."):
        read([([], REFUSED)])


def test_an_address_that_closes_each_connection_is_reported_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "CUT_OFF_WAIT_S", 0.05)
    with pytest.raises(tritonocr.ServerUnavailableError, match=r"Gave up after \d+ attempts in 0\.\d s\."):
        read([([], CUT_OFF)])


@pytest.mark.parametrize(
    ("script", "restart_wait_s", "attempts"),
    [
        pytest.param([([], DIED), ([], REFUSED), ([], OVERLOADED), (["a"], None)], 60, 4, id="a restart"),
        pytest.param([([], MEMORY_FULL), (["a"], None)], 60, 2, id="full shared memory"),
        pytest.param([([], REFUSED)], 0, 1, id="no waiting"),
        pytest.param([([], OVERLOADED)], 60, 1, id="a full queue"),
    ],
)
def test_ocr_can_wait_for_restarts_only(script: list[Any], restart_wait_s: float, attempts: int) -> None:
    async def run() -> tuple[int, int]:
        transport = ScriptedTransport(script)
        async with AsyncOCRClient(transport=transport, restart_wait_s=restart_wait_s) as client:
            with nullcontext() if script[-1][0] else pytest.raises(tritonocr.ServerUnavailableError):
                await client.ocr(b"a", retry="restarts")
            return transport.attempts, client.retries

    assert asyncio.run(run()) == (attempts, attempts - 1)


def test_retries_end_with_the_time_limit_and_say_so() -> None:
    async def run() -> None:
        async with AsyncOCRClient(transport=ScriptedTransport([([], OVERLOADED)])) as client:
            with pytest.raises(tritonocr.OverloadedError, match=r"Gave up after \d+ attempts in 0\.1 s\."):
                await client.ocr(b"a", retry=True, timeout_s=0.1)

    asyncio.run(run())


def test_a_retry_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    script: list[tuple[list[str], Exception | None]] = [([], BROKEN), ([], BROKEN), (["a"], None)]
    assert read(script) == (["a"], 3)
    assert [record.getMessage() for record in caplog.records] == [
        f"{BROKEN}; the request is sent again until its time limit"
    ]


def test_a_server_that_listens_again_is_found_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long outage, gRPC's pauses between connection attempts are shorter than our own pauses."""
    monkeypatch.undo()
    attempts_s: list[float] = []

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attempts_s.append(time.monotonic())
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(refuse, "127.0.0.1")
        host, port = server.sockets[0].getsockname()
        async with server, AsyncOCRClient(f"{host}:{port}", timeout_s=60) as client:
            reading = asyncio.create_task(client.ocr(b"a", retry=True))
            while len(attempts_s) < 9 and not reading.done():
                await asyncio.sleep(0.01)
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading

    asyncio.run(run())
    latest = [after - before for before, after in itertools.pairwise(attempts_s[-4:])]
    assert min(latest) < retrying.LONGEST_PAUSE_S / 2


def test_pauses_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pauses = retrying._pauses()
    taken = [next(pauses) for _ in range(40)]
    assert 0.05 <= taken[0] <= 0.1
    assert all(1 <= pause <= 2 for pause in taken[10:])
    assert len(set(taken)) == 40
