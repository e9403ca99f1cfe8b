"""`tritonocr gateway`: one option per setting."""

from __future__ import annotations

import inspect
import logging
import socket
from typing import Annotated, Any, get_args

import typer
import uvicorn
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from tritonocr_common.quoting import quoted
from tritonocr_gateway.app import create_app
from tritonocr_gateway.connections import BACKLOG, bounded_protocol
from tritonocr_gateway.request_log import log_config
from tritonocr_gateway.settings import ENV_PREFIX, Settings

_log = logging.getLogger("tritonocr_gateway")


def gateway(**options: Any) -> None:
    """Serve PaddleX's POST /ocr, other OCR protocols and a web page. The gateway needs a running server.

    Each option can also be set by the environment variable that its description names.

    Examples:
        tritonocr gateway --url localhost:8001 --port 8080

        tritonocr gateway --host 0.0.0.0 --max-concurrent-requests 64 --max-pages 100

        TRITONOCR_REST_API_KEYS=key1,key2 tritonocr gateway --fetch-urls
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise typer.BadParameter(_sentence(error)) from error
    run(settings)


def run(settings: Settings) -> None:
    """Serve until the process gets a signal to stop. Requests in flight have 30 s to finish.

    Raises:
        typer.BadParameter: the gateway cannot listen on the address and port.
    """
    listener = _listen(settings)
    config = uvicorn_config(
        create_app(settings),
        settings,
        log_config=log_config(settings.log_format),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=30,
    )
    _Server(config).run(sockets=[listener])


def uvicorn_config(app: Any, settings: Settings, **arguments: Any) -> uvicorn.Config:
    """Build uvicorn's configuration with the gateway's bounds on connections."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=bounded_protocol(settings),
        ws="none",
        backlog=BACKLOG,
        server_header=False,
        access_log=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        **arguments,
    )


class _Server(uvicorn.Server):
    """uvicorn's server, which logs its address once it accepts connections."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        host, port = (sockets or [])[0].getsockname()[:2]
        scheme = "https" if self.config.ssl else "http"
        address = f"[{host}]" if ":" in host else host
        _log.info("The gateway listens on %s://%s:%d/ (press CTRL+C to stop).", scheme, address, port)


def _listen(settings: Settings) -> socket.socket:
    """Open the port before anything else starts, so that a taken port is the first and only message."""
    if settings.fd is not None:
        return _inherited(settings.fd)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise typer.BadParameter(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}. "
            "Choose another with --host and --port."
        ) from error


def _inherited(fd: int) -> socket.socket:
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise typer.BadParameter(
            f"fd is {fd}, which is no socket of this process: {error.strerror}."
        ) from error


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """Return a setting as typer's parameter. The default is None, so that the environment applies."""
    kind: Any = field.annotation if field.annotation in (bool, int, float) else str
    option = typer.Option(help=_help(name, field), show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _help(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    default_text = (
        "none"
        if default in ((), None, "")
        else str(default).lower()
        if isinstance(default, bool)
        else default
    )
    return f"{field.description} (default {default_text}; {ENV_PREFIX}{name.upper()})"


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    name, message = str(first["loc"][0]), first["msg"].removeprefix("Value error, ")
    if _is_secret(Settings.model_fields[name].annotation):
        return f"{name} is invalid: {message}."
    return f"{name} is {quoted(first['input'])}: {message}."


def _is_secret(annotation: Any) -> bool:
    """Return whether a type is SecretStr, or contains it as a part."""
    return annotation is SecretStr or any(map(_is_secret, get_args(annotation)))


# typer reads a command's options from its signature. Settings declares these options.
_parameters = [_parameter(name, field) for name, field in Settings.model_fields.items()]
gateway.__signature__ = inspect.Signature(_parameters)  # type: ignore[attr-defined]
gateway.__annotations__ = {parameter.name: parameter.annotation for parameter in _parameters}
