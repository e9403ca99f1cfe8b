"""The blocking client: it runs the asynchronous client in a thread with an event loop."""

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
from ._results.failure import OCRFailure
from ._results.result import OCRResult
from ._transport.address import Urls
from ._transport.base import Health
from ._transport.loop import LoopThread

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._arguments import ClientArguments, PredictArguments, ReadArguments


class OCRClient:
    """A blocking client, for several threads at the same time; a context manager.

    Args:
        url: one server or several; see `AsyncOCRClient`.
        **arguments: arguments of `AsyncOCRClient`.

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
        # Also at the end of Python and when the client is garbage.
        self._close = weakref.finalize(self, self._loop.close, self._client.close)
        self.url = self._client.url

    def health(self) -> Health:
        """Return whether the server and the model are ready; an absent server is not an error."""
        return self._loop.run(self._client.health())

    def settings(self) -> dict[str, Any]:
        """Return the server's default of each option; the client requests them at most twice a minute."""
        return self._loop.run(self._client.settings())

    def models(self) -> dict[str, list[str]]:
        """Return the names of the loaded networks by role: `text_detection`, `text_recognition`.

        A server with `--lazy` also accepts names of networks that it has not loaded yet. Triton shows those
        only to its administrator, in the repository index.
        """
        return self._loop.run(self._client.models())

    def languages(self) -> list[str]:
        """Return the values of `lang` that the loaded networks read, such as `en` or `latin`."""
        return self._loop.run(self._client.languages())

    def submit(self, file: File, **arguments: Unpack[ReadArguments]) -> Future[list[OCRResult]]:
        """Send one file and return a future; its `cancel()` also cancels the request on the server.

        The arguments are those of `ocr()`; the future raises the errors of `ocr()`.
        """
        future = self._loop.start(self._client.ocr(file, **arguments))
        future.add_done_callback(lambda _: self)  # keeps this client until then
        return future

    def ocr(self, file: File, **arguments: Unpack[ReadArguments]) -> list[OCRResult]:
        """Read one file: an image, or a PDF or TIFF of several pages.

        Args:
            file: the file's bytes, or pixels uint8: [H,W,3] BGR, or [H,W] or [H,W,1] grey.
            **arguments: options (see `OCROptions`) and arguments of `ReadArguments`: `input_path`,
                `request_id`, `timeout_s`, `retry` and `headers`.

        Returns:
            One result per page; its `page_count` is the number of pages of the file.

        Raises:
            InvalidInputError: the file or an option is wrong.
            ServerUnavailableError: no server answers, or it is overloaded (OverloadedError).
            DeadlineExceededError: no response in time.
            ServerError: the server failed.
            ClientStateError: the client is closed, or was made before this process was forked.
        """
        return self._loop.wait(self.submit(file, **arguments))

    def predict(
        self,
        input: Any,  # noqa: A002 (PaddleX's name)
        **arguments: Unpack[PredictArguments],
    ) -> Iterator[OCRResult | OCRFailure]:
        """Read files, several at the same time, and yield one result per page in the given order.

        Over gRPC the pages of a PDF or TIFF are yielded as soon as they are read. If a file fails after some
        pages, its failure follows these pages.

        Args:
            input: an ndarray [H,W,3] BGR uint8, file bytes, a PIL image, an open file, a path, an http(s)
                URL, a directory, or an iterable of those. The client fetches URLs, not the server.
            **arguments: options (see `OCROptions`) and arguments of `PredictArguments`: `recursive`,
                `raise_on_error`, `jobs`, `timeout_s`, `retry` and `progress`.

        Raises:
            InvalidInputError: an option is wrong; raised at once. For files see `raise_on_error`.
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
    """Make the client inside its event loop."""
    return AsyncOCRClient(url, **arguments)


async def _nothing() -> None:
    pass


class Prediction:
    """One blocking call of `predict()`; its files are listed in the caller's thread.

    Args:
        client: the client.
        **arguments: arguments of `AsyncOCRClient.prediction()`.
    """

    def __init__(self, client: OCRClient, **arguments: Any) -> None:
        self._client = client  # must not be closed before the last page
        self._loop = client._loop
        self._call = client._client.prediction(**arguments)

    def pages(self, files: Iterable[Source]) -> Iterator[Result]:
        """Yield the results of all pages and the failures of files in order."""
        for pages in self.pages_by_file(files):
            count, last = 0, None
            for last in pages:
                count += 1
                log_failures([last])
                yield last
            warn_of_skipped_pages(last, count, stacklevel=2)

    def by_file(self, files: Iterable[Source]) -> Iterator[Sequence[Result]]:
        """Yield the results of each file in order; a failure follows the pages before it."""
        return map(list, self.pages_by_file(files))

    def pages_by_file(self, files: Iterable[Source]) -> Iterator[Iterator[Result]]:
        """Do as `by_file` with the pages as they arrive; read a file's pages before the next file."""
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
            with contextlib.suppress(RuntimeError):  # the client is closed already
                for reading in started:
                    self._loop.start(reading.cancel())

    def _pages(self, reading: ReadAhead[Sequence[Result]], advance: Advance) -> Iterator[Result]:
        while (results := self._loop.run(reading.next())) is not None:
            advance(pages=len(results))
            yield from results
