"""YAML with one kind of error, whatever is wrong with the text."""

from __future__ import annotations

import warnings
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MantissaNoDotYAML1_1Warning, MarkedYAMLError, YAMLError

from tritonocr_common.nesting import expanded_size

MOST_VALUES = 1_000_000
"""Far beyond the largest dictionary; a few aliases of aliases can stand for billions."""


class YamlProblem(Exception):  # noqa: N818  (what is wrong with a text; its callers raise the error)
    """What is wrong with a text.

    Attributes:
        line: Counted from 1; 1 where the parser does not tell.
    """

    def __init__(self, problem: str, line: int = 1) -> None:
        super().__init__(f"not valid YAML: {' '.join(problem.split())}")
        self.line = line


def parse(text: str, *, keep_lines: bool = False) -> Any:
    """Parse a YAML text in the same way as PaddleX.

    Args:
        text: One document.
        keep_lines: Whether the mappings shall know the lines of their keys (`.lc.key(name)[0]`, from 0);
            slower than without by far.

    Raises:
        YamlProblem: The text is not valid.
    """
    yaml: Any = YAML(typ="rt" if keep_lines else "safe")
    if keep_lines:
        yaml.version = (1, 1)  # in an OCR.yaml yes and no are booleans
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MantissaNoDotYAML1_1Warning)  # such numbers are checked by us
            content = yaml.load(text)
        if expanded_size(content) > MOST_VALUES:
            raise YamlProblem(f"its aliases make more than {MOST_VALUES} values of it, or lead back")
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlProblem(str(error.problem or error.context), line) from None
    except YAMLError as error:
        raise YamlProblem(str(error)) from None
    except (ValueError, KeyError) as error:  # a date or a tagged number that is none
        raise YamlProblem(f"a value in it cannot be read ({error})") from None
    except RecursionError:
        raise YamlProblem("it is nested too deeply") from None
    return content
