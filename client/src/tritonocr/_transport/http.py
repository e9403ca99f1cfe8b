"""HTTP: KServe's protocol with Triton's binary tensors. Needs the extra [http]."""

from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import AsyncGenerator, Mapping
from http import HTTPStatus
from http.client import responses
from typing import Any

from .._exceptions import (
    TritonOCRError,
    deadline_exceeded,
    error_from_status,
    missing_extra,
    unreachable,
)
from .address import Address
from .base import CONTROL_TIMEOUT_S, Health, Tensors, loaded_models, named_tensors
from .protocol import Request
from .tls import TLS

_JSON_SIZE = "Inference-Header-Content-Length"  # Triton's binary tensor data extension


class HttpTransport:
    """An HTTP session with one server: tritonclient encodes the messages, aiohttp transfers them.

    tritonclient's own asynchronous client has no timeout per call and sends each body in one piece. The
    protocol has no decoupled models.
    """

    streams = False

    def __init__(self, address: Address, headers: Mapping[str, str] | None, tls: TLS | None = None) -> None:
        try:
            import aiohttp
            import tritonclient.http as library
        except ImportError as error:
            raise missing_extra("http", "An http:// address", error) from error

        self._library, self._aiohttp, self._url = library, aiohttp, str(address)
        connector = aiohttp.TCPConnector(ssl=tls.context() if tls else True)
        self._session = aiohttp.ClientSession(headers=headers, connector=connector)

    async def responses(self, request: Request, timeout_s: float | None) -> AsyncGenerator[Tensors, None]:
        """Send one request and yield its response; cancelling the task closes the connection."""
        arguments = self._call_arguments(request)
        path = f"v2/models/{arguments.pop('model_name')}/infer"
        body, json_size = self._library.InferenceServerClient.generate_request_body(**arguments)
        headers = {**request.headers, **({_JSON_SIZE: str(json_size)} if json_size else {})}
        content, answered = await self._call("POST", path, timeout_s, data=io.BytesIO(body), headers=headers)
        header_length = answered.get(_JSON_SIZE)
        result = self._library.InferResult.from_response_body(
            content, header_length=int(header_length) if header_length else None
        )
        yield named_tensors(result, request)

    def _call_arguments(self, request: Request) -> dict[str, Any]:
        """Return a request as arguments of tritonclient."""
        inputs = []
        for tensor in request.inputs:
            inputs.append(self._library.InferInput(tensor.name, list(tensor.array.shape), tensor.datatype))
            inputs[-1].set_data_from_numpy(tensor.array)
        outputs = [self._library.InferRequestedOutput(name) for name in request.outputs]
        return {
            "model_name": request.model_name,
            "inputs": inputs,
            "outputs": outputs,
            "request_id": request.request_id,
        }

    async def model_config(self, model_name: str) -> dict[str, Any]:
        """Return the model's configuration as JSON."""
        content, _ = await self._call("GET", f"v2/models/{model_name}/config", CONTROL_TIMEOUT_S)
        config: dict[str, Any] = json.loads(content)
        return config

    async def model_names(self) -> list[str]:
        """Return the names of the models that are loaded."""
        content, _ = await self._call("GET", "v2/models/stats", CONTROL_TIMEOUT_S)
        return loaded_models(json.loads(content)["model_stats"])

    async def health(self, model_name: str) -> Health:
        """Return whether the server and the model are ready."""
        paths = ("v2/health/live", "v2/health/ready", f"v2/models/{model_name}/ready")
        return Health(*await asyncio.gather(*map(self._is_ok, paths)))

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def _is_ok(self, path: str) -> bool:
        try:
            await self._call("GET", path, CONTROL_TIMEOUT_S)
        except TritonOCRError:
            return False
        return True

    async def _call(
        self, method: str, path: str, timeout_s: float | None, **arguments: Any
    ) -> tuple[bytes, Mapping[str, str]]:
        """Send a request; return the body and the headers of a 200."""
        timeout = self._aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._session.request(
                method, f"{self._url}/{path}", timeout=timeout, **arguments
            ) as response:
                content = await response.read()
        except asyncio.TimeoutError as error:
            raise deadline_exceeded(self._url, timeout_s) from error
        except self._aiohttp.ClientError as error:
            connected = not isinstance(error, self._aiohttp.ClientConnectorError)
            is_other = isinstance(error, self._aiohttp.ClientResponseError)
            reason = "the response is not valid HTTP/1" if is_other else _reason(error)
            raise unreachable(
                self._url,
                reason,
                may_have_begun=connected and not is_other,
                has_answered=connected and not is_other,  # what answers there is no server of ours
            ) from error
        if response.status != HTTPStatus.OK:
            raise error_from_status(str(response.status), _sentence(content, response.status))
        return content, response.headers


def _reason(error: Exception) -> str:
    """Return why a connection failed, without aiohttp's description of the connection."""
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None) or 0
    # asyncio's own text of a refused connection names no reason; resolvers have negative numbers.
    return os.strerror(number) if number > 0 else getattr(cause, "strerror", None) or str(cause)


def _sentence(content: bytes, status: int) -> str:
    """Return the message of an error's body `{"error": message}`, or the whole body if it has none."""
    try:
        return str(json.loads(content)["error"])
    except (ValueError, KeyError, TypeError):
        text = content.decode(errors="replace").strip()
        is_page = not text or text.startswith("<")
        return f"the server answered {status} {responses.get(status, '')}".rstrip() if is_page else text
