"""The blocking client, and what it shares with the asynchronous one."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ._exceptions import OverloadedError, RequestCancelledError, ServerUnavailableError, TritonOCRError
from ._inputs import File, Source, is_single, looks_like_pdf, sources
from ._models import names_by_role
from ._options import checked_options, settings_from_model_config
from ._predict import AHEAD, RETRY_PAUSES_S, in_order, report
from ._progress import progress_bar
from ._protocol import Request, decode_response, encode_request
from ._result import OCRFailure, OCRResult
from ._tls import TLS
from ._transports import Health, Tensors, Transport, connect

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._options import OCROptions

_T = TypeVar("_T")

# Two ways to choose the recognition model: a call's choice replaces the client's own.
_EITHER = {"lang": "text_recognition_model_name", "text_recognition_model_name": "lang"}

DEFAULT_TIMEOUT_S = 300.0
DEFAULT_JOBS = 4


class BaseClient:
    """What both clients know: the address, their own option values, the server's settings.

    Args:
        url: the server: `host:port` (gRPC), `grpc://`, `grpcs://`, `http://` or `https://`.
        timeout_s: seconds that one file may take, waiting in the server's queue included; None waits forever.
        jobs: files that `predict()` has in flight at once.
        headers: sent with every request, such as `{"authorization": "Bearer …"}`.
        tls: certificates, for `grpcs://` and `https://`.
        model_name: the Triton model.
        options: this client's own values for options that a call does not give.
    """

    def __init__(
        self,
        url: str = "localhost:8001",
        *,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        jobs: int = DEFAULT_JOBS,
        headers: Mapping[str, str] | None = None,
        tls: TLS | None = None,
        model_name: str = "ocr",
        options: OCROptions | None = None,
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self.jobs = jobs
        self.model_name = model_name
        self._headers = dict(headers) if headers else None
        self._tls = tls
        self._options = checked_options(options or {})
        self._server_settings: dict[str, Any] | None = None

    def _with_own_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        given = checked_options(options)
        own = {name: value for name, value in self._options.items() if _EITHER.get(name) not in given}
        return {**own, **given}

    def _request(self, file: File, options: Mapping[str, Any], request_id: str | None) -> Request:
        request_id = request_id or uuid.uuid4().hex
        return encode_request(file, options, request_id=request_id, model_name=self.model_name)

    def _decoder(
        self, request: Request, file: File, input_path: str | None
    ) -> Callable[[Tensors], list[OCRResult]]:
        is_pdf = looks_like_pdf(file)

        def decode(tensors: Tensors) -> list[OCRResult]:
            return decode_response(tensors, request, input_path=input_path, is_pdf=is_pdf)

        return decode


class OCRClient(BaseClient):
    """A blocking client; usable from several threads, and as a context manager.

    Example:
        >>> with OCRClient("localhost:8001") as client:
        ...     for result in client.predict("receipts/"):
        ...         print(result.text)
    """

    def __init__(
        self, url: str = "localhost:8001", *, transport: Transport | None = None, **arguments: Any
    ) -> None:
        super().__init__(url, **arguments)
        self._transport = transport or connect(url, self._headers, self._tls)

    __init__.__doc__ = BaseClient.__doc__

    def health(self) -> Health:
        """Ask whether the server and the model are ready; an absent server is not an error."""
        return self._transport.health(self.model_name)

    def settings(self) -> dict[str, Any]:
        """The value that each option has when nobody gives it, as the server tells; asked for once."""
        if self._server_settings is None:
            self._server_settings = settings_from_model_config(self._transport.model_config(self.model_name))
        return {**self._server_settings, **self._options}

    def models(self) -> dict[str, list[str]]:
        """Name the networks that a request may ask for, by role: `text_detection`, `text_recognition`."""
        names = self._transport.model_names()
        return names_by_role(map(self._transport.model_config, names))

    def submit(
        self,
        file: File,
        *,
        input_path: str | None = None,
        request_id: str | None = None,
        timeout_s: float | None = None,
        **options: Unpack[OCROptions],
    ) -> Future[list[OCRResult]]:
        """Send one file; the future's `cancel()` stops its work on the server too.

        Args and errors are those of `ocr()`; the server's errors come out of the future.
        """
        given = self._with_own_options(options)
        request = self._request(file, given, request_id)
        decode = self._decoder(request, file, input_path)
        return self._transport.submit(request, timeout_s or self.timeout_s, decode)

    def ocr(
        self,
        file: File,
        *,
        input_path: str | None = None,
        request_id: str | None = None,
        timeout_s: float | None = None,
        **options: Unpack[OCROptions],
    ) -> list[OCRResult]:
        """Read one file: an image, or a PDF or TIFF of several pages.

        Args:
            file: the file's bytes, or pixels [H,W,3] BGR uint8.
            input_path: what the results say they come from.
            request_id: what the server's log calls the request; made up if absent.
            timeout_s: instead of the client's own.
            **options: see `OCROptions`.

        Returns:
            One result a page; `page_count` of each says how many pages the file has.

        Raises:
            InvalidInputError: the file or an option is wrong.
            ServerUnavailableError: no server answers, or it is overloaded (OverloadedError).
            DeadlineExceededError: no answer in time.
            ServerError: the server failed.
        """
        future = self.submit(
            file, input_path=input_path, request_id=request_id, timeout_s=timeout_s, **options
        )
        return wait(future)

    def predict(
        self,
        input: Any,  # noqa: A002 (PaddleX's name)
        *,
        recursive: bool = False,
        raise_on_error: bool | None = None,
        jobs: int | None = None,
        timeout_s: float | None = None,
        progress: bool | None = None,
        **options: Unpack[OCROptions],
    ) -> Iterator[OCRResult | OCRFailure]:
        """Read files, several at a time, and yield a result a page in the order given.

        Args:
            input: an ndarray [H,W,3] BGR uint8, file bytes, a PIL image, a path, an http(s) URL, a directory,
                or an iterable of those. URLs are fetched here, not by the server.
            recursive: search directories below a given one as well.
            raise_on_error: raise the first file's error instead of yielding an `OCRFailure` in its place.
                By default a single file's error is raised, and that of one of many is yielded.
            jobs: files in flight at once, instead of the client's own.
            timeout_s: seconds a file, instead of the client's own.
            progress: show a progress bar; by default on a terminal, for work that takes seconds.
            **options: see `OCROptions`.

        Raises:
            InvalidInputError: an option is wrong, at once; for files see `raise_on_error`.
        """
        call = Prediction(
            self,
            options=checked_options(options),
            raises=is_single(input) if raise_on_error is None else raise_on_error,
            jobs=jobs or self.jobs,
            timeout_s=timeout_s,
            progress=progress,
        )
        return call.by_page(sources(input, recursive=recursive))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def wait(future: Future[_T]) -> _T:
    """Wait for an answer; one that the caller cancelled is an error of ours, too."""
    try:
        return future.result()
    except CancelledError as error:
        raise RequestCancelledError("The request was cancelled.") from error
    except BaseException:
        future.cancel()  # an interrupt while waiting: nobody will want the answer
        raise


@dataclass(frozen=True, eq=False)
class Prediction:
    """One call of `predict()`."""

    client: OCRClient
    options: Mapping[str, Any]
    raises: bool
    jobs: int
    timeout_s: float | None
    progress: bool | None
    calls: set[Future[list[OCRResult]]] = field(default_factory=set)
    stopped: threading.Event = field(default_factory=threading.Event)

    def by_page(self, files: Iterable[Source]) -> Iterator[OCRResult | OCRFailure]:
        """Yield every page, or its file's failure, in order."""
        for results in self.by_file(files):
            report(results)
            yield from results

    def by_file(self, files: Iterable[Source]) -> Iterator[Sequence[OCRResult | OCRFailure]]:
        """Yield the pages of each file, or its one failure, in order."""
        pool = ThreadPoolExecutor(self.jobs, thread_name_prefix="tritonocr-predict")
        try:
            with progress_bar(files, self.progress) as advance:
                for results in in_order(pool, self._results, files, ahead=AHEAD * self.jobs):
                    advance(len(results))
                    yield results
        finally:
            self.stopped.set()
            for call in list(self.calls):
                call.cancel()
            pool.shutdown(wait=False, cancel_futures=True)

    def _results(self, source: Source) -> Sequence[OCRResult | OCRFailure]:
        try:
            return self._read(source, source.load())
        except ServerUnavailableError:
            raise  # the other files would fail alike
        except TritonOCRError as error:
            if self.raises:
                raise
            return [OCRFailure(source.input_path, error)]

    def _read(self, source: Source, file: File) -> list[OCRResult]:
        for pause_s in RETRY_PAUSES_S:
            try:
                return self._call(source, file)
            except OverloadedError:
                self.stopped.wait(pause_s)
        return self._call(source, file)

    def _call(self, source: Source, file: File) -> list[OCRResult]:
        if self.stopped.is_set():
            raise RequestCancelledError("The request was cancelled.")
        call = self.client.submit(
            file, input_path=source.input_path, timeout_s=self.timeout_s, **self.options
        )
        self.calls.add(call)
        if self.stopped.is_set():  # since the check above
            call.cancel()
        try:
            return wait(call)
        finally:
            self.calls.discard(call)
