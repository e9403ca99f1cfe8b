"""PaddleX's interface: `create_pipeline().predict()`."""

from __future__ import annotations

import atexit
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._arguments import DEFAULT_JOBS, DEFAULT_TIMEOUT_S
from ._client import OCRClient
from ._embedded import start_server
from ._paddlex_config import PIPELINE_NAME, ignored_keys, model_dirs, options_of, pipeline_config, preset_path
from ._results.failure import OCRFailure
from ._results.result import OCRResult
from ._transport.address import Urls, split_urls
from ._transport.connect import checked_addresses
from ._transport.tls import TLS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tritonocr_common.presets import Preset

    from ._arguments import ClientArguments, PredictArguments


class IgnoredArgumentWarning(UserWarning):
    """An argument of PaddleX has no effect on a running server."""


def create_pipeline(
    pipeline: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
    device: str | None = None,
    use_hpip: bool = False,
    *,
    preset: Preset | None = None,
    url: Urls | None = None,
    jobs: int = DEFAULT_JOBS,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    headers: Mapping[str, str] | None = None,
    tls: TLS | None = None,
) -> OCRPipeline:
    """Make a pipeline on a running server, or start a server for it.

    Args:
        pipeline: `OCR`, the only one, or the path of PaddleX's `OCR.yaml`.
        config: PaddleX's configuration as a dict; it takes precedence over a file.
        device: `cpu`, `gpu:0` and so on, for a server that starts here; None lets the server choose.
        use_hpip: accepted for compatibility; the server always uses its fastest engine.
        preset: models by a short name instead of a configuration: `paddlex` (the default), `fast` (PP-OCRv6
            tiny) or `accurate` (PP-OCRv6 small). A running server must serve these models.
        url: address of a running server, or several, as for `OCRClient`; None starts a server on this
            machine, which stops with the pipeline or with Python.
        jobs: files that `predict()` has in flight at the same time.
        timeout_s: seconds that one file may take; None waits forever.
        headers: sent with every request.
        tls: certificates, for a url that begins with `grpcs://` or `https://`.

    Raises:
        InvalidInputError: another pipeline than OCR, a configuration that cannot be read, an unknown preset,
            a preset beside a configuration, a wrong address, certificates for a server without TLS, or a
            device that does not exist.
        MissingExtraError: no url, and `tritonocr-server` is not installed.
        ServerUnavailableError: the server on this machine did not start.
    """
    checked_addresses(url, tls)
    pipeline = PIPELINE_NAME if pipeline is None else pipeline
    if preset is not None:
        pipeline = preset_path(preset, pipeline, config)
    content = pipeline_config(pipeline, config)
    options = options_of(content or {})
    arguments: dict[str, Any] = {"jobs": jobs, "timeout_s": timeout_s, "headers": headers}
    if url is None:
        # The file itself: an error then names its line.
        address, stop = start_server(content if config or not content else Path(pipeline), device)
        return OCRPipeline(address, device=device, stop=stop, options=options, **arguments)
    for sentence in _ignored(content, device, ",".join(split_urls(url))):
        warnings.warn(sentence, IgnoredArgumentWarning, stacklevel=2)
    return OCRPipeline(url, options=options, tls=tls, **arguments)


class OCRPipeline(OCRClient):
    """PaddleX's pipeline object: an `OCRClient` that requests page pictures, so that results can be drawn.

    A drawing needs the page as the server read it: turned, unwarped or rendered from PDF. The response has it
    as a JPEG, which costs up to 15 % of the time of a 35-megapixel scan; `return_page_images=False` saves it.

    Make it with `create_pipeline()`. It is a context manager; `close()` also stops its own server.
    """

    def __init__(
        self,
        url: Urls,
        *,
        device: str | None = None,
        stop: Callable[[], None] | None = None,
        **arguments: Unpack[ClientArguments],
    ) -> None:
        given = arguments.get("options") or {}
        arguments["options"] = {"return_page_images": True, **given}
        super().__init__(url, **arguments)
        self._device = device
        self._stop = stop
        self._process_id = os.getpid()
        if stop is not None:
            atexit.register(self.close)

    def predict(
        self,
        input: Any,  # noqa: A002 (PaddleX's name)
        *,
        device: str | None = None,
        **arguments: Unpack[PredictArguments],
    ) -> Iterator[OCRResult | OCRFailure]:
        """Read files as `OCRClient.predict()` does, with its arguments and errors.

        Args:
            input: see there.
            device: accepted for compatibility; the server's device was chosen when it started.
            **arguments: see there.
        """
        if device not in (None, self._device):
            warnings.warn(_ignored_device(device, self.url), IgnoredArgumentWarning, stacklevel=2)
        return super().predict(input, **arguments)

    def close(self) -> None:
        """Close the connection, and stop the server that was started here.

        In a forked child, the server continues for the parent.
        """
        super().close()
        if self._stop is not None and os.getpid() == self._process_id:
            stop, self._stop = self._stop, None
            atexit.unregister(self.close)
            stop()


def _ignored(content: Mapping[str, Any] | None, device: str | None, url: str) -> Iterator[str]:
    """Yield a sentence for each setting that has no effect on a running server."""
    if device is not None:
        yield _ignored_device(device, url)
    for directory in model_dirs(content):
        yield f"model_dir {directory!r} is ignored: a running server has models of its own."
    for key in ignored_keys(content):
        yield f"{key} of the pipeline's configuration has no meaning here and is ignored."


def _ignored_device(device: str | None, url: str) -> str:
    return f"device={device!r} is ignored: the server at {url} chose its device when it started."
