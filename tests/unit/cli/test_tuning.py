"""Tuning: which of several settings is found to be the fastest, with servers that take known times."""

import time
from collections.abc import Callable

import pytest

from tritonocr_backend.cli.tuning import Effort, Finding, Subject, agreement, tune
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository.network_config import ServingSettings

FILES = [b"a", b"b"]
EFFORT = Effort(clients=1, rounds=3)

Seconds = Callable[[ServingSettings], float]


class Servers:
    """Servers that take `seconds_of` their settings for a file, and read what it holds."""

    def __init__(self, seconds_of: Seconds, misreads: Callable[[ServingSettings], bool]) -> None:
        self._seconds_of, self._misreads = seconds_of, misreads
        self.running = self.most_at_once = self.started = 0

    def start(self, serving: ServingSettings) -> Subject:
        self.started += 1
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        text = "?" if self._misreads(serving) else ""

        def read(file: bytes) -> list[str]:
            time.sleep(self._seconds_of(serving))
            return [file.decode() + text, "line"]

        return Subject(read, self._end)

    def _end(self) -> None:
        self.running -= 1


def findings(
    seconds_of: Seconds, misreads: Callable[[ServingSettings], bool] = lambda serving: False
) -> tuple[list[Finding], Servers]:
    servers = Servers(seconds_of, misreads)
    return list(tune(servers.start, FILES, 2, EFFORT)), servers


def best(found: list[Finding]) -> ServingSettings:
    return [finding for finding in found if finding.is_best][-1].candidate.serving


def test_the_fastest_of_each_question_is_kept() -> None:
    def seconds(serving: ServingSettings) -> float:
        wanted = (
            serving.engine == "onnxruntime",
            serving.threads.get(Role.TEXT_RECOGNITION) == 1,
            serving.instances.get("ocr") == 6,
        )
        return 0.03 - 0.008 * sum(wanted)

    found = best(findings(seconds)[0])
    assert found.engine == "onnxruntime"
    assert found.threads[Role.TEXT_RECOGNITION] == 1
    assert found.instances["ocr"] == 6


def test_where_nothing_is_faster_all_stays_as_it_comes() -> None:
    found, _ = findings(lambda serving: 0.005 if serving == ServingSettings() else 0.01)
    assert best(found) == ServingSettings()
    assert [finding.is_best for finding in found] == [True] + [False] * (len(found) - 1)


def test_what_is_fast_but_reads_otherwise_is_not_taken() -> None:
    def is_f32(serving: ServingSettings) -> bool:
        return serving.precision == "f32"

    found, _ = findings(lambda serving: 0.002 if is_f32(serving) else 0.01, is_f32)
    assert best(found).precision == "auto"
    assert {finding.agreement for finding in found if is_f32(finding.candidate.serving)} == {0.5}


@pytest.mark.parametrize(
    "seconds_of",
    [
        pytest.param(
            lambda serving: 0.0 if serving == ServingSettings() else 0.002, id="the first stays the best"
        ),
        pytest.param(lambda serving: 0.02 - 0.004 * len(serving.instances), id="some take its place"),
    ],
)
def test_each_server_is_started_once_and_two_at_most_run_at_once(seconds_of: Seconds) -> None:
    found, servers = findings(seconds_of)
    assert (servers.started, servers.most_at_once, servers.running) == (len(found), 2, 0)


def test_servers_are_ended_when_nobody_asks_for_more() -> None:
    servers = Servers(lambda serving: 0.0, lambda serving: False)
    found = tune(servers.start, FILES, 2, EFFORT)
    next(found)
    found.close()
    assert (servers.started, servers.running) == (1, 0)


@pytest.mark.parametrize(
    ("texts", "reference", "share"),
    [
        pytest.param([["a", "b"]], [["a", "b"]], 1, id="alike"),
        pytest.param([["b", "a", "c"]], [["a", "b"]], 1, id="in another order, and more"),
        pytest.param([["a"], ["x"]], [["a"], ["b"]], 0.5, id="by file"),
        pytest.param([["b"], ["a"]], [["a"], ["b"]], 0, id="another file's line does not count"),
        pytest.param([[]], [[]], 1, id="nothing to read"),
    ],
)
def test_agreement(texts: list[list[str]], reference: list[list[str]], share: float) -> None:
    assert agreement(texts, reference) == share
