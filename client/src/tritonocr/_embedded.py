"""Start a server on this machine, for `create_pipeline()` without a URL; needs `tritonocr-server`."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ._exceptions import InvalidInputError, MissingExtraError, ServerUnavailableError


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
    try:
        from tritonocr_backend.cli.reporting import fetch_tritonserver
        from tritonocr_backend.core.devices import DeviceNameError
        from tritonocr_backend.core.errors import TritonOcrError
        from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
        from tritonocr_backend.zoo.errors import PipelineConfigError
    except ImportError as error:
        raise MissingExtraError(
            "Without a url, a server is started here, which needs: pip install tritonocr-server.",
            name=error.name,
        ) from error

    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tritonocr-pipeline-")))
        try:
            fetch_tritonserver()
            repository = _build(directory, config, device)
            # The server's log would appear between the results on the terminal; errors quote it.
            server_options = ServerOptions(log_file=directory / "server.log")
            server = stack.enter_context(EmbeddedServer(repository, server_options, directory))
        except PipelineConfigError as error:
            # The caller's dict was written to a temporary file; its path means nothing to the caller.
            sentence = str(error).replace(f"{directory / 'OCR.yaml'}:1: ", "config: ")
            raise InvalidInputError(sentence) from error
        except DeviceNameError as error:
            raise InvalidInputError(str(error)) from error
        except TritonOcrError as error:
            raise ServerUnavailableError(f"The embedded server did not start: {error}") from error
        return server.grpc_url, stack.pop_all().close


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
    asked = pipeline_config.load(file)
    for sentence in asked.warnings:
        warnings.warn(sentence, stacklevel=5)
    serving = ServingSettings() if device is None else ServingSettings(device=device)
    return prepare_repository(directory / "repository", asked, serving=serving, progress_of=progress_bar)
