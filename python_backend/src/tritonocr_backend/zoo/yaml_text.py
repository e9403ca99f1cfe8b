"""Parse YAML, and report every problem as a YamlProblem."""

from __future__ import annotations

import warnings
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MantissaNoDotYAML1_1Warning, MarkedYAMLError, YAMLError

from tritonocr_common.nesting import expanded_size

MOST_VALUES = 1_000_000
"""Largest number of values in a text, with aliases expanded. The largest dictionary is far smaller."""


class YamlProblem(Exception):  # noqa: N818  (callers turn it into an error of their own)
    """A text is not valid YAML.

    Attributes:
        line: line of the problem, counted from 1; 1 if the parser does not report it.
    """

    def __init__(self, problem: str, line: int = 1) -> None:
        super().__init__(f"not valid YAML: {' '.join(problem.split())}")
        self.line = line


def parse(text: str, *, keep_lines: bool = False) -> Any:
    """Return the content of a YAML text, with the types that PaddleX's reader returns.

    Args:
        text: one YAML document.
        keep_lines: keep the lines of the mappings' keys (`.lc.key(name)[0]`, counted from 0); much slower.

    Raises:
        YamlProblem: the text is not valid YAML, or its aliases expand to more than MOST_VALUES values.
    """
    yaml: Any = YAML(typ="rt" if keep_lines else "safe")
    if keep_lines:
        yaml.version = (1, 1)  # in an `OCR.yaml`, yes and no are booleans
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MantissaNoDotYAML1_1Warning)  # the callers check numbers
            content = yaml.load(text)
        if expanded_size(content) > MOST_VALUES:
            raise YamlProblem(f"its aliases expand to more than {MOST_VALUES} values, or form a cycle")
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise YamlProblem(str(error.problem or error.context), line) from None
    except YAMLError as error:
        raise YamlProblem(str(error)) from None
    except (ValueError, KeyError) as error:  # an invalid date or tagged number
        raise YamlProblem(f"a value cannot be read ({error})") from None
    except RecursionError:
        raise YamlProblem("the text is nested too deeply") from None
    return content
