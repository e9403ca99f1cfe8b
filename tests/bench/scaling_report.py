"""Write the tables and the picture of docs/scaling.md from the measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.scaling_model import (
    Assumptions,
    PageCost,
    Server,
    bottleneck,
    fitted,
    gpu_limits,
    price_per_million,
    shared_limits,
    throughput,
)
from tritonocr_backend.core.contracts import STAGE_OUTPUTS

GPUS = (1, 10, 1000)
SPEEDUPS = (30, 100, 300)
MORE_CORES = 32
FITTED_AT = 4
_NOT_NETWORKS = {*STAGE_OUTPUTS, "ocr", "ocr_stream", "tritonserver"}
_SECONDS_A_DAY = 86_400


@dataclass(frozen=True)
class Report:
    """Markdown tables by name, and the picture as SVG."""

    tables: Mapping[str, str]
    picture: str


def report(measured: Mapping[str, Any], given: Assumptions) -> Report:
    """Fit the model and return its predictions."""
    points = {int(clients): point for clients, point in measured["points"].items()}
    server = _server(measured, points)
    share = server.cores / measured["machine"]["cores"]
    cost = _page_cost(measured, points, share)
    tables = {
        "stages": _stages(points[FITTED_AT]["models"]),
        "fit": f"{_fit(points, server)}\n\n{_told(server, share)}",
        "limits": _limits(cost, given),
        "gpus": _gpus(cost, given),
        "costs": _costs(cost, given),
    }
    return Report(tables, _picture(points, server))


def with_tables(document: str, tables: Mapping[str, str]) -> str:
    """The document with each table between its marks, `<!-- name -->` and `<!-- end -->`.

    Raises:
        ValueError: the document lacks a table's marks.
    """
    for name, table in tables.items():
        start, end = f"<!-- {name} -->", "<!-- end -->"
        before, found, rest = document.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"the document has no <!-- {name} --> … <!-- end -->")
        document = f"{before}{start}\n{table}\n{end}{after}"
    return document


def _server(measured: Mapping[str, Any], points: Mapping[int, Any]) -> Server:
    point = points[FITTED_AT]
    # The load generator is on the same cores.
    demand_s = point["cpu_s"] + point["client_cpu_s"]
    cores = measured["machine"]["cores"]
    lone = points[1]
    alone = (lone["mean_s"], (lone["cpu_s"] + lone["client_cpu_s"]) / lone["mean_s"])
    return fitted(demand_s, cores, alone, (FITTED_AT, point["pages_per_s"]))


def _page_cost(measured: Mapping[str, Any], points: Mapping[int, Any], share: float) -> PageCost:
    """Processor seconds, with the idle ones that come with them."""
    models = points[FITTED_AT]["models"]
    networks_s = sum(work["cpu_s"] for name, work in models.items() if name not in _NOT_NETWORKS)
    others_s = sum(work["cpu_s"] for name, work in models.items() if name in _NOT_NETWORKS)
    wires = (measured["bytes_in"], measured["bytes_out"])
    return PageCost(networks_s / share, others_s / share, measured["gateway_s"] / share, *wires)


def _stages(models: Mapping[str, Mapping[str, float]]) -> str:
    total_s = sum(work["cpu_s"] for work in models.values())
    rows = [
        (
            f"`{name}`",
            f"{work['requests']:.1f}",
            f"{work['rows']:.1f}",
            f"{1000 * work['cpu_s']:.0f}",
            f"{100 * work['cpu_s'] / total_s:.0f} %",
            f"{1000 * work['cpu_s'] / work['rows']:.1f}" if work["rows"] else "",
            f"{1000 * work['queue_s']:.0f}",
        )
        for name, work in sorted(models.items(), key=lambda item: -item[1]["cpu_s"])
        if work["cpu_s"] > 0.0005
    ]
    rows.append(("all", "", "", f"{1000 * total_s:.0f}", "100 %", "", ""))
    heads = (
        "process",
        "requests per page",
        "rows per page",
        "CPU ms per page",
        "share",
        "CPU ms per row",
        "waiting time of all requests, ms",
    )
    return _table(heads, rows)


def _fit(points: Mapping[int, Any], server: Server) -> str:
    rows = []
    for clients, point in sorted(points.items()):
        predicted = throughput(server, clients)
        rows.append(
            (
                str(clients),
                f"{point['pages_per_s']:.2f}",
                f"{predicted:.2f}",
                _error(predicted, point["pages_per_s"]),
                f"{point['mean_s']:.2f}",
                f"{clients / predicted:.2f}",
                _error(clients / predicted, point["mean_s"]),
                f"{point['p95_s']:.2f}",
                f"{1000 * point['cpu_s']:.0f}",
                "fitted" if clients in (1, FITTED_AT) else "predicted",
            )
        )
    heads = (
        "clients",
        "pages/s",
        "model",
        "error",
        "mean s",
        "model",
        "error",
        "p95 s",
        "CPU ms per page",
        "",
    )
    return _table(heads, rows)


def _told(server: Server, share: float) -> str:
    return (
        f"Model: one page needs {1000 * server.demand_s:.0f} ms of CPU time and "
        f"{1000 * server.delay_s:.0f} ms without a core; a single page uses {server.cores_alone:.2f} cores "
        f"on average; pages get {100 * share:.0f} % of the cores."
    )


def _error(predicted: float, measured: float) -> str:
    return f"{100 * (predicted / measured - 1):+.0f} %"


def _limits(cost: PageCost, given: Assumptions) -> str:
    limits = {**gpu_limits(cost, given), **shared_limits(cost, given)}
    shared = shared_limits(cost, given)
    rows = [
        (name, f"{limit:,.0f}", "all GPUs together" if name in shared else "one GPU")
        for name, limit in sorted(limits.items(), key=lambda item: item[1])
    ]
    return _table(("limiting resource", "maximum pages/s", "applies to"), rows)


def _gpus(cost: PageCost, given: Assumptions) -> str:
    name_of_one, one = bottleneck(gpu_limits(cost, given))
    rows = []
    for gpus in GPUS:
        name, pages_per_s = bottleneck({name_of_one: gpus * one, **shared_limits(cost, given)})
        wanted = gpus * one
        rows.append(
            (
                f"{gpus:,}",
                f"{wanted:,.0f}",
                f"{wanted * _SECONDS_A_DAY / 1e6:,.1f}",
                f"{wanted * cost.others_s / given.core_factor:,.0f}",
                f"{wanted * 8 * (cost.bytes_in + cost.bytes_out) / 1e9:,.1f}",
                f"{wanted * cost.gateway_s / given.core_factor:,.0f}",
                f"{wanted:,.0f}",
                name if pages_per_s < wanted else f"{name} (its own machines)",
            )
        )
    heads = (
        "GPUs",
        "pages/s",
        "million pages per day",
        "cores beside the GPUs",
        "Gbit/s",
        "gateway cores",
        "objects per second",
        "first limit",
    )
    return _table(heads, rows)


def _costs(cost: PageCost, given: Assumptions) -> str:
    per_core = given.core_factor / (cost.networks_s + cost.others_s)
    on_cores = price_per_million(per_core, given.core_price_per_hour)
    rows = [("one core without a GPU", f"{per_core:.2f}", "cores", f"{on_cores:,.2f}")]
    cases = {f"GPU worth {worth} cores": replace(given, gpu_speedup=worth) for worth in SPEEDUPS}
    cases[f"as given, {MORE_CORES} cores beside it"] = _with_cores(given, MORE_CORES)
    for label, case in cases.items():
        name, pages_per_s = bottleneck(gpu_limits(cost, case))
        price = price_per_million(pages_per_s, case.gpu_price_per_hour)
        rows.append((label, f"{pages_per_s:,.1f}", name, f"{price:,.2f}"))
    return _table(("machine", "pages/s", "limit", "price per million pages"), rows)


def _with_cores(given: Assumptions, cores: float) -> Assumptions:
    """More cores beside the GPU, at the price of cores."""
    more = (cores - given.cores_per_gpu) * given.core_price_per_hour
    return replace(given, cores_per_gpu=cores, gpu_price_per_hour=given.gpu_price_per_hour + more)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


# The picture: two panels, throughput and latency by clients; dots measured, lines predicted.
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 420, 300, 48, 28, 40


def _picture(points: Mapping[int, Any], server: Server) -> str:
    most = max(points)
    line = [(n, throughput(server, n)) for n in range(1, most + 1)]
    panels = [
        ("pages/s", {n: p["pages_per_s"] for n, p in points.items()}, line),
        ("mean latency, s", {n: p["mean_s"] for n, p in points.items()}, [(n, n / x) for n, x in line]),
    ]
    drawn = "\n".join(
        f'<g transform="translate({number * _WIDTH},0)">{_panel(*panel, most)}</g>'
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{2 * _WIDTH}" height="{_HEIGHT}" fill="white"/>\n{drawn}\n</svg>\n'
    )


def _panel(title: str, dots: Mapping[int, float], line: Sequence[tuple[int, float]], most: int) -> str:
    top = 1.15 * max([*dots.values(), *(value for _, value in line)])

    def place(clients: float, value: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - 16) * clients / most
        return round(x, 1), round(_HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top, 1)

    (x0, y0), (x1, y1) = place(0, 0), place(most, top)
    path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in line))
    parts = [
        f'<text x="{x0}" y="18" font-weight="bold">{title}</text>',
        f'<path d="M{x0},{y1}V{y0}H{x1}" fill="none" stroke="#666"/>',
        f'<polyline points="{path}" fill="none" stroke="#1f77b4" stroke-width="2"/>',
        f'<text x="{x1}" y="{y0 + 32}" text-anchor="end">clients (line: model, dots: measured)</text>',
    ]
    for step in range(1, 5):
        x, y = place(0, top * step / 4)
        parts.append(f'<text x="{x - 6}" y="{y + 4}" text-anchor="end">{top * step / 4:.1f}</text>')
        parts.append(f'<path d="M{x},{y}H{x1}" stroke="#ddd"/>')
    for clients, value in sorted(dots.items()):
        x, y = place(clients, value)
        parts.append(f'<circle cx="{x}" cy="{y}" r="4" fill="#d62728"/>')
        parts.append(f'<text x="{x}" y="{y0 + 16}" text-anchor="middle">{clients}</text>')
    return "\n".join(parts)
