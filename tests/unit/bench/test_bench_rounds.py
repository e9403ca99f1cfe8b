"""Rounds: the order of the subjects, and the figures in tables and targets."""

import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from bench import document, report
from bench.figures import Spread
from bench.measured import ModelWork, Pass
from bench.processes import ProcessTree
from bench.rounds import Measurements, measure, pages_of_round
from bench.subjects import FAMILIES, Subject
from bench.targets import verdicts
from bench.workloads import Page, Workload

PAGES = [Page(f"page{number}", Path(f"page{number}.jpg")) for number in range(20)]
WARMING_UP = 100
NO_PROCESS = 2**22  # beyond the largest process id of Linux
OURS, PEER, FLOOR = Subject("ours", 4), Subject("rapidocr-openvino", 1), Subject("floor", 1)


class SlowingReader:
    """A reader on a machine that loses a sixteenth of its first speed with every pass, whoever's it is."""

    def __init__(self, page_s: float, told: list[str], family: str) -> None:
        self.tree = ProcessTree(NO_PROCESS)
        self._page_s, self._told, self._name = page_s, told, family
        self._warm_ups = FAMILIES[family].warm_ups

    def read(self, workload: Workload, pages: Sequence[Page], clients: int) -> Pass:
        self._warm_ups -= 1
        if self._warm_ups >= 0:
            seconds: float = WARMING_UP
        else:
            seconds = self._page_s / (1 - len(self._told) / 16)
            self._told.append(self._name)
        lines = {page.name: [([[0, 0], [9, 0], [9, 9], [0, 9]], page.name)] for page in pages}
        models = {"PP-OCRv4_mobile_rec": ModelWork(requests=2, executions=1, rows=9, cpu_s=seconds)}
        return Pass(len(pages), seconds * len(pages), (seconds,) * len(pages), lines=lines, models=models)


@pytest.fixture(scope="module")
def order() -> list[str]:
    return []


@pytest.fixture(scope="module")  # measuring waits two seconds for who is not idle
def found(order: list[str]) -> Measurements:
    readers = {
        family: SlowingReader(page_s, order, family)
        for family, page_s in {"ours": 1, "rapidocr-openvino": 2, "floor": 0.9}.items()
    }
    return measure(Workload("receipts", PAGES), [OURS, PEER, FLOOR], readers, 2, lambda text: None)


def test_the_reference_reads_beside_everyone_and_every_other_round_runs_backwards(
    found: Measurements, order: list[str]
) -> None:
    """So that no subject always comes after the same one."""
    assert order[:5] == ["ours", "rapidocr-openvino", "ours", "floor", "ours"]
    assert order[5:] == ["ours", "floor", "ours", "rapidocr-openvino", "ours"]


def test_warming_up_does_not_count(found: Measurements) -> None:
    assert found.pages_per_s("ours@4") == Spread(0.71875, 0.4375, 1)
    assert found.latency_s("ours@4", 100) == pytest.approx(1 / 0.4375)


def test_ratios_are_steady_on_a_machine_that_slows_down(found: Measurements) -> None:
    ratio = found.reference_ratio("rapidocr-openvino@1")
    assert (ratio.low, ratio.high) == (pytest.approx(2), pytest.approx(2))


def test_accuracy_is_of_all_pages(found: Measurements) -> None:
    """A round reads a fifth of them; the warm-up read them all."""
    assert set(found.lines("ours@4")) == {page.name for page in PAGES}


@pytest.mark.parametrize(
    ("pages", "clients", "expected", "reason"),
    [
        (20, 1, 4, "one client reads a fifth of twenty pages a round"),
        (20, 4, 12, "several get them repeatedly"),
        (20, 32, 40, "many more than there are, but no round is endless"),
        (7, 1, 7, "few pages are not divided"),
        (1, 4, 12, "a single page is repeated"),
    ],
)
def test_a_round_has_more_pages_than_clients(pages: int, clients: int, expected: int, reason: str) -> None:
    assert len(pages_of_round(PAGES[:pages], 0, clients)) == expected, reason


def test_five_rounds_read_every_page_once() -> None:
    read = [page for number in range(5) for page in pages_of_round(PAGES, number, clients=1)]
    assert sorted(page.name for page in read) == sorted(page.name for page in PAGES)


@pytest.fixture
def figures(found: Measurements) -> dict[str, Any]:
    return report.summary(found, [OURS, PEER, FLOOR])


def row_with(text: str, table: Table) -> str:
    """The printed row of a table that holds a text."""
    output = io.StringIO()
    Console(width=200, file=output).print(table)
    return next(line for line in output.getvalue().splitlines() if text in line)


def test_the_table_shows_speed_ratio_and_latency(figures: dict[str, Any]) -> None:
    row = row_with("RapidOCR, OpenVINO", report.speed_table("receipts", figures))
    cells = [cell.strip() for cell in row.split("│")]
    assert cells[1:5] == ["RapidOCR, OpenVINO", "0.36 (0.25-0.47)", "2.00 (2.00-2.00)", "2.13"]


def test_the_stage_table_says_how_full_batches_were(figures: dict[str, Any]) -> None:
    row = row_with("PP-OCRv4_mobile_rec", report.stage_table("receipts", figures["subjects"]["ours@4"]))
    assert [cell.strip() for cell in row.split("│")][-3:-1] == ["9.00", "2.00"]


def test_the_document_has_a_row_for_each_subject_and_target(figures: dict[str, Any]) -> None:
    machine = {"cpu": "a processor", "cores": 2, "flags": ["avx2"], "gpu": "none"}
    results = {"machine": machine, "workloads": {"receipts": figures}}
    text = document.markdown(
        {**results, "targets": [{**asdict(one), "holds": one.holds} for one in verdicts(results)]}
    )
    assert "| RapidOCR, OpenVINO | 0.36 (0.25-0.47) | 2.00 (2.00-2.00) | 2.13 |" in text
    assert "| throughput relative to the floor, 4 clients | at least 0.8 | 0.9 | holds |" in text
    assert "| seconds until ready with warm caches | at most 10 |  | not measured |" in text


def test_targets_hold_or_not_or_were_not_measured(figures: dict[str, Any]) -> None:
    results = {"workloads": {"receipts": {**figures, "models": {"recognition": "PP-OCRv4_mobile_rec"}}}}
    found = {one.what: one.holds for one in verdicts(results)}
    assert found["speed-up over RapidOCR on OpenVINO"] is True  # 2.0, at least 1.8
    assert found["throughput relative to the floor, 4 clients"] is True  # 0.9, at least 0.8
    assert found["speed-up over PaddleX with its faster engine"] is None
    assert found["seconds until ready with warm caches"] is None


def test_a_target_that_is_missed_is_said_to_be(figures: dict[str, Any]) -> None:
    figures["subjects"]["rapidocr-openvino@1"]["reference_ratio"]["median"] = 1.79
    results = {"workloads": {"receipts": {**figures, "models": {"recognition": "PP-OCRv4_mobile_rec"}}}}
    found = {one.what: one.holds for one in verdicts(results)}
    assert found["speed-up over RapidOCR on OpenVINO"] is False
