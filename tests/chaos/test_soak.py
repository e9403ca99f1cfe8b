"""Good and bad requests for a long time: memory, files and responses stay the same."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from faults import PLAIN, Held, Load, Outcome, held
from mixture import BAD

from tritonocr import InvalidInputError, OCRClient
from tritonocr_backend.server.embedded import EmbeddedServer

SAMPLES = 40
LOOKS, LOOK_EVERY_S = 5, 0.2
WARM_UP_ROUNDS = 10
SETTLED_FROM = 1 / 2
"""Before that part of the time a process may still meet a page for the first time, and Triton's pools of
shared memory, one a process, grow by 5 MB whenever more requests meet in one than ever before."""
# Over the settled part, as a part of the mean; memory is never quite still.
GROWTH_LIMITS = {"memory": 0.03, "descriptors": 0.02, "threads": 0.02, "shared_memory": 0.01}


@pytest.mark.timeout(3 * 3600)
def test_nothing_grows_under_good_and_bad_requests(
    server: EmbeddedServer, corpus: Path, request: pytest.FixtureRequest, happened: Callable[[str], None]
) -> None:
    minutes, pause_s = (request.config.getoption(f"--soak-{name}") for name in ("minutes", "pause"))
    good = [path.read_bytes() for path in sorted((corpus / "scripts").iterdir())[::8]]
    bad = [(corpus / "edge" / name).read_bytes() for name in BAD]
    files = [file for pair in zip(good * 2, bad, strict=False) for file in pair]
    expected = _read_once(server, files)
    with Load(server.grpc_url, files * WARM_UP_ROUNDS, options=PLAIN).running() as warm_up:
        while len(warm_up.outcomes) < WARM_UP_ROUNDS * len(files):
            time.sleep(0.1)
    with Load(server.grpc_url, files, clients=2, options=PLAIN, pause_s=pause_s).running() as load:
        samples = _sampled(server.pid, minutes * 60)
    settled = samples[round(len(samples) * SETTLED_FROM) :]
    growth = {name: _growth([asdict(sample)[name] for sample in settled]) for name in GROWTH_LIMITS}
    _write(samples, minutes, request.config.rootpath / "output" / "soak.csv")
    happened(
        f"{minutes:g} min, {len(load.reads())} answers, {dict(load.errors())}; growth once settled: "
        + ", ".join(f"{name} {part:+.2%}" for name, part in growth.items())
        + f"; at the end {_told(samples[-1])}"
    )
    assert {_key(outcome) for outcome in load.outcomes} <= expected
    assert load.errors().keys() == {InvalidInputError.__name__}
    assert [name for name, part in growth.items() if part > GROWTH_LIMITS[name]] == []


def _read_once(server: EmbeddedServer, files: list[bytes]) -> set[str]:
    with Load(server.grpc_url, files, clients=1, options=PLAIN).running() as load, OCRClient(server.grpc_url):
        while len(load.outcomes) < len(files):
            time.sleep(0.05)
    return {_key(outcome) for outcome in load.outcomes}


def _key(outcome: Outcome) -> str:
    """The answer: texts without scores, whose last digits depend on the batch; or the sentence."""
    return str(outcome.error or [text for text, _ in outcome.read or ()])


def _sampled(pid: int, seconds: float) -> list[Held]:
    samples = []
    for _ in range(SAMPLES):
        time.sleep(seconds / SAMPLES - LOOKS * LOOK_EVERY_S)
        samples.append(_between_requests(pid))
    return samples


def _between_requests(pid: int) -> Held:
    """Return the minimum of several measurements: a page in progress is no growth."""
    looks = []
    for _ in range(LOOKS):
        time.sleep(LOOK_EVERY_S)
        looks.append(held(pid))
    return min(looks, key=lambda look: look.memory)


def _write(samples: list[Held], minutes: float, path: Path) -> None:
    """Keep the samples, for a picture."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["minutes", *GROWTH_LIMITS])
        writer.writeheader()
        for number, sample in enumerate(samples, start=1):
            writer.writerow({"minutes": f"{number * minutes / len(samples):.2f}", **asdict(sample)})


def _growth(values: list[int]) -> float:
    """What a straight line through the values gains from the first to the last, as a part of their mean."""
    slope, _ = np.polyfit(np.arange(len(values)), values, 1)
    return float(slope * (len(values) - 1) / np.mean(values))


def _told(sample: Held) -> str:
    return (
        f"{sample.memory / 1e9:.2f} GB, {sample.descriptors} descriptors, {sample.threads} threads, "
        f"{sample.shared_memory / 1e6:.0f} MB of shared memory"
    )
