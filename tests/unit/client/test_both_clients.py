"""Both clients against a KServe server on gRPC: order, failures, deadlines, cancelling."""

import asyncio
import threading
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from kserve_fake import (
    FakeServicer,
    RefusalError,
    Tensors,
    blank_answer,
    read_back,
    serving,
)

import tritonocr
from tritonocr import AsyncOCRClient, OCRClient, OCRFailure, OCRResult


@pytest.fixture
def fake() -> Iterator[tuple[str, FakeServicer]]:
    with serving(read_back) as running:
        yield running


Predict = Callable[..., list[OCRResult | OCRFailure]]


def predict_blocking(url: str, data: Any, **arguments: Any) -> list[OCRResult | OCRFailure]:
    with OCRClient(url) as client:
        return list(client.predict(data, **arguments))


def predict_async(url: str, data: Any, **arguments: Any) -> list[OCRResult | OCRFailure]:
    async def run() -> list[OCRResult | OCRFailure]:
        async with AsyncOCRClient(url) as client:
            return [result async for result in client.predict(data, **arguments)]

    return asyncio.run(run())


both = pytest.mark.parametrize("predict", [predict_blocking, predict_async], ids=["blocking", "async"])


@both
def test_answers_keep_the_order_whoever_is_first(fake: tuple[str, FakeServicer], predict: Predict) -> None:
    files = [b"slow", *(str(number).encode() for number in range(20)), b"slow again"]
    results = predict(fake[0], files, jobs=4)
    assert [result.text for result in results] == [file.decode() for file in files]


@both
def test_one_failing_file_leaves_the_others_alone(
    fake: tuple[str, FakeServicer], predict: Predict, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "b.png").write_bytes(b"bad page")
    results = predict(fake[0], [b"a", str(tmp_path / "b.png"), tmp_path / "none.png", 5, b"c"])
    assert [result.ok for result in results] == [True, False, False, False, True]
    sentences = [result.error.args[0] for result in results if isinstance(result, OCRFailure)]
    assert sentences[0] == "file: got bad page, expected a page"
    assert "none.png" in sentences[1]
    assert "The input is of type int" in sentences[2]
    assert [record.message for record in caplog.records] == [str(r) for r in results if not r.ok]


@both
@pytest.mark.parametrize(
    ("data", "arguments", "raises"),
    [
        (b"bad", {}, True),
        ([b"bad"], {}, False),
        (b"bad", {"raise_on_error": False}, False),
        ([b"bad"], {"raise_on_error": True}, True),
        ("/no/such/file.png", {}, True),
    ],
)
def test_a_single_files_error_is_raised_and_one_of_many_is_yielded(
    fake: tuple[str, FakeServicer], predict: Predict, data: Any, arguments: dict[str, bool], raises: bool
) -> None:
    if raises:
        with pytest.raises(tritonocr.InvalidInputError):
            predict(fake[0], data, **arguments)
    else:
        (failure,) = predict(fake[0], data, **arguments)
        assert isinstance(failure, OCRFailure)


@both
def test_no_server_ends_the_run_at_once(predict: Predict) -> None:
    with pytest.raises(tritonocr.ServerUnavailableError, match="No TritonOCR server answers at grpc://127"):
        predict("127.0.0.1:1", [b"a", b"b"])


