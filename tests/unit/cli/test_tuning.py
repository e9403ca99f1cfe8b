"""Test which settings `tune` chooses, with servers of known speed."""

import time
from collections.abc import Callable

import pytest

from tritonocr_backend.cli.tuning import (
    Candidate,
    Effort,
    Finding,
    Subject,
    _finding,
    agreement,
    conclusion,
    tune,
)
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.repository.serving_settings import ServingSettings

FILES = [b"a", b"b"]
EFFORT = Effort(clients=1, rounds=3)

Seconds = Callable[[ServingSettings], float]


class Servers:
    """Servers that need `seconds_of(settings)` per file and return its content."""

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


def test_the_fastest_settings_of_each_question_are_chosen() -> None:
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


def test_default_settings_are_kept_if_nothing_is_faster() -> None:
    found, _ = findings(lambda serving: 0.005 if serving == ServingSettings() else 0.01)
    assert best(found) == ServingSettings()
    assert [finding.is_best for finding in found] == [True] + [False] * (len(found) - 1)
    assert conclusion(found).startswith("No clear difference")


def test_fast_settings_with_other_texts_are_rejected() -> None:
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
def test_each_server_starts_once_and_at_most_two_run_at_once(seconds_of: Seconds) -> None:
    found, servers = findings(seconds_of)
    assert (servers.started, servers.most_at_once, servers.running) == (len(found), 2, 0)


def test_servers_stop_when_the_caller_stops() -> None:
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


@pytest.mark.parametrize(
    ("speeds", "is_clear", "reason"),
    [
        ([1.1, 1.2, 1.1], True, "every round is faster"),
        ([1.3, 1.3, 0.9], False, "one round is slower: noise"),
        ([1.0, 1.3, 1.3], False, "one round is as fast"),
        ([1.01, 1.02, 1.02], False, "the median is below the noise limit"),
    ],
)
def test_the_conclusion_names_a_challenger_only_beyond_noise(
    speeds: list[float], is_clear: bool, reason: str
) -> None:
    best, challenger = (
        Subject(lambda file: [], lambda: None, rounds, [1.0], [["a"]]) for rounds in ([1.0] * 3, speeds)
    )
    settings = Candidate("challenger", ServingSettings())
    first = _finding(
        Candidate("default settings", ServingSettings()), best, best, [["a"]], EFFORT, is_first=True
    )
    finding = _finding(settings, challenger, best, [["a"]], EFFORT)
    assert conclusion([first, finding]).startswith("challenger: " if is_clear else "No clear difference"), (
        reason
    )
