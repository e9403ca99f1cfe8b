"""Rounds: each subject reads the same pages as the reference, so that noise affects both alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from bench.figures import Spread, percentile, spread
from bench.measured import ModelWork, Pass, ReadLine
from bench.subjects import FAMILIES, Reader, Subject
from bench.workloads import Page, Workload

REFERENCE = "ours@4"
IDLE_S = 2.0
MIN_PAGES = 4  # of a round
MAX_PAGES = 40  # more than any number of clients
PAGES_A_CLIENT = 3


@dataclass
class Measurements:
    """The passes of each subject over one workload.

    Attributes:
        workload: what was read.
        reference: the subject that the others are compared with.
        passes: by subject name; the reference has more than the others.
        ratios: by subject name, for each of its passes: how many times as fast the reference was beside it.
        warm_ups: by family, the pass over all pages that is not counted.
        idle_cores: CPU seconds per second of each subject while it gets no request.
    """

    workload: Workload
    reference: str
    passes: dict[str, list[Pass]] = field(default_factory=dict)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    warm_ups: dict[str, Pass] = field(default_factory=dict)
    idle_cores: dict[str, float] = field(default_factory=dict)

    def pages_per_s(self, subject: str) -> Spread:
        """Throughput over the rounds."""
        return spread([one.pages_per_s for one in self.passes[subject]])

    def reference_ratio(self, subject: str) -> Spread:
        """How many times as fast the reference is as a subject, over the rounds."""
        return spread(self.ratios.get(subject, [1.0]))

    def latency_s(self, subject: str, percent: float) -> float | None:
        """A percentile of all counted requests; None where they are not known."""
        passes = self.passes[subject]
        latencies = [s for one in passes for s in one.latencies_s]
        return percentile(latencies, percent) if latencies else None

    def lines(self, subject: str) -> dict[str, list[ReadLine]]:
        """What a subject read, by page."""
        warm_up = self.warm_ups[subject.partition("@")[0]]
        passes = [warm_up, *self.passes[subject]]
        return {name: lines for one in passes for name, lines in one.lines.items()}

    def models(self, subject: str) -> dict[str, ModelWork]:
        """What each Triton model did in all counted passes together."""
        total: dict[str, ModelWork] = {}
        for one in self.passes[subject]:
            for name, work in one.models.items():
                total[name] = total.get(name, ModelWork()) + work
        return total

    def details(self, subject: str) -> dict[str, float]:
        """The median of each detail over the counted passes."""
        passes = [one.details for one in self.passes[subject]]
        return {name: spread([one[name] for one in passes]).median for name in passes[0]}


def measure(
    workload: Workload,
    subjects: Sequence[Subject],
    readers: Mapping[str, Reader],
    rounds: int,
    tell: Callable[[str], None],
) -> Measurements:
    """Warm every family up, then let all subjects read by turns, the order reversed every other round.

    The reference, `REFERENCE` or else the first, reads before and after each of the others: the machine's
    speed changes within seconds.
    """
    reference = next((subject for subject in subjects if subject.name == REFERENCE), subjects[0])
    found = Measurements(workload, reference.name, {subject.name: [] for subject in subjects})
    _warm_up(found, subjects, readers, tell)
    found.idle_cores = idle_cores(readers)

    def speed(subject: Subject, number: int) -> float:
        pages = pages_of_round(workload.pages, number, subject.clients)
        one = readers[subject.family].read(workload, pages, subject.clients)
        found.passes[subject.name].append(one)
        tell(f"{workload.name}, round {number + 1}: {subject.label}: {one.pages_per_s:.2f} pages/s")
        return one.pages_per_s

    others = [subject for subject in subjects if subject is not reference]
    for number in range(rounds):
        before = speed(reference, number)
        for subject in reversed(others) if number % 2 else others:
            own, after = speed(subject, number), speed(reference, number)
            found.ratios.setdefault(subject.name, []).append((before + after) / 2 / own)
            before = after
    return found


def _warm_up(
    found: Measurements,
    subjects: Sequence[Subject],
    readers: Mapping[str, Reader],
    tell: Callable[[str], None],
) -> None:
    for subject in {subject.family: subject for subject in subjects}.values():
        tell(f"{found.workload.name}: {subject.label} warms up")
        for _ in range(FAMILIES[subject.family].warm_ups):
            one = readers[subject.family].read(found.workload, found.workload.pages, subject.clients)
        found.warm_ups[subject.family] = one


def pages_of_round(pages: Sequence[Page], number: int, clients: int) -> list[Page]:
    """The pages of a round: of many pages one part, the next part in the next round.

    Short rounds compare what was measured within seconds of each other. Several clients get their pages
    repeatedly, or else a round would mostly measure how it ends.
    """
    parts = max(1, len(pages) // MIN_PAGES)
    # Neighbours are a small and a large page, so pairs are kept.
    part = [page for index, page in enumerate(pages) if index // 2 % parts == number % parts]
    wanted = min(PAGES_A_CLIENT * clients, MAX_PAGES) if clients > 1 else 1
    return part * ceil(wanted / len(part))


def idle_cores(readers: Mapping[str, Reader]) -> dict[str, float]:
    """Return the CPU cores that each subject uses while it gets no request."""
    before = {name: reader.tree.cpu_s() for name, reader in readers.items()}
    time.sleep(IDLE_S)
    return {name: (reader.tree.cpu_s() - before[name]) / IDLE_S for name, reader in readers.items()}
