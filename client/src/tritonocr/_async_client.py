"""The asynchronous client; the blocking client runs it in a thread."""

from __future__ import annotations

import asyncio
import functools
import math
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ._arguments import DEFAULT_JOBS, DEFAULT_TIMEOUT_S, RESTART_WAIT_S
from ._exceptions import ServerError, ServerUnavailableError
from ._inputs.content import File, looks_like_pdf, may_have_pages
from ._options import checked_options, settings_from_model_config
from ._prediction import AsyncPrediction, prediction_arguments
from ._results.failure import OCRFailure
from ._results.result import OCRResult
from ._transport import retrying
from ._transport.address import Urls, split_urls
from ._transport.base import Health, Tensors, Transport
from ._transport.connect import checked_addresses, connect
from ._transport.decoding import decode_response
from ._transport.diagnosis import with_diagnosis
from ._transport.models import languages_of, names_by_role
from ._transport.protocol import Request, encode_request
from ._transport.retrying import MayRetry, Retry, RetryPolicy, responses_with_retries
from ._transport.tls import TLS

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ._arguments import PredictArguments, ReadArguments
    from ._options import OCROptions

# Two ways to choose the recognition model; the choice of a call replaces the client's choice.
_EITHER = {"lang": "text_recognition_model_name", "text_recognition_model_name": "lang"}

SETTINGS_KEPT_S = 30.0
"""Seconds after which the server's settings are requested again: `tritonocr reload` may change them."""


