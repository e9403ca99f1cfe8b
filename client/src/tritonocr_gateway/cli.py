"""`tritonocr gateway`: an option for every setting."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer
import uvicorn
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from tritonocr_gateway.app import create_app
from tritonocr_gateway.request_log import log_config
from tritonocr_gateway.settings import ENV_PREFIX, Settings


def gateway(**options: Any) -> None:
    """Serve PaddleX's POST /ocr, and a page to try it on, over a running TritonOCR server.

    Each option may be given as an environment variable instead.

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
    """Serve until the process is told to stop; requests in flight are finished first."""
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        server_header=False,
        access_log=False,
        log_config=log_config(settings.log_format),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        timeout_graceful_shutdown=30,
    )


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    """A setting as typer's parameter: None unless given, so that the environment has its turn."""
    kind: Any = field.annotation if field.annotation in (bool, int, float) else str
    option = typer.Option(help=_help(name, field), show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _help(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    default_text = (
        "none" if default in ((), None) else str(default).lower() if isinstance(default, bool) else default
    )
    return f"{field.description} (default {default_text}; {ENV_PREFIX}{name.upper()})"


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{first['loc'][0]} is {first['input']!r}: {first['msg']}."


# typer reads a command's options from its signature: here they come from where the settings are declared.
_parameters = [_parameter(name, field) for name, field in Settings.model_fields.items()]
gateway.__signature__ = inspect.Signature(_parameters)  # type: ignore[attr-defined]
gateway.__annotations__ = {parameter.name: parameter.annotation for parameter in _parameters}
