"""The targets of the benchmark, compared with the measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]

_PEERS = ("rapidocr", "faster-paddle", "paddlex")


@dataclass(frozen=True)
class Verdict:
    """One target.

    Attributes:
        what: the figure, in words.
        limit: what it must reach.
        at_least: whether the limit is a lower one.
        measured: the figure; None where its subjects were not measured.
    """

    what: str
    limit: float
    at_least: bool
    measured: float | None

    @property
    def holds(self) -> bool | None:
        """Whether the target is reached; None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def verdicts(results: Results) -> list[Verdict]:
    """Every target against the results of a run."""
    return [
        Verdict(target.what, target.limit, target.at_least, _or_none(target.figure, results))
        for target in _TARGETS
    ]


def _or_none(figure: Callable[[Results], float], results: Results) -> float | None:
    """The figure, or None where something that it is made of is not among the results."""
    try:
        return figure(results)
    except KeyError:
        return None


@dataclass(frozen=True)
class _Target:
    what: str
    limit: float
    figure: Callable[[Results], float]
    at_least: bool = True


def _subject(results: Results, name: str, workload: str = "receipts") -> Mapping[str, Any]:
    found: Mapping[str, Any] = results["workloads"][workload]["subjects"][name]
    return found


def _times_as_fast_as(*peers: str, workload: str = "receipts") -> Callable[[Results], float]:
    """Our pages/s at 4 clients over those of the fastest of some peers, pass beside pass."""

    def figure(results: Results) -> float:
        if results["workloads"][workload]["reference"] != "ours@4":
            raise KeyError("ours@4")
        return min(float(_subject(results, peer, workload)["reference_ratio"]["median"]) for peer in peers)

    return figure


def _share_of_floor(results: Results) -> float:
    return float(_subject(results, "floor@1")["reference_ratio"]["median"])


def _accuracy_margin(workload: str) -> Callable[[Results], float]:
    """The smallest lead over any peer in Hmean, 1-NED and exact lines; negative where one is better."""

    def figure(results: Results) -> float:
        ours = _subject(results, "ours@4", workload)["accuracy"]
        peers = [
            row["accuracy"]
            for name, row in results["workloads"][workload]["subjects"].items()
            if name.startswith(_PEERS) and row["accuracy"]
        ]
        if not peers:
            raise KeyError("no peer")
        return min(float(ours[key] - peer[key]) for peer in peers for key in ("hmean", "1-NED", "exact"))

    return figure


def _all_options_relative_to_off(results: Results) -> float:
    """Our pages/s at 4 clients with orientation and unwarping over those without."""
    on, off = (
        _subject(results, "ours@4", workload)["pages_per_s"]["median"]
        for workload in ("all-options", "receipts")
    )
    return float(on / off)


def _latency_to_fastest_peer(results: Results) -> float:
    """Our median latency at one client over the smallest of any peer."""
    peers = [
        row["latency_s"]["p50"]
        for name, row in results["workloads"]["receipts"]["subjects"].items()
        if name.startswith(_PEERS) and row["clients"] == 1
    ]
    if not peers:
        raise KeyError("no peer")
    return float(_subject(results, "ours@1")["latency_s"]["p50"] / min(peers))


def _p95_to_median(results: Results) -> float:
    latency = _subject(results, "ours@1", "equal")["latency_s"]
    return float(latency["p95"] / latency["p50"])


def _at_32_clients(results: Results) -> float:
    """Throughput at 32 clients over the best at any number."""
    rows = results["workloads"]["receipts"]["subjects"]
    slower = {
        name: row["reference_ratio"]["median"] for name, row in rows.items() if name.startswith("ours@")
    }
    return float(min(slower.values()) / slower["ours@32"])


def _speed_to(subject: str, other: str) -> Callable[[Results], float]:
    """A subject's pages/s over another's: both were held against ours at 4 clients, pass beside pass."""

    def figure(results: Results) -> float:
        theirs, ours = (_subject(results, name)["reference_ratio"]["median"] for name in (other, subject))
        return float(theirs / ours)

    return figure


