"""`tritonocr ocr`: the command line of PaddleOCR 3, `paddleocr ocr`."""

from __future__ import annotations

import functools
import inspect
import typing
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tritonocr_common.options import OPTIONS
from tritonocr_common.quoting import quoted

from .._exceptions import InvalidInputError
from .._inputs.sources import missing_file, sources
from .._paddleocr import PaddleOCR
from .._paddleocr_arguments import DEPRECATED, ENGINE_ARGUMENTS
from ._connection import Device, Headers, ServerUrl, TlsCa, TlsCertificate, TlsKey, connection
from ._errors import say_warnings

_OWN = ("url", "jobs", "timeout_s", "headers", "tls", "arguments", "self", "device", "paddlex_config")
_HELP_BY_ENDING = {
    "name": "Model of a server that is started on this machine.",
    "dir": "Directory of the model, for a server that is started on this machine.",
    "size": "No effect.",
    "shape": "No effect.",
    "version": "Generation of the models: PP-OCRv3 to PP-OCRv6.",
}
_TRUE, _FALSE = ("true", "yes", "t", "y", "1"), ("false", "no", "f", "n", "0")


def _flags() -> list[inspect.Parameter]:
    """Return a flag for each argument of PaddleOCR's constructor and for each old name."""
    names = [name for name in inspect.signature(PaddleOCR.__init__).parameters if name not in _OWN]
    flags = [_flag(name, _help(name)) for name in names]
    flags += [_flag(old, f"Old name of --{new}.", hidden=True) for old, new in DEPRECATED.items()]
    return flags + [_flag(name, "No effect.", hidden=True) for name in sorted(ENGINE_ARGUMENTS)]


def _help(name: str) -> str:
    if name in OPTIONS:
        return OPTIONS[name].help
    return _HELP_BY_ENDING[name.rpartition("_")[2]]


def _flag(name: str, text: str, *, hidden: bool = False) -> inspect.Parameter:
    is_shape = name.endswith("input_shape")
    kind: Any = tuple[int, int, int] if is_shape else str
    info = typer.Option(f"--{name}", help=text, hidden=hidden, show_default=False)
    annotation = Annotated[typing.Optional[kind], info]  # noqa: UP045  # a type that is made at run time
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def with_paddleocr_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags of PaddleOCR; it receives their values as the dictionary `arguments`."""
    flags = _flags()

    @functools.wraps(command)
    def run(**given: Any) -> None:
        arguments = {flag.name: value(flag.name, given.pop(flag.name)) for flag in flags}
        command(**given, arguments={name: got for name, got in arguments.items() if got is not None})

    own = inspect.signature(command, eval_str=True).parameters.values()
    signature = inspect.Signature([*(own for own in own if own.name != "arguments"), *flags])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return run


def value(name: str, text: Any) -> Any:
    """Convert a flag's text to the type of the argument.

    Raises:
        InvalidInputError: the text is not of that type.
    """
    new_name = DEPRECATED.get(name, name)
    if text is None or isinstance(text, tuple) or name in ENGINE_ARGUMENTS:
        return text
    if new_name in OPTIONS and OPTIONS[new_name].kind is bool:
        if text.lower() not in _TRUE + _FALSE:
            raise InvalidInputError(f"--{name} is {quoted(text)}; expected True or False.")
        return text.lower() in _TRUE
    kind = int if new_name.endswith("batch_size") else OPTIONS[new_name].kind if new_name in OPTIONS else str
    try:
        return kind(text)
    except ValueError:
        expected = "an integer" if kind is int else "a number"
        raise InvalidInputError(f"--{name} is {quoted(text)}; expected {expected}.") from None


def _ocr(
    input: Annotated[str, typer.Option("--input", "-i", help="Path or URL.", show_default=False)],  # noqa: A002
    save_path: Annotated[
        Path | None, typer.Option("--save_path", help="Directory for JSON and pictures.", show_default=False)
    ] = None,
    url: ServerUrl = None,
    header: Headers = None,
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    device: Device = None,
    paddlex_config: Annotated[
        Path | None,
        typer.Option("--paddlex_config", help="Path of an OCR.yaml file of PaddleX.", show_default=False),
    ] = None,
    *,
    arguments: dict[str, Any],
) -> None:
    """Read a file with the flags of `paddleocr ocr`. Print each result, and save it to --save_path.

    Example:
        tritonocr ocr -i receipt.png --use_doc_unwarping False --lang en --save_path output

    Exit codes: those of `tritonocr predict`.
    """
    warnings.filterwarnings("default", category=DeprecationWarning, module=r"tritonocr\.")
    say_warnings()
    reached_by = connection(header, tls_ca, tls_certificate, tls_key)
    if error := next(filter(None, map(missing_file, sources(input))), None):
        raise error  # before a server is started
    with PaddleOCR(
        **arguments, **reached_by, url=url or None, device=device, paddlex_config=paddlex_config
    ) as engine:
        for result in engine.predict_iter(input):
            result.print()
            if save_path is not None:
                result.save_all(save_path)


ocr = with_paddleocr_flags(_ocr)
