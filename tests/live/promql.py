"""Find the series that the dashboard and the alerts request from Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import promql_parser

BY_PROMETHEUS = frozenset({"instance", "job"})
"""Labels that a scrape adds: of no use to tell series on a server's own page."""

Series = tuple[str, dict[str, str]]


def series(exposition: str) -> list[Series]:
    """Names and labels of all series on a metrics page."""
    lines = [line for line in exposition.splitlines() if line and not line.startswith("#")]
    parsed = [
        promql_parser.parse(line.rpartition(" ")[0]) for line in lines
    ]  # a series looks like a selector
    return [(one.name, {m.name: str(m.value) for m in one.matchers.matchers}) for one in parsed]


def selectors(expression: str) -> list[Any]:
    """The vector selectors of a PromQL expression, Grafana's variables filled in."""
    found: list[Any] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(expression.replace("$__rate_interval", "1m")), visit)
    return found


def unknown(expressions: Iterable[str], present: list[Series]) -> Iterator[str]:
    """Selectors that no series fits: a misspelt name, label or value."""
    for expression in expressions:
        for selector in selectors(expression):
            if selector.name != "up" and not any(_fits(selector, *one) for one in present):
                yield f"{selector.prettify()} in {expression}"


def _fits(selector: Any, name: str, labels: dict[str, str]) -> bool:
    matchers = [m for m in selector.matchers.matchers if m.name not in BY_PROMETHEUS]
    return name == selector.name and all(_matches(m, labels.get(m.name, "")) for m in matchers)


def _matches(matcher: Any, value: str) -> bool:
    if matcher.op == promql_parser.MatchOp.Re:
        return re.fullmatch(matcher.value, value) is not None
    assert matcher.op == promql_parser.MatchOp.Equal, matcher
    return value == str(matcher.value)
