"""Pages of a long file arrive one by one, equal those of one response, and are never all in memory."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from kserve_fake import FakeServicer, RefusalError, Tensors, answer_with_lines, serving

import tritonocr
from tritonocr import AsyncOCRClient, OCRClient, OCRFailure, OCRResult

PDF = b"%PDF-1.7"
TIFF = b"II*\0"
PAGE_COUNT = 4


def whole(inputs: dict[str, Any]) -> Tensors:
    """What `ocr` answers for four pages, the second of them empty."""
    lines = ["one", "two", "three", "four", "five"]
    tensors = answer_with_lines(lines, [0, 0, 2, 3, 3], pages=PAGE_COUNT)
    words = {
        "word_line_index": np.array([0, 2, 4], np.int32),
        "word_texts": np.array([b"one", b"three", b"five"], np.object_),
        "word_boxes": np.arange(12, dtype=np.int32).reshape(3, 4),
        "word_polys": np.arange(24, dtype=np.int32).reshape(3, 4, 2),
        "word_scores": np.array([0.25, 0.5, 1], np.float32),
    }
    return {**tensors, **words}


def one_page(tensors: Tensors, index: int) -> Tensors:
    """What `ocr_stream` answers for one of those pages: the numbers of pages stay the file's."""
    lines, boxes = tensors["page_index"] == index, tensors["dt_page_index"] == index
    words = lines[tensors["word_line_index"]]
    first_line = int(np.argmax(lines))
    of_lines = {name: rows[lines] for name, rows in tensors.items() if name in LINE_COLUMNS}
    of_boxes = {name: rows[boxes] for name, rows in tensors.items() if name in BOX_COLUMNS}
    of_words = {name: tensors[name][words] for name in WORD_COLUMNS}
    of_page = {name: tensors[name][index : index + 1] for name in PAGE_COLUMNS}
    index_of_line = {"word_line_index": tensors["word_line_index"][words] - first_line}
    return {
        **of_lines,
        **of_boxes,
        **of_words,
        **of_page,
        **index_of_line,
        "page_count": tensors["page_count"],
    }


WORD_COLUMNS = ("word_texts", "word_boxes", "word_polys", "word_scores")
PAGE_COLUMNS = (
    "page_sizes",
    "doc_angle",
    "unwarped",
    "max_candidates_reached",
    "page_warnings",
    "page_errors",
)
BOX_COLUMNS = ("dt_page_index", "dt_polys", "dt_scores", "textline_orientation_angles")
LAYOUT_COLUMNS = ("reading_order", "row_index", "block_index", "block_kind")
LINE_COLUMNS = ("page_index", "rec_texts", "rec_scores", "rec_polys", "rec_boxes", *LAYOUT_COLUMNS)


class Pages(FakeServicer):
    """Streams the pages of `whole`."""

    def pages(self, inputs: dict[str, Any]) -> Iterator[Tensors]:
        tensors = self.answer(inputs)
        for index in range(PAGE_COUNT):
            yield one_page(tensors, index)


class TwoPagesThenBroken(Pages):
    """Cannot read the third."""

    def pages(self, inputs: dict[str, Any]) -> Iterator[Tensors]:
        for index, tensors in enumerate(super().pages(inputs)):
            if index == 2:
                raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, "file: page 3 is corrupt")
            yield tensors


def read_blocking(url: str, data: Any, **arguments: Any) -> list[OCRResult | OCRFailure]:
    with OCRClient(url) as client:
        return list(client.predict(data, **arguments))


def read_async(url: str, data: Any, **arguments: Any) -> list[OCRResult | OCRFailure]:
    async def run() -> list[OCRResult | OCRFailure]:
        async with AsyncOCRClient(url) as client:
            return [result async for result in client.predict(data, **arguments)]

    return asyncio.run(run())


both = pytest.mark.parametrize("read", [read_blocking, read_async], ids=["blocking", "async"])
Read = Callable[..., list[OCRResult | OCRFailure]]


@both
@pytest.mark.parametrize("file", [PDF, TIFF], ids=["PDF", "TIFF"])
def test_pages_one_by_one_are_the_pages_at_once(read: Read, file: bytes) -> None:
    with serving(whole, Pages) as (url, servicer):
        with OCRClient(url) as client:
            at_once = client.ocr(file, return_word_box=True)
        one_by_one = read(url, file, return_word_box=True)
        assert [request.model_name for request in servicer.requests] == ["ocr", "ocr_stream"]
    assert [result.json for result in one_by_one] == [result.json for result in at_once]
    assert [result["page_index"] for result in at_once] == [0, 1, 2, 3]
    assert [result.text for result in at_once] == ["one\ntwo", "", "three", "four\nfive"]