@both
def test_an_overloaded_server_is_asked_again(predict: Predict) -> None:
    refusals = iter(range(3))

    def answer(inputs: dict[str, Any]) -> Tensors:
        for _ in refusals:
            raise RefusalError(grpc.StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
        return read_back(inputs)

    with serving(answer) as (url, servicer):
        (result,) = predict(url, b"a")
        assert result.text == "a"
        assert len(servicer.requests) == 4


@both
def test_skipped_pages_are_said(predict: Predict) -> None:
    with (
        serving(lambda inputs: blank_answer(2, page_count=5)) as (url, _),
        pytest.warns(tritonocr.PagesSkippedWarning, match="has 5 pages, of which 2 were read; max_pages=5"),
    ):
        results = predict(url, b"%PDF-1.7")
    assert [(result["page_index"], result.page_count) for result in results] == [(0, 5), (1, 5)]


@both
def test_a_wrong_option_is_raised_before_anything_is_sent(
    fake: tuple[str, FakeServicer], predict: Predict
) -> None:
    with pytest.raises(tritonocr.InvalidInputError, match="use_doc_unwarping"):
        predict(fake[0], [b"a"], use_doc_unwarping="no")
    assert fake[1].requests == []


def test_a_generator_of_inputs_is_read_as_it_goes(fake: tuple[str, FakeServicer]) -> None:
    taken = []

    def endless() -> Iterator[bytes]:
        for number in range(10_000):
            taken.append(number)
            yield str(number).encode()

    with OCRClient(fake[0], jobs=2) as client:
        results = client.predict(endless())
        assert next(results).text == "0"
        results.close()
    assert len(taken) <= 5


def test_the_result_shows_the_settings_that_the_server_ran_with(fake: tuple[str, FakeServicer]) -> None:
    with OCRClient(fake[0], options={"text_det_unclip_ratio": 1.5}) as client:
        (result,) = client.ocr(b"a", text_rec_score_thresh=0.5)
        settings = client.settings()
    params = result["text_det_params"]
    assert (params["thresh"], params["unclip_ratio"], result["text_rec_score_thresh"]) == (0.25, 1.5, 0.5)
    assert (settings["text_det_thresh"], settings["text_det_unclip_ratio"]) == (0.25, 1.5)
    sent = [tensor.name for tensor in fake[1].requests[0].inputs]
    assert sent == ["file", "text_det_unclip_ratio", "text_rec_score_thresh"]


def test_lang_replaces_the_clients_own_model(fake: tuple[str, FakeServicer]) -> None:
    with OCRClient(fake[0], options={"text_recognition_model_name": "mine"}) as client:
        client.ocr(b"a", lang="ar")
        client.ocr(b"a")
    names = [[tensor.name for tensor in request.inputs] for request in fake[1].requests]
    assert names == [["file", "lang"], ["file", "text_recognition_model_name"]]


def test_request_ids_reach_the_server(fake: tuple[str, FakeServicer]) -> None:
    with OCRClient(fake[0]) as client:
        client.ocr(b"a", request_id="mine")
        client.ocr(b"a")
    assert fake[1].requests[0].id == "mine"
    assert len(fake[1].requests[1].id) == 32


def test_pixels_are_sent_as_they_are(fake: tuple[str, FakeServicer]) -> None:
    with OCRClient(fake[0]) as client:
        (result,) = client.ocr(np.zeros((1200, 1600, 3), np.uint8))  # above gRPC's usual 4 MiB
    assert result.text == "(1200, 1600, 3)"


def test_health_tells_a_live_server_from_none(fake: tuple[str, FakeServicer]) -> None:
    with OCRClient(fake[0]) as client:
        assert client.health() == tritonocr.Health(live=True, ready=True, model_ready=True)
    with OCRClient("127.0.0.1:1") as client:
        assert client.health() == tritonocr.Health(live=False, ready=False, model_ready=False)


def test_an_answer_that_takes_too_long_is_given_up(fake: tuple[str, FakeServicer]) -> None:
    url, servicer = fake
    servicer.release.clear()
    with (
        OCRClient(url, timeout_s=0.2) as client,
        pytest.raises(tritonocr.DeadlineExceededError, match=r"did not answer within 0\.2 s"),
    ):
        client.ocr(b"a")


def test_cancelling_a_future_reaches_the_server(fake: tuple[str, FakeServicer]) -> None:
    url, servicer = fake
    servicer.release.clear()
    with OCRClient(url) as client:
        future = client.submit(b"a")
        _wait_for(lambda: servicer.requests)
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result(timeout=1)
    assert servicer.cancelled.wait(5)


def test_cancelling_a_task_reaches_the_server(fake: tuple[str, FakeServicer]) -> None:
    url, servicer = fake
    servicer.release.clear()

    async def run() -> None:
        async with AsyncOCRClient(url) as client:
            task = asyncio.create_task(client.ocr(b"a"))
            await asyncio.to_thread(_wait_for, lambda: servicer.requests)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    assert servicer.cancelled.wait(5)


@pytest.fixture
def held() -> Iterator[tuple[str, FakeServicer]]:
    """A server that answers `first` and keeps everything else waiting."""
    let_go = threading.Event()

    def answer(inputs: dict[str, Any]) -> Tensors:
        if inputs["file"].item() != b"first":
            let_go.wait(10)
        return read_back(inputs)

    with serving(answer) as running:
        yield running
        let_go.set()


def test_closing_the_generator_cancels_what_is_in_flight(held: tuple[str, FakeServicer]) -> None:
    url, servicer = held
    with OCRClient(url, jobs=2) as client:
        results = client.predict([b"first", b"b", b"c", b"d"])
        next(results)
        _wait_for(lambda: len(servicer.requests) > 1)
        servicer.cancelled.clear()
        results.close()
        assert servicer.cancelled.wait(5)


def test_leaving_the_async_iterator_cancels_what_is_in_flight(held: tuple[str, FakeServicer]) -> None:
    url, servicer = held

    async def run() -> None:
        async with AsyncOCRClient(url, jobs=2) as client:
            results = client.predict([b"first", *[b"b"] * 8])
            await anext_of(results)
            await asyncio.to_thread(_wait_for, lambda: len(servicer.requests) > 1)
            servicer.cancelled.clear()
            await asyncio.wait_for(results.aclose(), 2)
            assert await asyncio.to_thread(servicer.cancelled.wait, 5)

    asyncio.run(run())


def anext_of(iterator: Any) -> Awaitable[Any]:
    return iterator.__anext__()  # type: ignore[no-any-return]


@pytest.mark.parametrize("url", ["ftp://host:1", "http://", "", "file:///etc/passwd"])
def test_a_wrong_address_is_named(url: str) -> None:
    with pytest.raises(tritonocr.InvalidInputError, match=r"The server address is .*expected host:port"):
        OCRClient(url)


def test_headers_are_sent() -> None:
    seen: list[dict[str, str]] = []

    class Listening(FakeServicer):
        def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
            seen.append(dict(context.invocation_metadata()))
            return super().ModelInfer(request, context)

    with (
        serving(read_back, Listening) as (url, _),
        OCRClient(url, headers={"authorization": "Bearer token"}) as client,
    ):
        client.ocr(b"a")
    assert seen[0]["authorization"] == "Bearer token"


def test_nothing_is_warned_about_in_normal_use(fake: tuple[str, FakeServicer]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert predict_blocking(fake[0], b"a")


def _wait_for(condition: Callable[[], object], timeout_s: float = 5) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
