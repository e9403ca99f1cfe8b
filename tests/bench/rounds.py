"""Rounds: every subject reads the same pages by turns, so that a noisy machine disturbs all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from bench.figures import Spread, percentile, ratio_by_round, spread
from bench.measured import ModelWork, Pass, ReadLine
from bench.subjects import FAMILIES, Reader, Subject
from bench.workloads import Page, Workload

IDLE_S = 2.0
MIN_PAGES = 4  # of a round
MAX_PAGES = 40  # more than any number of clients
PAGES_A_CLIENT = 3


@dataclass
class Measurements:
    """The passes of each subject over one workload.

    Attributes:
        workload: what was read.
        passes: by subject name, then by round.
        warm_ups: by family, the pass over all pages that is not counted.
        idle_cores: by family, processor time a second while nobody asked anything.
    """

    workload: Workload
    passes: dict[str, dict[int, Pass]] = field(default_factory=dict)
    warm_ups: dict[str, Pass] = field(default_factory=dict)
    idle_cores: dict[str, float] = field(default_factory=dict)

    def pages_per_s(self, subject: str) -> Spread:
        """Throughput over the rounds."""
        return spread([one.pages_per_s for one in self.passes[subject].values()])

    def speed_ratio(self, subject: str, other: str) -> Spread:
        """How many times as fast a subject is as another, round by round."""
        speeds = [
            {number: one.pages_per_s for number, one in self.passes[name].items()}
            for name in (subject, other)
        ]
        return ratio_by_round(*speeds)

    def latency_s(self, subject: str, percent: float) -> float | None:
        """A percentile of all counted requests; None where they are not known."""
        passes = self.passes[subject].values()
        latencies = [s for one in passes for s in one.latencies_s]
        return percentile(latencies, percent) if latencies else None

    def lines(self, subject: str) -> dict[str, list[ReadLine]]:
        """What a subject read, by page."""
        warm_up = self.warm_ups[subject.partition("@")[0]]
        passes = [warm_up, *self.passes[subject].values()]
        return {name: lines for one in passes for name, lines in one.lines.items()}

    def models(self, subject: str) -> dict[str, ModelWork]:
        """What each Triton model did in all counted passes together."""
        total: dict[str, ModelWork] = {}
        for one in self.passes[subject].values():
            for name, work in one.models.items():
                total[name] = total.get(name, ModelWork()) + work
        return total

    def details(self, subject: str) -> dict[str, float]:
        """The median of each detail over the counted passes."""
        passes = [one.details for one in self.passes[subject].values()]
        return {name: spread([one[name] for one in passes]).median for name in passes[0]}


def measure(
    workload: Workload,
    subjects: Sequence[Subject],
    readers: Mapping[str, Reader],
    rounds: int,
    tell: Callable[[str], None],
) -> Measurements:
    """Warm every family up, then let all subjects read by turns, the order reversed every other round."""
    found = Measurements(workload, {subject.name: {} for subject in subjects})
    for subject in {subject.family: subject for subject in subjects}.values():
        tell(f"{workload.name}: {subject.label} warms up")
        for _ in range(FAMILIES[subject.family].warm_ups):
            one = readers[subject.family].read(workload, workload.pages, subject.clients)
        found.warm_ups[subject.family] = one
    found.idle_cores = idle_cores(readers)
    for number in range(rounds):
        for subject in reversed(subjects) if number % 2 else subjects:
            pages = pages_of_round(workload.pages, number, subject.clients)
            one = readers[subject.family].read(workload, pages, subject.clients)
            found.passes[subject.name][number] = one
            tell(f"{workload.name}, round {number + 1}: {subject.label}: {one.pages_per_s:.2f} pages/s")
    return found


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
    """Cores' worth of processor time that each family takes while nobody asks it anything."""
    before = {name: reader.tree.cpu_s() for name, reader in readers.items()}
    time.sleep(IDLE_S)
    return {name: (reader.tree.cpu_s() - before[name]) / IDLE_S for name, reader in readers.items()}
