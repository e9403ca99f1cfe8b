"""A running server: what it serves, what that costs, and giving it a model or taking one away.

Triton's model-control extension loads and unloads; it must have been started with explicit control.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from tritonocr_backend.core.contracts import LOAD_TIME_METRIC
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.core.network_metadata import HIDDEN_FILE, NetworkMetadata, read_network_metadata
from tritonocr_backend.core.settings import read_pipeline_settings
from tritonocr_backend.repository.build import add_network, remove_network
from tritonocr_backend.repository.network_config import ServingSettings
from tritonocr_backend.server.processes import model_of
from tritonocr_backend.server.restrictions import ADMIN_KEY_VARIABLE, admin_headers, admin_key_of
from tritonocr_backend.zoo.errors import ZooError
from tritonocr_backend.zoo.names import check_model_name

DEFAULT_URL = "localhost:8001"

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "[::1]"})  # noqa: S104
_QUIET_S = 1.0
_DRAIN_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ModelCost:
    """What one served model costs.

    Attributes:
        name: The name it is served under.
        memory_bytes: Of its processes; pages that processes share are divided among them (PSS). None where
            the server runs on another machine.
        load_time_s: How long its slowest instance took to load; None where the model does not say.
    """

    name: str
    memory_bytes: int | None
    load_time_s: float | None


@dataclass(frozen=True)
class Costs:
    """What a running server costs.

    Attributes:
        url: Its gRPC endpoint.
        models: What it serves.
        server_memory_bytes: Memory of tritonserver itself, None where it runs on another machine.
    """

    url: str
    models: tuple[ModelCost, ...]
    server_memory_bytes: int | None

    @property
    def memory_bytes(self) -> int | None:
        """All of it."""
        parts = [self.server_memory_bytes, *(model.memory_bytes for model in self.models)]
        return None if self.server_memory_bytes is None else sum(part or 0 for part in parts)

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**asdict(self), "memory_bytes": self.memory_bytes}


def served_models(url: str = DEFAULT_URL) -> tuple[str, ...]:
    """Names of the models that the server at `url` (host:port of gRPC) has ready, sorted.

    Raises:
        ServerError: No server answers there.
    """
    with connected(url) as client:
        # Not the repository's index, which a server with model control shows to its administrator alone.
        ready = client.get_inference_statistics().model_stats
    return tuple(sorted({model.name for model in ready}))


def costs(url: str = DEFAULT_URL) -> Costs:
    """Memory and load time of what the server serves (raises ServerError where none answers)."""
    names = served_models(url)
    server = _local_server(url)
    memory_bytes = _memory_bytes(server) if server else {}
    load_times_s = _load_times_s(server) if server else {}
    models = (ModelCost(name, memory_bytes.get(name), load_times_s.get(name)) for name in names)
    return Costs(url, tuple(models), server.memory_full_info().pss if server else None)


def repository_of(url: str = DEFAULT_URL) -> Path:
    """The model repository of a server on this machine.

    Raises:
        ServerError: None is found; it may run on another machine, or under another user.
    """
    server = _local_server(url)
    if server is None:
        raise ServerError(f"no server for {url} is found on this machine; name its model repository")
    return Path(_argument(server, "--model-repository"))


def _local_server(url: str) -> psutil.Process | None:
    host, _, port = url.rpartition(":")
    if host not in _LOCAL_HOSTS:
        return None
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "tritonserver" and f"--grpc-port={port}" in (
            process.info["cmdline"] or []
        ):
            return process
    return None


def admin_headers_of(url: str) -> Mapping[str, str]:
    """The environment's key, or that of a server on this machine, whose arguments its users can read."""
    server = _local_server(url)
    key = os.environ.get(ADMIN_KEY_VARIABLE) or (admin_key_of(server.cmdline()) if server else None)
    return admin_headers(key)


def _argument(server: psutil.Process, flag: str) -> str:
    return next(text.partition("=")[2] for text in server.cmdline() if text.startswith(f"{flag}="))


def _memory_bytes(server: psutil.Process) -> dict[str, int]:
    """Return the memory in bytes of each Python model's processes."""
    memory_bytes: dict[str, int] = {}
    for process in server.children(recursive=True):
        with suppress(psutil.Error):  # the process has just ended
            if name := model_of(process):
                memory_bytes[name] = memory_bytes.get(name, 0) + process.memory_full_info().pss
    return memory_bytes


def _load_times_s(server: psutil.Process) -> dict[str, float]:
    """The models' own metric, where Triton's metrics are served."""
    try:
        url = f"http://{_argument(server, '--metrics-address')}:{_argument(server, '--metrics-port')}/metrics"
        text = httpx.get(url, timeout=5).text
    except (StopIteration, httpx.HTTPError):
        return {}
    found: dict[str, float] = {}
    for name, value in re.findall(
        rf'^{LOAD_TIME_METRIC}{{.*?model="([^"]+)".*?}} (\S+)$', text, re.MULTILINE
    ):
        found[name] = max(found.get(name, 0.0), float(value))
    return found