def test_a_picture_has_one_page_and_goes_to_the_model_with_one_answer() -> None:
    with serving(lambda inputs: answer_with_lines(["read"]), Pages) as (url, servicer):
        assert [result.text for result in read_blocking(url, b"\x89PNG")] == ["read"]
        assert [request.model_name for request in servicer.requests] == ["ocr"]


class OnePageAtATime(Pages):
    """Reads the next page when the one before has arrived."""

    arrived = threading.Semaphore(1)

    def pages(self, inputs: dict[str, Any]) -> Iterator[Tensors]:
        for tensors in super().pages(inputs):
            assert self.arrived.acquire(timeout=10)
            yield tensors


def test_a_page_comes_before_the_next_is_read() -> None:
    with serving(whole, OnePageAtATime) as (url, servicer), OCRClient(url) as client:
        assert isinstance(servicer, OnePageAtATime)
        for _ in client.predict(PDF):
            servicer.arrived.release()


@both
def test_a_failure_stands_behind_the_pages_before_it(read: Read) -> None:
    with serving(whole, TwoPagesThenBroken) as (url, _):
        results = read(url, [PDF, b"\x89PNG"])
        with pytest.raises(tritonocr.InvalidInputError, match="page 3 is corrupt"):
            read(url, PDF)
    assert [result.ok for result in results[:3]] == [True, True, False]
    assert str(results[2]) == "the input: file: page 3 is corrupt"
    assert results[3].text.startswith("one")


@both
def test_pages_left_unread_are_said_when_the_last_has_come(read: Read) -> None:
    def of_nine(inputs: dict[str, Any]) -> Tensors:
        return {**whole(inputs), "page_count": np.array([9], np.int32)}

    with (
        serving(of_nine, Pages) as (url, _),
        pytest.warns(tritonocr.PagesSkippedWarning, match="has 9 pages, of which 4 were read") as warned,
    ):
        assert len(read(url, PDF)) == PAGE_COUNT
    assert len(warned) == 1


def test_time_that_the_caller_takes_is_not_the_servers() -> None:
    count = 0
    with serving(whole, Pages) as (url, _), OCRClient(url, timeout_s=0.8) as client:
        for _ in client.predict(PDF):
            count += 1
            time.sleep(0.3)
    assert count == PAGE_COUNT


def test_a_server_that_is_late_with_a_page_is_given_up() -> None:
    with serving(whole, Pages) as (url, servicer), OCRClient(url) as client:
        servicer.release.clear()
        with pytest.raises(tritonocr.DeadlineExceededError, match=r"did not answer within 0\.2 s"):
            list(client.predict(PDF, timeout_s=0.2))
        assert servicer.cancelled.wait(5)


def test_leaving_a_file_in_the_middle_stops_the_server() -> None:
    with serving(whole, Pages) as (url, servicer), OCRClient(url) as client:
        pages = client.predict(PDF)
        next(pages)
        servicer.release.clear()
        pages.close()  # type: ignore[attr-defined]
        servicer.release.set()
        assert servicer.cancelled.wait(5)


class LongFile(FakeServicer):
    """Streams 500 pages with pictures, and counts those that it could hand over."""

    sent = 0

    def pages(self, inputs: dict[str, Any]) -> Iterator[Tensors]:
        picture = np.array([bytes(1 << 18)], np.object_)
        page_count = np.array([500], np.int32)
        for _ in range(500):
            self.sent += 1
            pictures = {"input_images": picture, "preprocessed_images": picture}
            yield {**answer_with_lines([]), **pictures, "page_count": page_count}


def test_the_pictures_of_a_long_file_are_never_all_here() -> None:
    with serving(whole, LongFile) as (url, servicer), OCRClient(url) as client:
        assert isinstance(servicer, LongFile)
        pages = client.predict(PDF, return_page_images=True)
        next(pages)
        time.sleep(0.5)
        # Those that wait for their turn, and what gRPC has on the way.
        assert servicer.sent < 50
        assert sum(1 for _ in pages) == 499


def test_a_file_list_is_read_in_the_callers_thread() -> None:
    threads = set()

    def files() -> Iterator[bytes]:
        for _ in range(3):
            threads.add(threading.current_thread())
            yield b"a"

    with serving(lambda inputs: answer_with_lines(["a"])) as (url, _):
        assert len(read_blocking(url, files())) == 3
    assert threads == {threading.main_thread()}


def test_nothing_but_the_file_is_asked_of_the_server() -> None:
    class Strict(FakeServicer):
        def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
            raise AssertionError("asked for the configuration")

    with (
        serving(lambda inputs: answer_with_lines(["a"]), Strict) as (url, servicer),
        OCRClient(url) as client,
    ):
        assert client.submit(b"a").result(5)[0]["text_det_params"]["thresh"] == 0.25
        assert len(servicer.requests) == 1
