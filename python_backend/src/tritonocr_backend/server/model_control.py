"""List, measure, load and unload the models of a running tritonserver.

Loading and unloading use Triton's model repository extension. The server must run with
explicit model control.
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
from tritonocr_common.triton_messages import (
    is_admin_key_required,
    is_model_control_off,
    is_not_connected,
)

DEFAULT_URL = "localhost:8001"

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "[::1]"})  # noqa: S104
_QUIET_S = 1.0
_DRAIN_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ModelCost:
    """The memory and the load time of one model.

    Attributes:
        name: name of the model.
        memory_bytes: memory of the model's processes in bytes, as proportional set size (PSS). None if the
            server runs on another machine.
        load_time_s: load time of the slowest instance in seconds; None if the model does not report it.
    """

    name: str
    memory_bytes: int | None
    load_time_s: float | None


@dataclass(frozen=True)
class Costs:
    """The memory and the load times of a running server.

    Attributes:
        url: gRPC endpoint of the server, host:port.
        models: the models that are ready.
        server_memory_bytes: memory of the tritonserver process in bytes (PSS); None if the server runs on
            another machine.
    """

    url: str
    models: tuple[ModelCost, ...]
    server_memory_bytes: int | None

    @property
    def memory_bytes(self) -> int | None:
        """Return the total memory in bytes; None if the server runs on another machine."""
        parts = [self.server_memory_bytes, *(model.memory_bytes for model in self.models)]
        return None if self.server_memory_bytes is None else sum(part or 0 for part in parts)

    def as_json(self) -> dict[str, Any]:
        """Return the costs as JSON values, with the total in `memory_bytes`."""
        return {**asdict(self), "memory_bytes": self.memory_bytes}


def served_models(url: str = DEFAULT_URL) -> tuple[str, ...]:
    """Return the sorted names of the models that are ready.

    Args:
        url: gRPC endpoint of the server, host:port.

    Raises:
        ServerError: no server answers at `url`.
    """
    with connected(url) as client:
        # The statistics need no admin key. With model control, the repository index does.
        ready = client.get_inference_statistics().model_stats
    return tuple(sorted({model.name for model in ready}))


def costs(url: str = DEFAULT_URL) -> Costs:
    """Measure the memory and the load time of each model that is ready.

    Args:
        url: gRPC endpoint of the server, host:port.

    Raises:
        ServerError: no server answers at `url`.
    """
    names = served_models(url)
    server = _local_server(url)
    memory_bytes = _memory_bytes(server) if server else {}
    load_times_s = _load_times_s(server) if server else {}
    models = (ModelCost(name, memory_bytes.get(name), load_times_s.get(name)) for name in names)
    return Costs(url, tuple(models), server.memory_full_info().pss if server else None)


def repository_of(url: str = DEFAULT_URL) -> Path:
    """Return the model repository of a server on this machine.

    Args:
        url: gRPC endpoint of the server, host:port.

    Raises:
        ServerError: no process of this machine is that server. The server may run on another machine or
            under another user.
    """
    server = _local_server(url)
    if server is None:
        raise ServerError(
            f"no tritonserver for {url} runs on this machine; state the path of its model repository"
        )
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
    """Return the header with the admin key, or no header without a key.

    The key comes from the environment variable, or else from the arguments of the server on this machine.
    """
    server = _local_server(url)
    key = os.environ.get(ADMIN_KEY_VARIABLE) or (admin_key_of(server.cmdline()) if server else None)
    return admin_headers(key)


def _argument(server: psutil.Process, flag: str) -> str:
    return next(text.partition("=")[2] for text in server.cmdline() if text.startswith(f"{flag}="))


def _memory_bytes(server: psutil.Process) -> dict[str, int]:
    """Return the memory in bytes of each Python model's processes."""
    memory_bytes: dict[str, int] = {}
    for process in server.children(recursive=True):
        with suppress(psutil.Error):  # the process has ended since
            if name := model_of(process):
                memory_bytes[name] = memory_bytes.get(name, 0) + process.memory_full_info().pss
    return memory_bytes


def _load_times_s(server: psutil.Process) -> dict[str, float]:
    """Return the load times in seconds from Triton's metrics; empty if the metrics cannot be read."""
    try:
        url = f"http://{_argument(server, '--metrics-address')}:{_argument(server, '--metrics-port')}/metrics"
        metrics = httpx.get(url, timeout=5).text
    except (StopIteration, httpx.HTTPError):
        return {}
    load_times_s: dict[str, float] = {}
    for name, value in re.findall(
        rf'^{LOAD_TIME_METRIC}{{.*?model="([^"]+)".*?}} (\S+)$', metrics, re.MULTILINE
    ):
        load_times_s[name] = max(load_times_s.get(name, 0.0), float(value))
    return load_times_s