def add_model(name: str, model_dir: Path, repository: Path, url: str = DEFAULT_URL) -> None:
    """Write a network's folder into the repository and have the running server load it.

    Requests see it once it is loaded; one of that name is replaced. It is run as the networks that are there
    already: same engine, device and precision.

    Args:
        name: The name to serve it under.
        model_dir: Its files in PaddleX's layout.
        repository: The server's model repository.
        url: The server's gRPC endpoint, host:port.

    Raises:
        ModelFormatError: The model does not fit its role.
        ServerError: No server answers, it does not allow models to be loaded, or the model does not load.
    """
    target = repository / check_model_name(name)
    # Beside the repository: renaming stays on one file system, and Triton does not take it for a model.
    with tempfile.TemporaryDirectory(dir=repository.parent, prefix=f".{repository.name}-") as directory:
        built, previous = Path(directory, "repository"), Path(directory, "previous")
        built.mkdir()
        add_network(built, name, model_dir, _serving_settings(repository))
        if target.exists():  # Triton answers with the earlier one until the new one is loaded
            target.rename(previous)
        else:
            (built / name / HIDDEN_FILE).touch()
        (built / name).rename(target)
        try:
            with connected(url) as client:
                client.load_model(name, headers=admin_headers_of(url))
        except ServerError:
            remove_network(repository, name)
            if previous.exists():
                previous.rename(target)
            raise
    (target / HIDDEN_FILE).unlink(missing_ok=True)
    _touch(repository)


def remove_model(name: str, repository: Path, url: str = DEFAULT_URL) -> None:
    """Have the server unload a network once the requests that use it are answered, and delete its folder.

    Args:
        name: The name it is served under.
        repository: The server's model repository.
        url: The server's gRPC endpoint, host:port.

    Raises:
        ZooError: The pipeline needs it, or it is not there.
        ServerError: No server answers, or it does not allow models to be unloaded.
    """
    if name not in _cards(repository):
        raise ZooError(f"{name} is no network of {repository}; those are {', '.join(_cards(repository))}")
    if name in read_pipeline_settings(repository / "ocr" / "1").networks.values():
        raise ZooError(
            f"{name} is what the pipeline uses unless a request names another; it cannot be removed"
        )
    with connected(url) as client:
        (repository / name / HIDDEN_FILE).touch()
        _touch(repository)
        if client.is_model_ready(name):  # not where it waits for its first request
            _drain(client, name)
            client.unload_model(name, headers=admin_headers_of(url))
    remove_network(repository, name)


def _touch(repository: Path) -> None:
    """Make `ocr` look into the repository again: it does so when the folder's time changes."""
    os.utime(repository)


def _drain(client: tritonclient.grpc.InferenceServerClient, name: str) -> None:
    """Wait until the model has had nothing to do for a while: a page in flight may still come to it."""
    deadline = time.monotonic() + _DRAIN_TIMEOUT_S
    quiet_since, executions = time.monotonic(), -1
    while time.monotonic() < min(deadline, quiet_since + _QUIET_S):
        now = sum(stats.execution_count for stats in client.get_inference_statistics(name).model_stats)
        if now != executions:
            quiet_since, executions = time.monotonic(), now
        time.sleep(_QUIET_S / 10)


def _cards(repository: Path) -> dict[str, NetworkMetadata]:
    paths = sorted(repository.glob("*/1/network.json"))
    return {card.name: card for card in (read_network_metadata(path.parent) for path in paths)}


def _serving_settings(repository: Path) -> ServingSettings:
    cards = list(_cards(repository).values())
    if not cards:
        return ServingSettings()
    compiled = [card for card in cards if card.tensorrt_options]
    first = cards[0]
    return replace(
        ServingSettings(),
        engine=first.engine,
        device=first.device,
        backend=first.backend,
        accelerator="tensorrt" if compiled else "cuda",
        engine_cache=compiled[0].engine_cache if compiled else ServingSettings().engine_cache,
        precision_of_role={card.role: card.precision for card in cards},
        threads={card.role: card.threads for card in cards},
    )


@contextmanager
def connected(url: str) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    """A client whose errors are sentences."""
    try:
        with tritonclient.grpc.InferenceServerClient(url) as client:
            yield client
    except InferenceServerException as error:
        raise ServerError(_sentence(url, error)) from None


def _sentence(url: str, error: InferenceServerException) -> str:
    if error.status() == "StatusCode.UNAVAILABLE" and "failed to connect" in error.message():
        return f"no server answers at {url}"
    if "explicit model load / unload is not allowed" in error.message():
        return (
            f"the server at {url} does not let models be loaded or unloaded; "
            "start it with `tritonocr serve --model-control`"
        )
    if "protocol is restricted" in error.message() or "API is restricted" in error.message():
        return f"the server at {url} asks for its admin key: give it in {ADMIN_KEY_VARIABLE}"
    return f"the server at {url} says: {error.message()}"
