"""Start a server on this machine, for `create_pipeline()` without a URL; needs `tritonocr-server`."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._exceptions import InvalidInputError, MissingExtraError, ServerUnavailableError

if TYPE_CHECKING:
    from tritonocr_backend.server.embedded import EmbeddedServer


def start_server(
    config: Mapping[str, Any] | Path | None, device: str | None
) -> tuple[str, Callable[[], None]]:
    """Fetch the models, start tritonserver and wait until it is ready.

    Args:
        config: PaddleX's configuration, or the path of its file; None for the default one.
        device: PaddleX's device name; None lets the server choose.

    Returns:
        The server's gRPC address, and a function that stops the server.

    Raises:
        InvalidInputError: the configuration is wrong; the message names the line and the key. Or no device
            has that name; the message lists the known devices.
        MissingExtraError: `tritonocr-server` is not installed.
        ServerUnavailableError: a model cannot be fetched, or the server does not start; the message has the
            reason.
    """
    _check_installed()
    with ExitStack() as stack:
        # Not a TemporaryDirectory: a forked child that exits would delete it while the parent uses it.
        directory = Path(tempfile.mkdtemp(prefix="tritonocr-pipeline-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        with _client_errors(config):
            server = stack.enter_context(_server(directory, config, device))
        return server.grpc_url, stack.pop_all().close


def _check_installed() -> None:
    try:
        import tritonocr_backend.cli.reporting
        import tritonocr_backend.server.embedded  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Without a url, a server is started here, which needs: pip install tritonocr-server.",
            name=error.name,
        ) from error


@contextmanager
def _client_errors(config: Mapping[str, Any] | Path | None) -> Iterator[None]:
    """Raise the server package's errors as those of the client."""
    from tritonocr_backend.core.devices import DeviceNameError
    from tritonocr_backend.core.errors import TritonOcrError
    from tritonocr_backend.zoo.errors import PipelineConfigError

    try:
        yield
    except PipelineConfigError as error:
        # The caller's dict was written to a temporary file; its path means nothing to the caller.
        sentence = str(error) if isinstance(config, Path) else f"config: {error.problem}"
        raise InvalidInputError(sentence) from error
    except DeviceNameError as error:
        raise InvalidInputError(str(error)) from error
    except TritonOcrError as error:
        raise ServerUnavailableError(f"The embedded server did not start: {error}") from error


def _server(directory: Path, config: Mapping[str, Any] | Path | None, device: str | None) -> EmbeddedServer:
    """Prepare a server whose files lie in a directory."""
    from tritonocr_backend.cli.reporting import fetch_tritonserver
    from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

    fetch_tritonserver()
    repository = _build(directory, config, device)
    # The server's log would appear between the results on the terminal; errors quote it.
    return EmbeddedServer(repository, ServerOptions(log_file=directory / "server.log"), directory)


def _build(directory: Path, config: Mapping[str, Any] | Path | None, device: str | None) -> Path:
    """Write the model repository for a configuration."""
    from tritonocr_backend.cli.reporting import progress_bar
    from tritonocr_backend.repository import pipeline_config
    from tritonocr_backend.repository.prepare import prepare_repository
    from tritonocr_backend.repository.serving_settings import ServingSettings

    file = config if isinstance(config, Path) else directory / "OCR.yaml"
    if config is None:
        file.write_text(pipeline_config.default_text(), encoding="utf-8")
    elif not isinstance(config, Path):
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    pipeline = pipeline_config.load(file)
    for sentence in pipeline.warnings:
        warnings.warn(sentence, stacklevel=5)
    serving = ServingSettings() if device is None else ServingSettings(device=device)
    return prepare_repository(directory / "repository", pipeline, serving=serving, progress_of=progress_bar)
