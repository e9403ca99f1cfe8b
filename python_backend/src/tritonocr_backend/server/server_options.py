"""Define the options of tritonserver, and convert them to its command line."""

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
"""Values of --log-info, --log-warning and --log-verbose per log level."""


class Ports(NamedTuple):
    """The ports that tritonserver listens on."""

    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True)
class ServerOptions:
    """Options of tritonserver.

    Attributes:
        name: name of the server in log lines; "" for the only server.
        host: address of the gRPC port, and of the other ports unless `http_host` states another.
        http_host: address of the HTTP and metrics ports. None uses `host` without TLS and loopback with TLS,
            because Triton's HTTP endpoint has no TLS and would expose the server in clear text.
        http_port: HTTP port; 0 uses a free port.
        grpc_port: gRPC port; 0 uses a free port.
        metrics_port: metrics port; 0 uses a free port.
        log_level: error, warning, info or verbose.
        log_file: file for the output of tritonserver; None uses the output of this process.
        log_format: text or json. json writes one object per line to standard error of this process. With
            `log_file`, the lines of tritonserver itself stay text.
        log_requests: whether `ocr` logs one line per request.
        model_control: whether clients with `admin_key` can load and unload models.
        admin_key: required value of the header `ADMIN_HEADER` in requests to `RESTRICTED_APIS`: 16 to 256
            letters, digits, `-`, `.`, `_` and `~`. "" generates a random key.
        tls: certificates of the gRPC port; None uses clear text.
        unloaded_models: models that the first request for them loads; only with `model_control`.
        ready_timeout_s: time limit in seconds for loading the models.
        exit_timeout_s: time limit in seconds for requests in flight when the server stops.
        extra_arguments: further arguments of tritonserver, passed on unchanged.
    """

    name: str = ""
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
        """Return the address of the HTTP and metrics ports."""
        return self.http_host or (LOOPBACK if self.tls else self.host)

    @property
    def is_log_relayed(self) -> bool:
        """Return whether this process converts the output of tritonserver to JSON."""
        return self.log_format == "json" and self.log_file is None


def arguments(
    options: ServerOptions, repository: Path, ports: Ports, backends: Path, region_prefix: str
) -> list[str]:
    """Return the command-line arguments of tritonserver.

    Args:
        options: options of tritonserver.
        repository: model repository.
        ports: ports that tritonserver listens on.
        backends: backend directory.
        region_prefix: name prefix of the shared memory regions.

    Raises:
        ServerError: the admin key is malformed, or a TLS file cannot be read.
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
        *_request_pool(options.extra_arguments),
        *(triton_log.ARGUMENTS if options.is_log_relayed else ()),
        *options.extra_arguments,
    ]


def _request_pool(extra_arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the option that lets Triton free its requests.

    By default it keeps 8 requests for reuse, with the memory of the largest message of each. Without them it
    loses some spans of traces.
    """
    traces = any(argument.startswith("--trace-config") for argument in extra_arguments)
    return () if traces else ("--grpc-infer-allocation-pool-size=0",)


def _model_control(repository: Path, unloaded: Sequence[str]) -> list[str]:
    names = ["*"]
    if unloaded:
        present = sorted(path.parent.name for path in repository.glob("*/config.pbtxt"))
        names = [name for name in present if name not in unloaded]
    return ["--model-control-mode=explicit", *(f"--load-model={name}" for name in names)]
