"""List, load and unload the models of a running tritonserver.

Loading and unloading use Triton's model repository extension. The server must run with
explicit model control.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.core.network_metadata import HIDDEN_FILE, NetworkMetadata, read_network_metadata
from tritonocr_backend.core.settings import read_pipeline_settings
from tritonocr_backend.repository.networks import add_network, remove_network
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.local_server import find_local_server
from tritonocr_backend.server.restrictions import ADMIN_KEY_VARIABLE, admin_headers
from tritonocr_backend.zoo.errors import ZooError
from tritonocr_backend.zoo.names import check_model_name
from tritonocr_common.triton_messages import (
    is_admin_key_required,
    is_model_control_off,
    is_not_connected,
)

DEFAULT_URL = "localhost:8001"

_QUIET_S = 1.0
_DRAIN_TIMEOUT_S = 60.0


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


def admin_headers_of(url: str) -> Mapping[str, str]:
    """Return the header with the admin key, or no header without a key.

    The key comes from the environment variable, or else from the arguments of the server on this machine.
    """
    if key := os.environ.get(ADMIN_KEY_VARIABLE):
        return admin_headers(key)
    server = find_local_server(url)
    return admin_headers(server.admin_key if server else None)


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
            _load(name, url)
        except ServerError:
            remove_network(repository, name)
            if previous.exists():
                previous.rename(target)
            raise
    (target / HIDDEN_FILE).unlink(missing_ok=True)
    _touch(repository)


def _load(name: str, url: str) -> None:
    with connected(url) as client:
        client.load_model(name, headers=admin_headers_of(url))


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
