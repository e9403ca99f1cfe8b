"""Files in git that `make generate` writes from tables in the code; a test compares them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tritonocr_common.environment import VARIABLES
from tritonocr_common.options import OPTIONS, Option

ROOT = Path(__file__).parents[1]
TRITON_TYPES = {bool: "BOOL", int: "INT32", float: "FP32", str: "STRING"}

TYPES_HEADER = '''"""The options as types for static checkers; `make generate` writes this file."""

from typing import Literal, TypedDict


class OCROptions(TypedDict, total=False):
    """Options of a request. None, or an absent key, takes the value of the server's pipeline."""

'''
VALUES_HEADER = '''

class OptionValues(TypedDict):
    """The value of each option in force for a request; "" where the server chose and has no name for it."""

'''


def _annotation(option: Option) -> str:
    if option.choices:
        return "Literal[" + ", ".join(f'"{choice}"' for choice in option.choices) + "]"
    return option.kind.__name__


def option_types(_: str) -> str:
    """Return the typed dictionaries of the options."""
    given = "".join(f"    {o.name}: {o.kind.__name__} | None\n" for o in OPTIONS.values())
    values = "".join(f"    {o.name}: {_annotation(o)}\n" for o in OPTIONS.values())
    return TYPES_HEADER + given + VALUES_HEADER + values


def pbtxt(text: str) -> str:
    """Return a model's configuration with an optional input for each option."""
    rows = [
        f'  {{ name: "{o.name}" data_type: TYPE_{TRITON_TYPES[o.kind]} dims: [ 1 ] optional: true }}'
        for o in OPTIONS.values()
    ]
    return _between(text, "  # options", "]", ",\n".join(rows) + "\n")


def tensor_rows(text: str) -> str:
    """Return the table of tensors with an input for each option."""
    rows = [f"| → `{o.name}` | {TRITON_TYPES[o.kind]} | [1] | {_explained(o)} |\n" for o in OPTIONS.values()]
    return _between(text, r"| → `image` | UINT8", "| ← `page_sizes`", "".join(rows))


def client_rows(text: str) -> str:
    """Return the client's README with a row for each option."""
    rows = [
        f"| `{o.name}` | {o.kind.__name__} | {'' if o.default is None else f'`{o.default}`'} | "
        f"{o.expected if o.low is not None or o.choices else ''} | {o.help} |\n"
        for o in OPTIONS.values()
    ]
    return _between(text, "| option | type |", "\n", "|---|---|---|---|---|\n" + "".join(rows))


def rest_rows(text: str) -> str:
    """Return the document of the REST API with a row for each option."""
    rows = [
        f"| `{o.rest_key}` | {o.expected if o.low is not None or o.choices else ''} | "
        f"{'yes' if o.paddlex_key else ''} | {o.help} |\n"
        for o in OPTIONS.values()
        if o.rest_key
    ]
    return _between(text, "| option | range | PaddleX |", "\n", "|---|---|---|---|\n" + "".join(rows))


def environment_rows(text: str) -> str:
    """Return docs/operations.md with the table of environment variables."""
    rows = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in VARIABLES.items())
    return _between(text, "| variable | meaning |", "\n", "|---|---|\n" + rows)


def _explained(option: Option) -> str:
    default = "" if option.default is None else f" ({str(option.default).lower()})"
    return option.help + default


def _between(text: str, first: str, last: str, new: str) -> str:
    """Replace the lines between a line that starts with `first` and one that starts with `last`."""
    pattern = rf"(^{re.escape(first)}[^\n]*\n).*?(?=^{re.escape(last)})"
    replaced, count = re.subn(pattern, lambda found: found[1] + new, text, flags=re.MULTILINE | re.DOTALL)
    assert count == 1, f"{first!r} stands {count} times"
    return replaced


FILES: dict[str, Callable[[str], str]] = {
    "client/src/tritonocr_common/option_types.py": option_types,
    "model_repository/ocr/config.pbtxt": pbtxt,
    "model_repository/ocr_stream/config.pbtxt": pbtxt,
    "model_repository/README.md": tensor_rows,
    "client/README.md": client_rows,
    "docs/rest.md": rest_rows,
    "docs/operations.md": environment_rows,
}
"""What makes each file's new text from its old one, by path."""


def outdated() -> Iterator[tuple[Path, str]]:
    """Yield each file that is not what the table makes of it, and its right text."""
    for name, generate in FILES.items():
        path = ROOT / name
        old = path.read_text("utf-8") if path.exists() else ""
        if (new := generate(old)) != old:
            yield path, new


if __name__ == "__main__":
    for path, text in list(outdated()):
        path.write_text(text, "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
