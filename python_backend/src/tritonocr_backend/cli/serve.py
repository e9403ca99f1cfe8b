"""`tritonocr serve`: run the server in the foreground until SIGTERM or Ctrl-C."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from tritonocr_backend.cli.options import (
    ComputedIn,
    MoreModels,
    OcrInstances,
    PipelineFile,
    PresetName,
    RecognitionInstances,
)
from tritonocr_backend.cli.reporting import exit_on_error, fetch_tritonserver
from tritonocr_backend.cli.running import run, stop_on_signal
from tritonocr_backend.cli.served_models import ServedModels
from tritonocr_backend.core import logs
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.core.limits import LIMITS
from tritonocr_backend.core.logs import LogFormat
from tritonocr_backend.repository.serving_settings import AdapterModel, Engine
from tritonocr_backend.server.embedded import ServerOptions
from tritonocr_backend.server.ports import bound
from tritonocr_backend.server.reload_socket import SCRATCH_PREFIX, Report
from tritonocr_backend.server.replicas import Replicas, replica_options
from tritonocr_backend.server.restrictions import ADMIN_KEY_VARIABLE, TlsFiles
from tritonocr_backend.server.server_options import LogLevel


def _known_adapters(names: list[str] | None) -> list[str] | None:
    """Check the names of `--adapter`."""
    known = get_args(AdapterModel)
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(known)}.")
    return names


def serve(
    pipeline: PipelineFile = None,
    preset: PresetName = None,
    model: MoreModels = None,
    repository: Annotated[
        Path | None,
        typer.Option(help="Directory for the model repository.", show_default="a temporary directory"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0: all addresses.")] = "127.0.0.1",
    http_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of HTTP; 0 selects a free port.")
    ] = 8000,
    grpc_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of gRPC; 0 selects a free port.")
    ] = 8001,
    metrics_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the metrics; 0 selects a free port.")
    ] = 8002,
    device: Annotated[str, typer.Option(help="Device, as in PaddleX: cpu, gpu:0, npu:0 …")] = "cpu",
    engine: Annotated[Engine, typer.Option(help="Inference engine of the networks.")] = "auto",
    precision: ComputedIn = "auto",
    serving: Annotated[
        Path | None, typer.Option(help="File with engine and instance settings, written by `tritonocr tune`.")
    ] = None,
    adapter: Annotated[
        list[str] | None,  # typer has no lists of Literal
        typer.Option(
            help=f"Also serve a model for another program: {', '.join(get_args(AdapterModel))}; repeatable.",
            callback=_known_adapters,
        ),
    ] = None,
    exact: Annotated[
        bool,
        typer.Option(help="Process pages exactly as PaddleX does; this is slower and not more accurate."),
    ] = False,
    ocr_instances: OcrInstances = None,
    recognition_instances: RecognitionInstances = None,
    replicas: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of tritonservers, which share the cores; `tritonocr reload` restarts them one after "
            "the other. Ports of the next replica: + 10.",
        ),
    ] = 1,
    http_host: Annotated[
        str | None,
        typer.Option(
            help="Address of HTTP and metrics, which have no TLS.", show_default="--host; with TLS 127.0.0.1"
        ),
    ] = None,
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            help="PEM file of the server's certificate, for TLS of gRPC and the gateway; requires --tls-key."
        ),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="PEM file of the private key of --tls-certificate.")
    ] = None,
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(help="PEM file of an authority that must have signed the certificates of gRPC clients."),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Limit of requests as NAME=VALUE; repeatable. Names: {', '.join(LIMITS)}.",
            show_default="see docs/security.md",
        ),
    ] = None,
    model_control: Annotated[
        bool, typer.Option(help="Allow clients with the admin key to load and unload models.")
    ] = False,
    admin_key: Annotated[
        str,
        typer.Option(
            envvar=ADMIN_KEY_VARIABLE,
            help="Key that clients need to load models, register shared memory, or set tracing and logging.",
            show_default="a generated key; `tritonocr models add` finds it on this machine",
        ),
    ] = "",
    lazy: Annotated[
        bool, typer.Option(help="Load each --model when a request first names it; requires --model-control.")
    ] = False,
    gateway: Annotated[bool, typer.Option(help="Also serve POST /ocr and the web page.")] = False,
    gateway_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the gateway; 0 selects a free port.")
    ] = 8080,
    log_level: Annotated[LogLevel, typer.Option(help="Log level of tritonserver.")] = "warning",
    log_format: Annotated[
        LogFormat,
        typer.Option(
            envvar=logs.FORMAT_VARIABLE,
            help="Format of log lines; json: one JSON object per line, on standard error.",
        ),
    ] = "text",
    log_requests: Annotated[
        bool,
        typer.Option(
            envvar=logs.REQUESTS_VARIABLE,
            help="Log one line per request: id, pages, lines and milliseconds per stage.",
        ),
    ] = False,
    tritonserver: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TRITONSERVER_OPTION",
            help="After --: tritonserver's own options, such as --trace-config=...",
        ),
    ] = None,
) -> None:
    """Serve OCR over gRPC and HTTP until Ctrl-C.

    Examples:
    tritonocr serve

    tritonocr serve --preset fast

    tritonocr serve --model japan_PP-OCRv3_mobile_rec --ocr-instances 8

    tritonocr config > OCR.yaml; tritonocr serve --pipeline OCR.yaml --gateway

    tritonocr serve --replicas 2 --gateway
    """
    _check_model_control(model_control=model_control, lazy=lazy, replicas=replicas)
    tls = _tls(tls_certificate, tls_key, tls_client_ca)
    logs.configure(logs.environment(log_format, log_requests))
    started_s = time.monotonic()
    served = ServedModels(
        pipeline=pipeline,
        preset=preset,
        models=model or (),
        serving=serving,
        device=device,
        engine=engine,
        precision=precision,
        instances={"ocr": ocr_instances, "text_recognition": recognition_instances},
        adapters=cast(list[AdapterModel], adapter or []),
        exact=exact,
        limits=limit or (),
        replicas=replicas,
    )
    options = ServerOptions(
        host=host,
        http_host=http_host,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        log_level=log_level,
        log_format=log_format,
        log_requests=log_requests,
        extra_arguments=tritonserver or (),
        model_control=model_control,
        tls=tls,
        admin_key=admin_key,
    )
    with exit_on_error(), stop_on_signal(), tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX) as name:
        scratch = Path(name)
        fetch_tritonserver()
        listeners = [bound("gateway_port", host, gateway_port)] if gateway else []
        config = served.pipeline_config()
        directory = served.write_repository(repository or scratch / "repository", config)
        later = {*(model or ())} - {*config.networks.values()} if lazy else ()
        options = replace(options, unloaded_models=tuple(later))
        servers = Replicas(directory, replica_options(options, replicas), scratch)
        folders = (scratch / f"repository-{number}" for number in itertools.count(2))
        prepare_again = partial(_prepare_again, served, folders, model_control)
        run(servers, listeners, prepare_again, scratch, started_s)


def _check_model_control(*, model_control: bool, lazy: bool, replicas: int) -> None:
    if model_control and replicas > 1:
        raise typer.BadParameter(
            "--model-control loads a model into one server; with --replicas, use `tritonocr reload` instead"
        )
    if lazy and not model_control:
        raise typer.BadParameter("--lazy loads models while the server runs: it needs --model-control")


def _prepare_again(
    served: ServedModels, folders: Iterator[Path], model_control: bool, report: Report
) -> Path:
    """Write the repository of a reload, with the settings of this moment, to the next folder.

    Raises:
        ServerError: with `--model-control`, whose added models the new repository would not contain.
        ZooError: a setting is invalid, or a model cannot be fetched.
    """
    if model_control:
        raise ServerError(
            "the server was started with --model-control, and a reload would drop the models that "
            "`tritonocr models add` has added"
        )
    report("reading the settings and models")
    return served.write_repository(next(folders), served.pipeline_config())


def _tls(certificate: Path | None, key: Path | None, client_ca: Path | None) -> TlsFiles | None:
    if (certificate is None) != (key is None) or (client_ca and not certificate):
        raise typer.BadParameter("TLS needs both --tls-certificate and --tls-key")
    return TlsFiles(certificate, key, client_ca) if certificate and key else None
