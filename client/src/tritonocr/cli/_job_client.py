"""A client of the gateway's job API."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError, ProtocolError, ServerUnavailableError, error_from_status

if TYPE_CHECKING:
    from typing_extensions import Self

_PATH: Final = "/api/v2/ocr/jobs"
_TIMEOUT_S: Final = 300.0


@dataclass(frozen=True)
class JobState:
    """The state of a job.

    Attributes:
        id: the job's id.
        state: pending, running, done or failed.
        read_pages: pages that have been read.
        total_pages: pages to read; 0 until they are known.
        error: why the job failed; empty otherwise.
        result_url: address of the result as JSON lines; empty until the job is done.
    """

    id: str
    state: str
    read_pages: int
    total_pages: int
    error: str
    result_url: str

    @property
    def has_ended(self) -> bool:
        """Whether the state is final."""
        return self.state in ("done", "failed")


class JobClient:
    """Submit jobs to a gateway and look after them.

    Args:
        url: address of the gateway.
        key: an API key of the gateway, where it has keys.
        ca: PEM file of the authority of its certificate; None: the authorities that the system trusts.

    Raises:
        InvalidInputError: the address is not an http(s) URL.
    """

    def __init__(self, url: str, key: str | None = None, ca: Path | None = None) -> None:
        if not url.lower().startswith(("http://", "https://")):
            raise InvalidInputError(
                f"--gateway: got {quoted(url)}, expected a URL such as http://localhost:8080."
            )
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        verify: Any = httpx.create_ssl_context(verify=str(ca)) if ca else True
        self._url = url
        self._http = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S, verify=verify)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def submit(self, source: str, fields: Mapping[str, Any], options: Mapping[str, Any]) -> str:
        """Submit a file or an http(s) URL, and return the id of the job.

        Args:
            source: path or URL.
            fields: the fields of the job API except the file and `optionalPayload`.
            options: fields of `POST /ocr`.

        Raises:
            TritonOCRError: the file cannot be read, or the gateway rejects it.
        """
        if source.lower().startswith(("http://", "https://")):
            body = {**fields, "fileUrl": source, "optionalPayload": dict(options)}
            return str(self._data("POST", _PATH, json=body)["jobId"])
        form = {**fields, "optionalPayload": json.dumps(options)}
        try:
            file = Path(source).open("rb")  # noqa: SIM115  (closed below)
        except OSError as error:
            raise InvalidInputError(f"{source}: {error.strerror or error}.") from error
        with file:
            return str(self._data("POST", _PATH, data=form, files={"file": file})["jobId"])

    def state(self, job_id: str) -> JobState:
        """Return the state of a job.

        Raises:
            TritonOCRError: the gateway does not respond, or has no such job.
        """
        return _state(self._data("GET", f"{_PATH}/{job_id}"))

    def cancel(self, job_id: str) -> JobState:
        """Cancel a job and return its state.

        Raises:
            TritonOCRError: the gateway does not respond, or has no such job.
        """
        return _state(self._data("DELETE", f"{_PATH}/{job_id}"))

    def lines(self, job: JobState) -> Iterator[str]:
        """Yield the result of a finished job, one JSON line per page.

        Raises:
            TritonOCRError: the gateway does not respond, or the result has expired.
        """
        path = httpx.URL(job.result_url).raw_path.decode()  # a proxy can hide the address in the URL
        with self._translated(), self._http.stream("GET", path) as response:
            if response.status_code != 200:
                response.read()
                raise error_from_status(str(response.status_code), _message(response))
            yield from response.iter_lines()

    def _data(self, method: str, path: str, **arguments: Any) -> Any:
        with self._translated():
            response = self._http.request(method, path, **arguments)
        if response.status_code == 404 and path != _PATH:
            raise InvalidInputError(_message(response))
        if response.status_code != 200:
            raise error_from_status(
                "400" if response.status_code == 422 else str(response.status_code), _message(response)
            )
        try:
            return response.json()["data"]
        except (ValueError, KeyError, TypeError) as error:
            raise ProtocolError(f"{self._url} is not a gateway with the job API.") from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except httpx.HTTPError as error:
            raise ServerUnavailableError(f"The gateway {self._url} does not respond: {error}.") from error


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["msg"])
    except (ValueError, KeyError, TypeError):
        return f"The gateway returned status {response.status_code}."


def _state(data: Mapping[str, Any]) -> JobState:
    progress = data.get("extractProgress") or {}
    return JobState(
        id=data["jobId"],
        state=data["state"],
        read_pages=progress.get("extractedPages", 0),
        total_pages=progress.get("totalPages", 0),
        error=data.get("errorMsg", ""),
        result_url=(data.get("resultUrl") or {}).get("jsonUrl", ""),
    )
