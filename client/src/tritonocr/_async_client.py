"""The asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._client import BaseClient
from ._exceptions import OverloadedError, ServerUnavailableError, TritonOCRError
from ._inputs import File, Source, is_single, sources
from ._models import names_by_role
from ._options import checked_options, settings_from_model_config
from ._predict import AHEAD, RETRY_PAUSES_S, in_order_async, report
from ._progress import progress_bar
from ._result import OCRFailure, OCRResult
from ._transports import AsyncTransport, Health, connect_async

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._options import OCROptions


class AsyncOCRClient(BaseClient):
    """OCRClient for asyncio: the same methods, to be awaited. Make it inside the event loop.

    Cancelling the task of a call cancels the request on the server.

    Example:
        >>> async with AsyncOCRClient("localhost:8001") as client:
        ...     pages = await client.ocr(Path("receipt.jpg").read_bytes())
    """

    def __init__(
        self, url: str = "localhost:8001", *, transport: AsyncTransport | None = None, **arguments: Any
    ) -> None:
        super().__init__(url, **arguments)
        self._transport = transport or connect_async(url, self._headers, self._tls)

    __init__.__doc__ = BaseClient.__doc__

    async def health(self) -> Health:
        """Ask whether the server and the model are ready; an absent server is not an error."""
        return await self._transport.health(self.model_name)

    async def settings(self) -> dict[str, Any]:
        """The value that each option has when nobody gives it, as the server tells; asked for once."""
        if self._server_settings is None:
            config = await self._transport.model_config(self.model_name)
            self._server_settings = settings_from_model_config(config)
        return {**self._server_settings, **self._options}

    async def models(self) -> dict[str, list[str]]:
        """Name the networks that a request may ask for, by role: `text_detection`, `text_recognition`."""
        names = await self._transport.model_names()
        return names_by_role(await asyncio.gather(*map(self._transport.model_config, names)))

    async def ocr(
        self,
        file: File,
        *,
        input_path: str | None = None,
        request_id: str | None = None,
        timeout_s: float | None = None,
        **options: Unpack[OCROptions],
    ) -> list[OCRResult]:
        """Read one file, as `OCRClient.ocr()` does, with its arguments and errors."""
        given = self._with_own_options(options)
        request = self._request(file, given, request_id)
        decode = self._decoder(request, file, input_path)
        return decode(await self._transport.infer(request, timeout_s or self.timeout_s))

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
    ) -> AsyncIterator[OCRResult | OCRFailure]:
        """Read files as `OCRClient.predict()` does, with its arguments and errors, as an async iterator."""
        call = _AsyncPrediction(
            self,
            options=checked_options(options),
            raises=is_single(input) if raise_on_error is None else raise_on_error,
            jobs=jobs or self.jobs,
            timeout_s=timeout_s,
            progress=progress,
        )
        return call.run(sources(input, recursive=recursive))

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


@dataclass(frozen=True, eq=False)
class _AsyncPrediction:
    """One call of `predict()`."""

    client: AsyncOCRClient
    options: Mapping[str, Any]
    raises: bool
    jobs: int
    timeout_s: float | None
    progress: bool | None

    async def run(self, files: Iterable[Source]) -> AsyncIterator[OCRResult | OCRFailure]:
        batches = in_order_async(self._results, files, self.jobs, ahead=AHEAD * self.jobs)
        with progress_bar(files, self.progress) as advance:
            async for results in batches:
                advance(len(results))
                report(results)
                for result in results:
                    yield result

    async def _results(self, source: Source) -> Sequence[OCRResult | OCRFailure]:
        try:
            return await self._read(source, await asyncio.to_thread(source.load))
        except ServerUnavailableError:
            raise  # the other files would fail alike
        except TritonOCRError as error:
            if self.raises:
                raise
            return [OCRFailure(source.input_path, error)]

    async def _read(self, source: Source, file: File) -> list[OCRResult]:
        for pause_s in RETRY_PAUSES_S:
            try:
                return await self._call(source, file)
            except OverloadedError:
                await asyncio.sleep(pause_s)
        return await self._call(source, file)

    async def _call(self, source: Source, file: File) -> list[OCRResult]:
        return await self.client.ocr(
            file, input_path=source.input_path, timeout_s=self.timeout_s, **self.options
        )
