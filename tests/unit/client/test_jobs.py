"""The files that a command line names, and resuming a run."""

import json
import os
from pathlib import Path

import pytest

from tritonocr import InvalidInputError
from tritonocr.cli._jobs import InputJob, jobs
from tritonocr.cli._journal import FILE_NAME, Journal


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.png", "in/a.jpg", "in/b.png", "in/sub/a.png", "in/note.txt", "odd[1].png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def planned(*inputs: str, recursive: bool = False, stems: dict[str, str] | None = None) -> list[str]:
    found = jobs(inputs, recursive=recursive, stems=stems or {})
    return [f"{job.name} -> {(job.folder / job.stem).as_posix()}" for job in found]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["in/b.png"], ["in/b.png -> b"]),
        (["in"], ["in/a.jpg -> a", "in/a.png -> a.png", "in/b.png -> b"]),
        (["in/*.png"], ["in/a.png -> a", "in/b.png -> b"]),
        (["in/**/*.png"], ["in/a.png -> a", "in/b.png -> b", "in/sub/a.png -> a.png"]),
        (["in/b.png", "in/b.png"], ["in/b.png -> b"]),
        (["odd[1].png"], ["odd[1].png -> odd[1]"]),
        (["none/*.png"], ["none/*.png -> *"]),
        (["http://host/x.png?v=1"], ["http://host/x.png?v=1 -> x"]),
        (["-"], ["standard input -> stdin"]),
        (["in/a.png", "in/sub/a.png", "./in/a.png"],
         ["in/a.png -> a", "in/sub/a.png -> a.png", "./in/a.png -> a.png_2"]),
    ],
    ids=["a file", "a directory", "a pattern", "a deep pattern", "the same twice", "a name like a pattern",
         "a pattern without match", "a URL", "standard input", "equal names"],
)  # fmt: skip
def test_inputs_become_jobs_with_names_of_their_own(inputs: list[str], expected: list[str]) -> None:
    assert planned(*inputs) == expected


def test_output_lies_as_the_input_lies() -> None:
    assert planned("in", recursive=True) == [
        "in/a.jpg -> a",
        "in/a.png -> a.png",
        "in/b.png -> b",
        "in/sub/a.png -> sub/a",
    ]


def test_a_file_that_has_output_keeps_its_name() -> None:
    stems = {"in/a.png": "a"}
    assert planned("in", stems=stems) == ["in/a.jpg -> a.jpg", "in/a.png -> a", "in/b.png -> b"]


OPTIONS = {"text_det_thresh": 0.3}


def run(*inputs: str, resume: bool = True) -> list[str]:
    """Do the remaining jobs, and return them."""
    with Journal(Path("out"), OPTIONS, resume=resume) as journal:
        todo = [job for job in jobs(inputs, recursive=False, stems=journal.stems) if not journal.has(job)]
        for job in todo:
            journal.add(job)
    return [job.name for job in todo]


def test_a_second_run_does_what_the_first_did_not() -> None:
    assert run("in/a.png", resume=False) == ["in/a.png"]
    assert run("in") == ["in/a.jpg", "in/b.png"]
    assert run("in") == []
    assert run("in", resume=False) == ["in/a.jpg", "in/a.png", "in/b.png"]


def test_a_file_that_changed_is_done_again() -> None:
    run("in/a.png")
    os.utime("in/a.png", ns=(1, 1))
    assert run("in/a.png") == ["in/a.png"]
    assert run("in/a.png") == []


def test_standard_input_is_never_done_before() -> None:
    run("-")
    assert run("-") == ["standard input"]


@pytest.mark.parametrize("cut", range(1, 80, 13))
def test_a_line_cut_short_counts_as_not_written(cut: int) -> None:
    run("in/a.png")
    run("in/b.png")
    journal = Path("out", FILE_NAME)
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert run("in/a.png", "in/b.png") == (["in/b.png"] if cut > 1 else [])
    assert run("in/a.png", "in/b.png") == []


def test_other_options_are_refused() -> None:
    run("in/a.png")
    with pytest.raises(InvalidInputError, match=r"were made with .*0\.3.*, not with .*0\.5"):
        Journal(Path("out"), {"text_det_thresh": 0.5}, resume=True)
    Journal(Path("out"), {"text_det_thresh": 0.5}, resume=False).__exit__()


def test_the_journal_is_json_lines() -> None:
    run("in/a.png")
    lines = [json.loads(line) for line in Path("out", FILE_NAME).read_text().splitlines()]
    assert lines[0] == {"options": OPTIONS}
    assert lines[1]["input"] == "in/a.png"
    assert lines[1]["output"] == "a"


def test_jobs_name_standard_input() -> None:
    (job,) = jobs(["-"], recursive=False, stems={})
    assert isinstance(job, InputJob)
    assert job.source.input_path is None