def add_model(name: str, model_dir: Path, repository: Path, url: str = DEFAULT_URL) -> None:
    """Write a network's folder into the repository and load the network into the running server.

    Requests can use the network after it is loaded. A network of the same name is replaced. The new network
    uses the engine, device and precision of the networks that are already in the repository.

    Args:
        name: model name for requests.
        model_dir: directory with the network in PaddleX's layout.
        repository: model repository of the server.
        url: gRPC endpoint of the server, host:port.

    Raises:
        ModelFormatError: the model does not fit its role.
        ServerError: no server answers, the server does not allow model control, or the model does not load.
    """
    target = repository / check_model_name(name)
    # Beside the repository: the rename stays on one file system, and Triton does not see a model there.
    with tempfile.TemporaryDirectory(dir=repository.parent, prefix=f".{repository.name}-") as directory:
        built, previous = Path(directory, "repository"), Path(directory, "previous")
        built.mkdir()
        add_network(built, name, model_dir, _serving_settings(repository))
        if target.exists():  # Triton uses the previous network until the new one is loaded
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
    """Unload a network after its requests in flight have finished, and delete its folder.

    Args:
        name: name of the network.
        repository: model repository of the server.
        url: gRPC endpoint of the server, host:port.

    Raises:
        ZooError: the repository has no such network, or the pipeline uses the network by default.
        ServerError: no server answers, or the server does not allow model control.
    """
    networks = _network_metadata(repository)
    if name not in networks:
        raise ZooError(f"model {name} is not in {repository}; expected one of {', '.join(networks)}")
    if name in read_pipeline_settings(repository / "ocr" / "1").networks.values():
        raise ZooError(f"model {name} cannot be removed, because the pipeline uses it by default")
    with connected(url) as client:
        (repository / name / HIDDEN_FILE).touch()
        _touch(repository)
        if client.is_model_ready(name):  # False if no request has loaded the network yet
            _drain(client, name)
            client.unload_model(name, headers=admin_headers_of(url))
    remove_network(repository, name)


def _touch(repository: Path) -> None:
    """Update the modification time of the repository, so that `ocr` lists the networks again."""
    os.utime(repository)


def _drain(client: tritonclient.grpc.InferenceServerClient, name: str) -> None:
    """Wait until the model has run no request for `_QUIET_S` seconds; a page in flight may still need it."""
    deadline = time.monotonic() + _DRAIN_TIMEOUT_S
    quiet_since, executions = time.monotonic(), -1
    while time.monotonic() < min(deadline, quiet_since + _QUIET_S):
        now = sum(stats.execution_count for stats in client.get_inference_statistics(name).model_stats)
        if now != executions:
            quiet_since, executions = time.monotonic(), now
        time.sleep(_QUIET_S / 10)


def _network_metadata(repository: Path) -> dict[str, NetworkMetadata]:
    """Return the metadata of each network in a repository, by the name of the network."""
    networks = (read_network_metadata(path.parent) for path in sorted(repository.glob("*/1/network.json")))
    return {network.name: network for network in networks}


def _serving_settings(repository: Path) -> ServingSettings:
    """Return the settings with which the networks of a repository run."""
    networks = list(_network_metadata(repository).values())
    if not networks:
        return ServingSettings()
    compiled = [network for network in networks if network.tensorrt_options]
    first = networks[0]
    return replace(
        ServingSettings(),
        engine=first.engine,
        device=first.device,
        backend=first.backend,
        accelerator="tensorrt" if compiled else "cuda",
        engine_cache=compiled[0].engine_cache if compiled else ServingSettings().engine_cache,
        precision_of_role={network.role: network.precision for network in networks},
        threads={network.role: network.threads for network in networks},
    )


@contextmanager
def connected(url: str) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    """Connect to a server, and convert its errors to ServerError.

    Args:
        url: gRPC endpoint of the server, host:port.

    Raises:
        ServerError: the server does not answer, or rejects a request.
    """
    try:
        with tritonclient.grpc.InferenceServerClient(url) as client:
            yield client
    except InferenceServerException as error:
        raise ServerError(_error_message(url, error)) from None


def _error_message(url: str, error: InferenceServerException) -> str:
    message = error.message()
    if is_not_connected(message):
        return f"no server answers at {url}"
    if is_model_control_off(message):
        return (
            f"the server at {url} does not allow model control; "
            "start the server with `tritonocr serve --model-control`"
        )
    if is_admin_key_required(message):
        return (
            f"the server at {url} requires its admin key; set the environment variable {ADMIN_KEY_VARIABLE}"
        )
    return f"the server at {url} returned an error: {message}"
