"""How tritonserver is started: what may be chosen, and the command line that it makes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from tritonocr_backend.core.logs import LogFormat
from tritonocr_backend.server import triton_log
from tritonocr_backend.server.restrictions import TlsFiles, restrictions

LogLevel = Literal["error", "warning", "info", "verbose"]

LOOPBACK = "127.0.0.1"

_LOG_LEVELS: Mapping[LogLevel, tuple[int, int, int]] = {
    "error": (0, 0, 0),
    "warning": (0, 1, 0),
    "info": (1, 1, 0),
    "verbose": (1, 1, 1),
}
"""Whether tritonserver logs information, warnings, and what it does in detail."""


class Ports(NamedTuple):
    """The ports that tritonserver listens on."""

    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True)
class ServerOptions:
    """How tritonserver is started.

    Attributes:
        host: address that all ports bind to.
        http_host: address of HTTP and the metrics; None is `host`, or loopback where `tls` is given: Triton's
            HTTP knows no TLS, and would be a second door in clear text.
        http_port: 0 takes a free one; so for the others.
        grpc_port: likewise.
        metrics_port: likewise.
        log_level: error, warning, info or verbose.
        log_file: where the server's output goes; None leaves it on this process's own.
        log_format: text, or json: an object a line, on this process's standard error; not with `log_file`,
            where tritonserver's own lines stay text.
        log_requests: whether `ocr` logs a line for every request.
        model_control: whether clients that show `admin_key` may load and unload models.
        admin_key: what the header `ADMIN_HEADER` must hold in requests to `RESTRICTED_APIS`; "" makes one
            up. Of letters, digits, `-`, `.`, `_` and `~`.
        tls: certificates of the gRPC port; None serves it in clear text.
        unloaded_models: left for the first request that names them; with `model_control` only.
        ready_timeout_s: how long the models may take to load.
        exit_timeout_s: how long requests in flight may take when the server is told to stop.
        extra_arguments: handed to tritonserver as they are.
    """

    host: str = LOOPBACK
    http_host: str | None = None
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    log_level: LogLevel = "warning"
    log_file: Path | None = None
    log_format: LogFormat = "text"
    log_requests: bool = False
    model_control: bool = False
    admin_key: str = field(default="", repr=False)
    tls: TlsFiles | None = None
    unloaded_models: Sequence[str] = ()
    ready_timeout_s: float = 180
    exit_timeout_s: float = 30
    extra_arguments: Sequence[str] = ()

    @property
    def plain_host(self) -> str:
        """Address of HTTP and the metrics."""
        return self.http_host or (LOOPBACK if self.tls else self.host)

    @property
    def is_log_relayed(self) -> bool:
        """Whether the server's output is made JSON on its way out."""
        return self.log_format == "json" and self.log_file is None


def arguments(
    options: ServerOptions, repository: Path, ports: Ports, backends: Path, region_prefix: str
) -> list[str]:
    """The arguments of tritonserver.

    Args:
        options: what was chosen.
        repository: model repository.
        ports: what it listens on.
        backends: backend directory.
        region_prefix: what the names of its shared memory regions start with.

    Raises:
        ServerError: the admin key or a TLS file cannot be used.
    """
    info, warning, verbose = _LOG_LEVELS[options.log_level]
    return [
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        # Servers on one machine must not touch each other's shared memory.
        f"--backend-config=python,shm-region-prefix-name={region_prefix}",
        f"--http-address={options.plain_host}",
        f"--http-port={ports.http}",
        f"--grpc-address={options.host}",
        f"--grpc-port={ports.grpc}",
        f"--metrics-address={options.plain_host}",
        f"--metrics-port={ports.metrics}",
        f"--log-info={info}",
        f"--log-warning={warning}",
        f"--log-verbose={verbose}",
        f"--exit-timeout-secs={options.exit_timeout_s:.0f}",
        "--disable-auto-complete-config",
        *restrictions(options.admin_key or secrets.token_urlsafe(), options.model_control),
        *(options.tls.arguments() if options.tls else ()),
        *(_model_control(repository, options.unloaded_models) if options.model_control else ()),
        *(triton_log.ARGUMENTS if options.is_log_relayed else ()),
        *options.extra_arguments,
    ]


def _model_control(repository: Path, unloaded: Sequence[str]) -> list[str]:
    names = ["*"]
    if unloaded:
        present = sorted(path.parent.name for path in repository.glob("*/config.pbtxt"))
        names = [name for name in present if name not in unloaded]
    return ["--model-control-mode=explicit", *(f"--load-model={name}" for name in names)]
