"""One client with several servers: selection, retries on other servers, and the error if none is left."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from kserve_fake import FakeServicer, RefusalError, Tensors, answer_with_lines, serving

import tritonocr
from tritonocr import OCRClient
from tritonocr._transport import server as server_module
from tritonocr._transport import servers as servers_module
from tritonocr._transport.address import Address, split_urls

Fakes = list[tuple[str, FakeServicer]]
DEAD = "127.0.0.1:1"


def saying(text: str) -> Callable[[dict[str, Any]], Tensors]:
    return lambda inputs: answer_with_lines([text])


def refusing(code: grpc.StatusCode, sentence: str) -> Callable[[dict[str, Any]], Tensors]:
    def answer(inputs: dict[str, Any]) -> Tensors:
        raise RefusalError(code, sentence)

    return answer


STOPPING = refusing(grpc.StatusCode.UNAVAILABLE, "Server is stopping, scheduler for model has stopped")
BROKEN = refusing(grpc.StatusCode.UNAVAILABLE, "Socket closed")
FULL = refusing(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")


@pytest.fixture
def fakes() -> Iterator[Fakes]:
    """Three servers that answer with their own names."""
    with ExitStack() as stack:
        yield [stack.enter_context(serving(saying(name))) for name in "abc"]


def urls(fakes: Fakes) -> list[str]:
    return [url for url, _ in fakes]


def text(client: OCRClient, **arguments: Any) -> str:
    (result,) = client.ocr(b"a", **arguments)
    return result.text


def test_idle_servers_take_turns(fakes: Fakes) -> None:
    with OCRClient(urls(fakes)) as client:
        assert [text(client) for _ in range(6)] == list("abcabc")


def test_the_server_with_the_fewest_unanswered_requests_is_asked(fakes: Fakes) -> None:
    (_, a), (_, b), _ = fakes
    a.release.clear()
    with OCRClient(urls(fakes[:2])) as client:
        slow = client.submit(b"a")
        _wait_for(lambda: a.requests)
        assert [text(client) for _ in range(5)] == ["b"] * 5
        b.release.clear()
        others = [client.submit(b"a") for _ in range(3)]
        _wait_for(lambda: len(a.requests) + len(b.requests) == 9)
        assert len(a.requests) == 2
        a.release.set()
        b.release.set()
        assert slow.result(5)[0].text == "a"
        assert sorted(other.result(5)[0].text for other in others) == ["a", "b", "b"]


@pytest.mark.parametrize(
    ("code", "sentence", "is_tried_elsewhere"),
    [
        (
            "UNAVAILABLE",
            "Server is stopping, scheduler for model has stopped",
            True,
        ),  # draining: new requests
        ("INTERNAL", "text_crop failed: Server not ready", True),  # draining, a file in work
        (
            "NOT_FOUND",
            "Request for unknown model: 'ocr' has no available versions",
            True,
        ),  # its models are gone
        ("UNAVAILABLE", "Socket closed", True),  # killed
        ("UNAVAILABLE", "Exceeds maximum queue size", True),  # full
        ("INTERNAL", "Stub process 'ocr_0_0' is not healthy.", True),  # broken, though it answers
        ("INVALID_ARGUMENT", "file: got 3 bytes", False),  # would be refused anywhere
        ("UNAUTHENTICATED", "no key", False),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", False),  # no time is left
        ("CANCELLED", "cancelled", False),
    ],
)
def test_what_is_the_servers_fault_is_tried_elsewhere(
    code: str, sentence: str, is_tried_elsewhere: bool
) -> None:
    with (
        serving(refusing(grpc.StatusCode[code], sentence)) as (first, refuser),
        serving(saying("other")) as (second, other),
        OCRClient([first, second]) as client,
    ):
        if is_tried_elsewhere:
            assert text(client) == "other"
        else:
            with pytest.raises(tritonocr.TritonOCRError):
                client.ocr(b"a")
        assert (len(refuser.requests), len(other.requests)) == (1, int(is_tried_elsewhere))


def test_a_server_that_is_not_there_is_noticed_once(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    with OCRClient([DEAD, fakes[0][0]]) as client:
        assert [text(client) for _ in range(5)] == ["a"] * 5
    assert [record.message for record in caplog.records] == [
        f"No requests are sent to grpc://{DEAD} until it is ready again: Connection refused"
    ]


def test_a_file_that_ends_servers_does_not_end_all() -> None:
    with ExitStack() as stack:
        broken = [stack.enter_context(serving(BROKEN)) for _ in range(5)]
        client = stack.enter_context(OCRClient(urls(broken)))
        with pytest.raises(tritonocr.ServerUnavailableError, match="Socket closed"):
            client.ocr(b"a")
        assert sum(len(servicer.requests) for _, servicer in broken) == server_module.MAX_BEGUN


def test_no_server_left_is_one_sentence_with_each_ones_reason() -> None:
    with (
        serving(STOPPING) as (url, _),
        OCRClient([DEAD, url]) as client,
        pytest.raises(tritonocr.ServerUnavailableError) as raised,
    ):
        client.ocr(b"a")
    assert str(raised.value) == (
        f"None of the 2 TritonOCR servers answers: grpc://{DEAD}: Connection refused; "
        f"grpc://{url}: Server is stopping, scheduler for model has stopped"
    )


def test_full_servers_are_overloaded_and_predict_asks_them_again() -> None:
    refusals = iter(range(4))

    def answer(inputs: dict[str, Any]) -> Tensors:
        for _ in refusals:
            raise RefusalError(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
        return answer_with_lines(["read"])

    with serving(answer) as (first, _), serving(answer) as (second, _), OCRClient([first, second]) as client:
        with pytest.raises(tritonocr.OverloadedError, match="None of the 2 TritonOCR servers accepts"):
            client.ocr(b"a")
        assert [result.text for result in client.predict(b"a")] == ["read"]


def test_the_deadline_is_that_of_all_attempts_together(fakes: Fakes) -> None:
    def late(inputs: dict[str, Any]) -> Tensors:
        time.sleep(0.3)
        return BROKEN(inputs)

    fakes[0][1].release.clear()
    with serving(late) as (first, _), OCRClient([first, fakes[0][0]], timeout_s=0.5) as client:
        started_s = time.monotonic()
        with pytest.raises(tritonocr.DeadlineExceededError, match=r"within 0\.5 s"):
            client.ocr(b"a")
        assert time.monotonic() - started_s < 0.75
        assert fakes[0][1].requests


class Silent(FakeServicer):
    """Accept requests and never respond, as a machine that has lost its network."""

    def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.release.wait(10)

    ServerReady = ServerLive
    ModelReady = ServerLive


def test_a_server_that_falls_silent_is_given_up(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "PROBE_EVERY_S", 0.05)
    monkeypatch.setattr(server_module, "PROBE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(server_module, "FIRST_PAUSE_S", 0.05)
    with serving(saying("silent"), Silent) as (url, silent), OCRClient([url, fakes[0][0]]) as client:
        silent.release.clear()
        assert text(client, timeout_s=20) == "a"
        assert silent.requests
        silent.release.set()


def test_a_draining_server_gets_no_more_and_finishes_what_it_has(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server_module, "PROBE_EVERY_S", 0.05)
    (_, a), _, _ = fakes
    a.release.clear()
    with OCRClient(urls(fakes[:2])) as client:
        in_work = client.submit(b"a")
        _wait_for(lambda: a.requests)
        a.ready = False
        _wait_for(lambda: "until it is ready again: it is not ready" in caplog.text)
        assert {text(client) for _ in range(4)} == {"b"}
        a.release.set()
        assert in_work.result(5)[0].text == "a"


def test_a_server_that_is_ready_again_is_used_again(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tritonocr")
    monkeypatch.setattr(server_module, "FIRST_PAUSE_S", 0.1)
    (_, a), (_, b), _ = fakes
    a.answer, a.ready = STOPPING, False
    b.release.clear()
    with OCRClient(urls(fakes[:2])) as client:
        in_work = client.submit(b"a")  # which keeps the servers watched
        _wait_for(lambda: "No requests are sent to" in caplog.text and b.requests)
        a.answer, a.ready = saying("a"), True
        _wait_for(lambda: "is ready; requests are sent to it again" in caplog.text)
        assert text(client) == "a"
        b.release.set()
        assert in_work.result(5)[0].text == "b"


def test_short_requests_one_after_the_other_find_a_server_again(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "FIRST_PAUSE_S", 0.1)  # longer than a request
    (_, a), _, _ = fakes
    a.answer = STOPPING
    with OCRClient(urls(fakes[:2])) as client:
        assert text(client) == "b"
        a.answer = saying("a")
        _wait_for(lambda: text(client) == "a")


def test_nobody_is_watched_for_a_client_that_asks_nothing(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers_module, "WATCH_ON_S", 0.1)
    monkeypatch.setattr(server_module, "PROBE_EVERY_S", 0.02)
    (_, a), _, _ = fakes
    with OCRClient(urls(fakes[:2])) as client:
        text(client)
        _wait_for(lambda: a.probes)
        time.sleep(0.3)
        before = a.probes
        time.sleep(0.2)
        assert a.probes == before


def test_servers_are_asked_even_if_all_were_out_of_use() -> None:
    refusals = iter(range(2))

    def answer(inputs: dict[str, Any]) -> Tensors:
        for _ in refusals:
            return STOPPING(inputs)
        return answer_with_lines(["read"])

    with serving(answer) as (first, _), serving(answer) as (second, _), OCRClient([first, second]) as client:
        with pytest.raises(tritonocr.ServerUnavailableError):
            client.ocr(b"a")
        assert text(client) == "read"


class TwoPagesThenGone(FakeServicer):
    def pages(self, inputs: dict[str, Any]) -> Iterator[Tensors]:
        for index in range(2):
            yield page(index)
        raise RefusalError(grpc.StatusCode.UNAVAILABLE, "Socket closed")


class FourPages(FakeServicer):
    def pages(self, inputs: dict[str, Any]) -> Iterator[Tensors]:
        yield from map(page, range(4))


def page(index: int) -> Tensors:
    """One page of four, as in a response of `ocr_stream`."""
    tensors = answer_with_lines([f"page {index}"])
    numbers = {name: tensors[name] + index for name in ("page_index", "dt_page_index")}
    return {**tensors, **numbers, "page_count": tensors["page_count"] * 4}


def test_a_stream_goes_on_elsewhere_behind_the_last_page() -> None:
    with (
        serving(saying(""), TwoPagesThenGone) as (first, one),
        serving(saying(""), FourPages) as (second, other),
        OCRClient([first, second]) as client,
    ):
        results = list(client.predict(b"%PDF-1.7"))
        assert [(result["page_index"], result.text) for result in results] == [
            (index, f"page {index}") for index in range(4)
        ]
        assert len(one.requests) == len(other.requests) == 1


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the name `ocr` has."""
    addresses = ["127.0.0.1", "127.0.0.2"]

    def look_up(host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if host != "ocr":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return addresses


def test_a_name_stands_for_all_its_addresses_as_they_change(
    named: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers_module, "LOOK_UP_EVERY_S", 0)
    with ExitStack() as stack:
        first, _ = stack.enter_context(serving(saying("first")))
        port = first.rpartition(":")[2]
        for number in (2, 3):
            stack.enter_context(serving(saying(f"127.0.0.{number}"), address=f"127.0.0.{number}:{port}"))
        client = stack.enter_context(OCRClient(f"grpc+dns://ocr:{port}"))
        assert {text(client) for _ in range(4)} == {"first", "127.0.0.2"}
        named[0] = "127.0.0.3"
        assert {text(client) for _ in range(4)} == {"127.0.0.2", "127.0.0.3"}
        assert client.health().ready


def test_a_name_that_nobody_knows_is_said(named: list[str]) -> None:
    with OCRClient("grpc+dns://nobody:8001") as client:
        assert not client.health().live
        with pytest.raises(tritonocr.ServerUnavailableError, match=r"grpc\+dns://nobody:8001: Name"):
            client.ocr(b"a")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a:1", ["a:1"]),
        ("a:1, b:2,", ["a:1", "b:2"]),
        (["a:1", "b:2,c:3"], ["a:1", "b:2", "c:3"]),  # as several --url, or one variable, give them
        ("a:1,a:1", ["a:1"]),  # one server would otherwise count as two
    ],
)
def test_addresses_come_in_a_list_or_with_commas(given: Any, expected: list[str]) -> None:
    assert split_urls(given) == expected


@pytest.mark.parametrize(
    "url", [[], "", ",", "a:1,ftp://b", "grpc+dns://name-without-port", "http+dns://a:1"]
)
def test_a_wrong_list_is_named(url: Any) -> None:
    with pytest.raises(tritonocr.InvalidInputError, match="The server address is"):
        OCRClient(url)


def test_a_certificate_names_the_name_not_the_address(named: list[str]) -> None:
    found = asyncio.run(Address.parse("grpcs+dns://ocr:1").looked_up())
    assert found == [Address("grpcs", f"{address}:1", "ocr") for address in named]


def test_closing_ends_what_is_in_flight_and_the_thread(fakes: Fakes) -> None:
    client = OCRClient(urls(fakes))
    for _, servicer in fakes:
        servicer.release.clear()
    waiting = client.submit(b"a")
    client.close()
    client.close()
    assert waiting.cancelled()
    assert not client._loop._thread.is_alive()
    with pytest.raises(RuntimeError, match="The client is closed"):
        client.ocr(b"a")


def _wait_for(condition: Callable[[], object], timeout_s: float = 5) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
