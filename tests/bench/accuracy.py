"""Measure accuracy with the scorer of the corpus, for pages whose ground truth is known."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType

from bench.measured import ReadLine
from bench.workloads import CORPUS, Page

FIGURES = {"hmean": "det_hmean", "1-NED": "e2e_1ned", "exact": "exact_of_matched", "CER": "cer_of_matched"}


def accuracy(pages: Sequence[Page], lines: Mapping[str, Sequence[ReadLine]]) -> dict[str, float]:
    """Return the scorer's figures of one subject; empty without ground truth or without results.

    Args:
        pages: with their truth.
        lines: what was read, by page name.
    """
    truth = {page.name: page.truth for page in pages if page.truth is not None and page.name in lines}
    if not truth:
        return {}
    scored = scorer().score(truth, lines)
    return {name: round(float(scored[key]), 4) for name, key in FIGURES.items()}


@cache
def scorer() -> ModuleType:
    """The corpus's own scorer."""
    specification = importlib.util.spec_from_file_location("score", CORPUS / "score.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
