"""`tritonocr perf-analyzer` says that it works while perf_analyzer is silent."""

import sys

import pytest

from tritonocr_backend.cli import perf_analyzer


def test_a_silent_measurement_shows_signs_of_life(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(perf_analyzer, "SIGN_OF_LIFE_S", 0.05)
    command = [sys.executable, "-c", "import time; time.sleep(0.5); raise SystemExit(7)"]
    assert perf_analyzer._run(command, {}) == 7
    assert "tritonocr: perf_analyzer is measuring, 0 s so far" in capsys.readouterr().err
