"""The blocking client: the asynchronous one, in a thread with an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ._async_client import AsyncOCRClient
from ._inputs.content import File
from ._inputs.sources import Source
from ._prediction import prediction_arguments
from ._progress import Advance, progress_bar
from ._read_ahead import AHEAD, ReadAhead, Result, in_turn, log_failures, warn_of_skipped_pages
from ._results.result import OCRFailure, OCRResult
from ._transport.address import Urls
from ._transport.base import Health
from ._transport.loop import LoopThread

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._arguments import ClientArguments, PredictArguments, ReadArguments


class OCRClient:
    """A blocking client; usable from several threads, and as a context manager.

    Args:
        url: one server or several; see `AsyncOCRClient`.
        **arguments: those of `AsyncOCRClient`.

    Example:
        >>> with OCRClient("localhost:8001") as client:
        ...     for result in client.predict("receipts/"):
        ...         print(result.text)
    """

    def __init__(self, url: Urls = "localhost:8001", **arguments: Unpack[ClientArguments]) -> None:
        self._loop = LoopThread()
        try:
            self._client = self._loop.run(_opened(url, arguments))
        except BaseException:
            self._loop.close(_nothing)
            raise
        # Also when nobody closes it: at the end of Python, or when it is garbage.
        self._close = weakref.finalize(self, self._loop.close, self._client.close)
        self.url = self._client.url

    def health(self) -> Health:
        """Ask whether the server and the model are ready; an absent server is not an error."""
        return self._loop.run(self._client.health())

    def settings(self) -> dict[str, Any]:
        """The value that each option has when nobody gives it, as the server tells; asked for once."""
        return self._loop.run(self._client.settings())

    def models(self) -> dict[str, list[str]]:
        """Name the networks that are loaded, by role: `text_detection`, `text_recognition`.

        A server with `--lazy` also takes names of networks that it has not loaded yet. They are in Triton's
        repository index, which it shows to its administrator alone.
        """
        return self._loop.run(self._client.models())

    def submit(self, file: File, **arguments: Unpack[ReadArguments]) -> Future[list[OCRResult]]:
        """Send one file; the future's `cancel()` stops its work on the server too.

        Args and errors are those of `ocr()`; the errors come out of the future.
        """
        future = self._loop.start(self._client.ocr(file, **arguments))
        future.add_done_callback(lambda _: self)  # which keeps this client until then
        return future

    def ocr(self, file: File, **arguments: Unpack[ReadArguments]) -> list[OCRResult]:
        """Read one file: an image, or a PDF or TIFF of several pages.

        Args:
            file: the file's bytes, or pixels [H,W,3] BGR uint8.
            **arguments: options (see `OCROptions`), and those of `ReadArguments`: `input_path`, what the
                results say they come from; `request_id`, what the server's log calls the request, made up if
                absent; `timeout_s`, instead of the client's own; `headers`, sent with this request.

        Returns:
            One result a page; `page_count` of each says how many pages the file has.

        Raises:
            InvalidInputError: the file or an option is wrong.
            ServerUnavailableError: no server answers, or it is overloaded (OverloadedError).
            DeadlineExceededError: no answer in time.
            ServerError: the server failed.
        """
        return self._loop.wait(self.submit(file, **arguments))

    def predict(
        self,
        input: Any,  # noqa: A002 (PaddleX's name)
        **arguments: Unpack[PredictArguments],
    ) -> Iterator[OCRResult | OCRFailure]:
        """Read files, several at a time, and yield a result a page in the order given.

        Over gRPC the pages of a PDF or TIFF come as they are read; a failure in the middle of one stands
        behind the pages before it.

        Args:
            input: an ndarray [H,W,3] BGR uint8, file bytes, a PIL image, a path, an http(s) URL, a directory,
                or an iterable of those. URLs are fetched here, not by the server.
            **arguments: options (see `OCROptions`), and those of `PredictArguments`: `recursive`,
                `raise_on_error`, `jobs`, `timeout_s` and `progress`.

        Raises:
            InvalidInputError: an option is wrong, at once; for files see `raise_on_error`.
        """
        call, files = prediction_arguments(input, **arguments)
        return Prediction(self, **call).pages(files)

    def close(self) -> None:
        """Close the connection."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


async def _opened(url: Urls, arguments: ClientArguments) -> AsyncOCRClient:
    """Make the client on the loop that it will live on."""
    return AsyncOCRClient(url, **arguments)


async def _nothing() -> None:
    pass


class Prediction:
    """One call of `predict()` for a caller that blocks: its files are listed in the caller's thread.

    Args:
        client: who reads.
        **arguments: those of `AsyncOCRClient.prediction()`.
    """

    def __init__(self, client: OCRClient, **arguments: Any) -> None:
        self._client = client  # not closed before the last page
        self._loop = client._loop
        self._call = client._client.prediction(**arguments)

    def pages(self, files: Iterable[Source]) -> Iterator[Result]:
        """Yield every page, or its file's failure, in order."""
        for pages in self.pages_by_file(files):
            count, last = 0, None
            for last in pages:
                count += 1
                log_failures([last])
                yield last
            warn_of_skipped_pages(last, count, stacklevel=2)

    def by_file(self, files: Iterable[Source]) -> Iterator[Sequence[Result]]:
        """Yield the pages of each file, or its failure behind those that came before, in order."""
        return map(list, self.pages_by_file(files))

    def pages_by_file(self, files: Iterable[Source]) -> Iterator[Iterator[Result]]:
        """Do as `by_file`, with the pages as they come; take a file's pages before the next file."""
        slots = asyncio.Semaphore(self._call.jobs)
        started: deque[ReadAhead[Sequence[Result]]] = deque()

        async def start(source: Source) -> ReadAhead[Sequence[Result]]:
            return self._call.start(source, slots)

        in_order = in_turn(
            lambda source: self._loop.run(start(source)), files, AHEAD * self._call.jobs, started
        )
        try:
            with progress_bar(files, self._call.progress) as advance:
                for reading in in_order:
                    yield self._pages(reading, advance)
                    advance(files=1)
        finally:
            with contextlib.suppress(RuntimeError):  # the client was closed before
                for reading in started:
                    self._loop.start(reading.cancel())

    def _pages(self, reading: ReadAhead[Sequence[Result]], advance: Advance) -> Iterator[Result]:
        while (results := self._loop.run(reading.next())) is not None:
            advance(pages=len(results))
            yield from results
