"""A flag of the command line for each option of the table."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from enum import Enum
from typing import Annotated, Any

import typer

from tritonocr_common.options import OPTIONS, Option

from .._options import checked_options


class Switch(str, Enum):
    """A flag that takes its value, as PaddleX's flags do."""

    on = "True"
    off = "False"


def with_option_flags(command: Callable[..., None], *, leave_out: frozenset[str]) -> Callable[..., None]:
    """Give a command a flag for each option; it receives them as the dictionary `options`.

    Args:
        command: a function with a keyword argument `options`; Typer does not see that argument.
        leave_out: options that the command decides itself.
    """
    names = [name for name in OPTIONS if name not in leave_out]

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        given = {name: _value(arguments.pop(name)) for name in names}
        command(**arguments, options=checked_options(given))

    own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [parameter for parameter in own if parameter.name != "options"]
    flags = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_flag(OPTIONS[name]))
        for name in names
    ]
    signature = inspect.Signature([*parameters, *flags])
    # Typer reads the parameters from the signature, and their types from the annotations.
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return run


def _flag(option: Option) -> Any:
    kind = Switch if option.kind is bool else option.kind
    default = "" if option.default is None else f" (default of a new pipeline: {option.default})"
    info = typer.Option(
        f"--{option.name}",
        help=option.help + default,
        show_default=False,
        case_sensitive=False,
        metavar="True|False" if option.kind is bool else "|".join(option.choices) or None,
    )
    return Annotated[typing.Optional[kind], info]  # noqa: UP045  # a type that is made at run time


def _value(given: object) -> object:
    return given is Switch.on if isinstance(given, Switch) else given
