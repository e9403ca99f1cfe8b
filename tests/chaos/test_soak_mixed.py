"""Changing load on `tritonocr serve --gateway` for a long time; what grows is named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mixture import Mixture
from usage import Log, Usage, report, usages

CYCLE_MINUTES = 5.0
LEAST_CYCLES, CYCLES_OF_A_VERDICT = 4, 12
PHASES = (("8 clients", 8, 0.5), ("1 client", 1, 0.3), ("idle", 0, 0.2))
"""Name, number of clients, and part of a cycle. The samples in "idle" are compared with each other."""
SAMPLE_EVERY_S = 20.0
# Over the second half, as a part of the mean. PSS changes with the other processes that use the same files.
GROWTH_LIMITS = {"anonymous": 0.03, "descriptors": 0.02, "threads": 0.02, "shared_memory": 0.02}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """`tritonocr serve --gateway`: its gRPC address and its gateway's URL."""
    ports = [f"--{name}-port=0" for name in ("http", "grpc", "metrics", "gateway")]
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tritonocr", "serve", "--gateway", *ports],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    assert process.stdout is not None
    line = next(line for line in process.stdout if "is ready" in line)
    found = re.search(r"gRPC ([\d.]+:\d+).*gateway (http://\S+:\d+)\.", line)
    assert found
    yield found[1], found[2]
    process.terminate()
    process.communicate(timeout=90)


@pytest.mark.timeout(4 * 3600)
def test_nothing_grows_under_changing_load(
    served: tuple[str, str],
    corpus: Path,
    request: pytest.FixtureRequest,
    happened: Callable[[str], None],
) -> None:
    grpc_url, gateway_url = served
    minutes, pause_s = (request.config.getoption(f"--soak-{name}") for name in ("minutes", "pause"))
    mixture = Mixture(grpc_url, gateway_url, corpus, pause_s)
    log = Log(request.config.rootpath / "output" / "soak_mixed.csv")
    idle = _cycles(mixture, minutes, log)
    gains, growth = report(idle)
    happened(
        f"{minutes:g} min, {len(idle)} cycles, {dict(mixture.counts)}; {growth}; "
        f"failures: {mixture.failures[:5]}; different: {mixture.different[:5]}"
    )
    assert mixture.counts.keys() == {"read", "rejected", "cancelled"}
    assert (mixture.failures, mixture.different) == ([], [])
    if len(idle) >= CYCLES_OF_A_VERDICT:
        assert [name for name, limit in GROWTH_LIMITS.items() if gains[name] > limit] == []


def _cycles(mixture: Mixture, minutes: float, log: Log) -> list[dict[str, Usage]]:
    """Repeat the phases; return the last sample of each idle phase."""
    cycles = max(LEAST_CYCLES, round(minutes / CYCLE_MINUTES))
    began_s, idle = time.monotonic(), []
    for cycle in range(cycles):
        ends_s = began_s + cycle * minutes * 60 / cycles
        for name, clients, part in PHASES:
            ends_s += part * minutes * 60 / cycles
            with mixture.clients(clients):
                found = _sampled_until(ends_s, began_s, f"{cycle + 1} {name}", log)
        idle.append(found)
        print(f"{(time.monotonic() - began_s) / 60:.1f} min: {dict(mixture.counts)}", flush=True)
    return idle


def _sampled_until(ends_s: float, began_s: float, phase: str, log: Log) -> dict[str, Usage]:
    while True:
        time.sleep(max(min(SAMPLE_EVERY_S, ends_s - time.monotonic()), 0))
        found = usages()
        log.write((time.monotonic() - began_s) / 60, phase, found)
        if time.monotonic() >= ends_s:
            return found
