"""The shell scripts pass a linter, and install.sh calls pip with the expected arguments."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / "docker" / "install.sh"
SCRIPTS = [*sorted(ROOT.glob("docker/*.sh")), *sorted(ROOT.glob("tests/*.sh")), ROOT / ".ci" / "run"]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_linter_finds_nothing(script: Path) -> None:
    command = [str(Path(sys.executable).parent / "shellcheck"), str(script)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment whose Python records its arguments."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    python.chmod(0o755)
    return tmp_path / "venv"


def _install(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(INSTALL), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=20
    )


def _asked(environment: Path) -> list[str]:
    asked = (environment.parent / "asked").read_text().splitlines()
    called = "-m pip install --disable-pip-version-check --no-input "
    return [line.removeprefix(called).removeprefix("--quiet ") for line in asked]


@pytest.mark.parametrize(
    ("what", "last"),
    [("gateway", "/client[gateway]"), ("server", "/.."), ("dev", "/..[dev]")],
)
def test_a_checkout_is_installed_as_it_stands(what: str, last: str, environment: Path) -> None:
    assert _install(what, environment).returncode == 0
    [asked] = _asked(environment)
    assert asked.startswith("--editable ")
    assert asked.endswith(last)


@pytest.mark.parametrize(("what", "own"), [("gateway", ["/client"]), ("server", ["/client", "/.."])])
def test_an_image_takes_what_is_locked_and_then_ours_without_asking_anyone(
    what: str, own: list[str], environment: Path
) -> None:
    assert _install("--lock", "some.lock", what, environment).returncode == 0
    locked, *ours = _asked(environment)
    assert locked == "--require-hashes --only-binary :all: --no-deps --requirement some.lock"
    assert all(line.startswith("--no-deps --no-index --no-build-isolation ") for line in ours)
    assert [line[-len(end) :] for line, end in zip(ours, own, strict=True)] == own


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: "),
        (["server"], "usage: "),
        (["everything", "venv"], "usage: "),
        (["--lock"], "usage: "),
        (["--lock", "file", "dev", "venv"], "dev has no lock file"),
    ],
    ids=str,
)
def test_a_slip_is_said_before_anything_is_installed(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = _install(*arguments)
    assert run.returncode == 2
    assert said in run.stderr
    assert list(tmp_path.iterdir()) == []