class AsyncOCRClient:
    """OCRClient for asyncio, with the same methods as coroutines. Make it inside the event loop.

    Cancelling the task of a call cancels the request on the server.

    Args:
        url: address of the server: `host:port` (gRPC), `grpc://`, `grpcs://`, `http://` or `https://`. Or
            several addresses: a list, or a text with commas between them. Or `grpc+dns://name:port` (with TLS
            `grpcs+dns://`); each IP address of the name is then a server.
        timeout_s: seconds that one file may take, including time in the server's queue; None for no limit.
        jobs: files that `predict()` has in flight at the same time.
        restart_wait_s: longest wait for a server that restarts, in seconds, of requests with
            `retry="restarts"`.
        headers: sent with every request, such as `{"authorization": "Bearer …"}`.
        tls: certificates, for `grpcs://` and `https://`.
        model_name: name of the Triton model.
        options: values for options that a call does not give.
        transport: a connection, instead of one to `url`.

    Example:
        >>> async with AsyncOCRClient("localhost:8001") as client:
        ...     pages = await client.ocr(Path("receipt.jpg").read_bytes())
    """

    def __init__(
        self,
        url: Urls = "localhost:8001",
        *,
        timeout_s: float | None = DEFAULT_TIMEOUT_S,
        jobs: int = DEFAULT_JOBS,
        restart_wait_s: float = RESTART_WAIT_S,
        headers: Mapping[str, str] | None = None,
        tls: TLS | None = None,
        model_name: str = "ocr",
        options: OCROptions | None = None,
        transport: Transport | None = None,
    ) -> None:
        urls = split_urls(url)
        self.url = ",".join(urls)
        self.timeout_s = timeout_s
        self.jobs = jobs
        self._restart_wait_s = restart_wait_s
        self.model_name = model_name
        self._options = checked_options(options or {})
        self._server_settings: dict[str, Any] | None = None
        self._settings_read_s = -math.inf
        self._has_answered = False
        self._answered_s = -math.inf
        self.retries = 0
        addresses = [] if transport else checked_addresses(urls, tls)
        self._address = addresses[0] if len(addresses) == 1 and not addresses[0].is_name_of_several else None
        self._transport = transport or connect(urls, headers, tls)

    async def health(self) -> Health:
        """Return whether the server and the model are ready; an absent server is not an error."""
        return await self._transport.health(self.model_name)

    def answered_within(self, seconds: float) -> bool:
        """Return whether a page was read in the last `seconds`."""
        return time.monotonic() - self._answered_s < seconds

    async def settings(self) -> dict[str, Any]:
        """Return the server's default of each option; the client requests them at most twice a minute."""
        if self._server_settings is None or time.monotonic() - self._settings_read_s > SETTINGS_KEPT_S:
            config = await self._transport.model_config(self.model_name)
            self._server_settings = settings_from_model_config(config)
            self._settings_read_s = time.monotonic()
        return {**self._server_settings, **self._options}

    async def models(self) -> dict[str, list[str]]:
        """Return the names of the loaded networks by role, as `OCRClient.models()` does."""
        return names_by_role(await self._model_configs())

    async def languages(self) -> list[str]:
        """Return the values of `lang` that the loaded networks read, as `OCRClient.languages()` does."""
        return languages_of(await self._model_configs())

    async def _model_configs(self) -> list[dict[str, Any]]:
        names = await self._transport.model_names()
        return await asyncio.gather(*map(self._transport.model_config, names))

    async def ocr(self, file: File, **arguments: Unpack[ReadArguments]) -> list[OCRResult]:
        """Read one file, as `OCRClient.ocr()` does, with its arguments and errors."""
        return await self._ocr(file, **arguments)

    async def _ocr(
        self,
        file: File,
        *,
        input_path: str | None = None,
        request_id: str | None = None,
        timeout_s: float | None = None,
        retry: Retry = False,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> list[OCRResult]:
        responses = self.responses(
            file,
            checked_options(options),
            page_by_page=False,
            input_path=input_path,
            request_id=request_id,
            timeout_s=self.timeout_s if timeout_s is None else timeout_s,
            retry=retry,
            headers=headers,
        )
        async with aclosing(responses):
            return [page async for pages in responses for page in pages]

    async def responses(
        self,
        file: File,
        options: Mapping[str, Any],
        *,
        page_by_page: bool,
        input_path: str | None,
        timeout_s: float | None,
        retry: Retry | None = None,
        request_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncGenerator[list[OCRResult], None]:
        """Send one file and yield the pages of each response.

        Args:
            file: the file's bytes, or pixels uint8: [H,W,3] BGR, or [H,W] or [H,W,1] grey.
            options: checked options.
            page_by_page: request one response per page, if the file may have several and the protocol
                allows it.
            input_path: `input_path` of the results.
            timeout_s: seconds to wait for the server, all attempts included.
            retry: whether to retry while the server is unavailable or overloaded, "restarts" only while it
                restarts; None retries, but only for a short time if the server never answered.
            request_id: the request's name in the server's log; random if absent.
            headers: sent in addition to the client's own.
        """
        own = self._with_own_options(options)
        is_streamed = page_by_page and self._transport.streams and may_have_pages(file)
        request = self._request(file, own, request_id, headers, is_streamed=is_streamed)
        is_pdf, count = looks_like_pdf(file), 0
        original = _kept_original(file, input_path) if own.get("return_page_images") else None
        policy = self._retry_policy(retry)
        answers = responses_with_retries(self._transport, request, timeout_s, policy, self._count_retry)
        async with aclosing(self._diagnosed(answers)) as diagnosed:
            async for tensors in diagnosed:
                self._has_answered, self._answered_s = True, time.monotonic()
                pages = decode_response(
                    tensors,
                    request,
                    input_path=input_path,
                    is_pdf=is_pdf,
                    first_page=count,
                    original=original,
                )
                count += len(pages)
                yield pages

    def _request(
        self,
        file: File,
        options: Mapping[str, Any],
        request_id: str | None,
        headers: Mapping[str, str] | None,
        *,
        is_streamed: bool,
    ) -> Request:
        return encode_request(
            file,
            options,
            request_id=request_id or uuid.uuid4().hex,
            model_name=f"{self.model_name}_stream" if is_streamed else self.model_name,
            is_streamed=is_streamed,
            headers=headers,
        )

    def predict(
        self,
        input: Any,  # noqa: A002 (PaddleX's name)
        **arguments: Unpack[PredictArguments],
    ) -> AsyncIterator[OCRResult | OCRFailure]:
        """Read files as `OCRClient.predict()` does, with its arguments and errors, as an async iterator."""
        call, files = prediction_arguments(input, **arguments)
        return self.prediction(**call).pages(files)

    def prediction(
        self,
        *,
        options: Mapping[str, Any],
        raises: bool,
        jobs: int | None = None,
        timeout_s: float | None = None,
        retry: Retry | None = None,
        progress: bool | None = None,
    ) -> AsyncPrediction:
        """Prepare a call of `predict()`; None selects the client's value.

        Args:
            options: checked options.
            raises: whether a file's error ends the call; otherwise an `OCRFailure` takes the file's place.
            jobs: files in flight.
            timeout_s: seconds per file.
            retry: whether to retry while the server is unavailable; see `PredictArguments`.
            progress: whether to show a progress bar; None: on a terminal.
        """
        own_timeout_s = self.timeout_s if timeout_s is None else timeout_s
        read = functools.partial(self.responses, page_by_page=True, timeout_s=own_timeout_s, retry=retry)
        return AsyncPrediction(read, options, raises, jobs or self.jobs, progress)

    async def _diagnosed(self, answers: AsyncGenerator[Tensors, None]) -> AsyncGenerator[Tensors, None]:
        """Yield the responses; add to an error what answers at the one address instead of a server."""
        async with aclosing(answers):
            try:
                async for tensors in answers:
                    yield tensors
            except ServerError as error:
                if self._address is None:
                    raise
                raise await with_diagnosis(error, self._address) from error

    def _count_retry(self) -> None:
        self.retries += 1

    def _retry_policy(self, retry: Retry | None) -> MayRetry:
        if retry == "restarts":
            return RetryPolicy(self._restart_wait_s, if_overloaded=False)
        policy, at_first = RetryPolicy(), RetryPolicy(retrying.FIRST_CONTACT_WAIT_S)
        at_cut = RetryPolicy(retrying.CUT_OFF_WAIT_S)

        def after_contact(error: ServerUnavailableError) -> bool:
            self._has_answered |= error.has_answered
            may_restart = (error.is_refused and at_first(error)) or (error.is_cut_off and at_cut(error))
            return self._has_answered or may_restart

        return after_contact if retry is None else lambda error: retry and policy(error)

    def _with_own_options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        own = {name: value for name, value in self._options.items() if _EITHER.get(name) not in given}
        return {**own, **given}

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


def _kept_original(file: File, input_path: str | None) -> bytes | None:
    """Return the bytes of a file that cannot be read again from a local path; see `OCRResult.original`."""
    is_local = input_path is not None and "://" not in input_path
    return file if isinstance(file, bytes) and not is_local else None