def _agreement_of_perf_analyzer(results: Results) -> float:
    """The smaller of its throughput and ours over the larger."""
    ratio = float(_subject(results, "perf-analyzer@4")["reference_ratio"]["median"])
    return min(ratio, 1 / ratio)


def _growth(kind: str, cost: str) -> Callable[[Results], float]:
    return lambda results: float(results["growth"][kind][cost]["beyond_line"])


def _recognition_batch(key: str) -> Callable[[Results], float]:
    """Rows or requests that an execution of the recognition network held at 16 clients."""

    def figure(results: Results) -> float:
        model = results["workloads"]["receipts"]["models"]["recognition"]
        work = _subject(results, "ours@16")["models"][model]
        return float(work[key] / work["executions"])

    return figure


_TARGETS = (
    _Target("speed-up over RapidOCR on OpenVINO", 1.8, _times_as_fast_as("rapidocr-openvino@1")),
    _Target("speed-up over RapidOCR on ONNX Runtime", 3.2, _times_as_fast_as("rapidocr-onnxruntime@1")),
    _Target(
        "speed-up over PaddleX with its faster engine",
        3.0,
        _times_as_fast_as("paddlex-onednn@1", "paddlex-onnxruntime@1"),
    ),
    _Target(
        "speed-up over PaddleX's basic server with its faster engine",
        3.0,
        _times_as_fast_as("paddlex-server@4", "paddlex-server-onnxruntime@4"),
    ),
    _Target(
        "speed-up over the fastest peer with PP-OCRv6 tiny",
        1.3,
        _times_as_fast_as("rapidocr-openvino@1", "rapidocr-native@1", "faster-paddle@1", workload="v6-tiny"),
    ),
    _Target(
        "throughput with all options on, relative to all options off, 4 clients",
        0.6,
        _all_options_relative_to_off,
    ),
    _Target("smallest accuracy lead over any peer", 0.0, _accuracy_margin("receipts")),
    _Target("the same with all options on", 0.0, _accuracy_margin("all-options")),
    _Target("the same with PP-OCRv6 tiny", 0.0, _accuracy_margin("v6-tiny")),
    _Target(
        "time per page at 1 client, relative to the same without Triton",
        1.15,
        _speed_to("in-process@1", "ours@1"),
        at_least=False,
    ),
    _Target("gateway throughput relative to gRPC, 8 clients", 0.9, _speed_to("gateway@8", "ours@8")),
    _Target(
        "agreement of perf_analyzer's throughput with our load generator, 4 clients",
        0.9,
        _agreement_of_perf_analyzer,
    ),
    _Target("throughput relative to the floor, 4 clients", 0.8, _share_of_floor),
    _Target(
        "median latency at 1 client, relative to the fastest peer",
        1.0,
        _latency_to_fastest_peer,
        at_least=False,
    ),
    _Target("p95 latency relative to the median on equal pages", 1.5, _p95_to_median, at_least=False),
    _Target("throughput at 32 clients, relative to the best", 0.9, _at_32_clients),
    _Target(
        "time for the most lines, relative to a linear fit through fewer",
        1.15,
        _growth("lines", "time"),
        at_least=False,
    ),
    _Target(
        "time for the most pixels, relative to that fit", 1.15, _growth("pixels", "time"), at_least=False
    ),
    _Target(
        "memory for the most lines, relative to that fit", 1.15, _growth("lines", "memory"), at_least=False
    ),
    _Target(
        "memory for the most pixels, relative to that fit", 1.15, _growth("pixels", "memory"), at_least=False
    ),
    _Target(
        "seconds until ready with warm caches", 10, lambda results: min(results["startup_s"]), at_least=False
    ),
    _Target("lines per recognition batch at 16 clients", 8, _recognition_batch("rows")),
    _Target("requests per recognition batch at 16 clients", 1.05, _recognition_batch("requests")),
)
