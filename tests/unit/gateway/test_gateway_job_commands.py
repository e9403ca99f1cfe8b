"""`tritonocr jobs` against a gateway."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_triton import answer, picture
from typer.testing import CliRunner, Result

import tritonocr
from tritonocr.cli import _job_commands
from tritonocr.cli._job_commands import app


@pytest.fixture(autouse=True)
def _poll_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_job_commands, "_POLL_S", 0.02)


@pytest.fixture
def page(tmp_path: Path) -> str:
    path = tmp_path / "page.png"
    path.write_bytes(picture())
    return str(path)


class Commands:
    """Runs commands against a gateway."""

    def __init__(self, url: str) -> None:
        self._environment = {"TRITONOCR_JOBS_URL": url, "TRITONOCR_API_KEY": "secret"}

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env=self._environment)


@pytest.fixture
def jobs(serve: Any, tmp_path: Path) -> Commands:
    return Commands(str(serve(jobs_directory=tmp_path / "jobs", api_keys="secret").base_url))


def test_a_document_is_submitted_and_its_pages_are_printed(jobs: Commands, triton: Any, page: str) -> None:
    triton.tensors = answer(pages=2)
    submitted = jobs("submit", page, "--pages", "1-7", "--option", "useDocUnwarping=false")
    assert submitted.exit_code == 0, submitted.output
    done = jobs("wait", submitted.stdout.strip())
    assert done.exit_code == 0, done.output
    pages = [json.loads(line)["result"]["ocrResults"][0]["prunedResult"] for line in done.stdout.splitlines()]
    assert [page["rec_texts"] for page in pages] == [["line of page 0"], ["line of page 1"]]
    assert (triton.sent()["use_doc_unwarping"], triton.sent()["max_pages"]) == (False, 7)
    assert jobs("status", submitted.stdout.strip()).stdout.split("\t")[1:] == ["done", "2", "2\n"]


def test_results_of_several_documents_are_saved(jobs: Commands, page: str, tmp_path: Path) -> None:
    ids = jobs("submit", page, page, "--model", "PP-StructureV3").stdout.split()
    done = jobs("wait", *ids, "--save_path", str(tmp_path / "out"))
    assert done.stdout.split() == [str(tmp_path / "out" / f"{job_id}.jsonl") for job_id in ids]
    assert "layoutParsingResults" in Path(done.stdout.split()[0]).read_text()


def test_a_failed_document_is_named(jobs: Commands, triton: Any, page: str) -> None:
    triton.error = tritonocr.InvalidInputError("file: got 3 bytes.")
    job_id = jobs("submit", page).stdout.strip()
    done = jobs("wait", job_id)
    assert done.exit_code == 1
    assert f"{job_id}: file: got 3 bytes." in done.stderr


def test_a_job_is_cancelled(jobs: Commands, triton: Any, page: str) -> None:
    triton.wait = True
    job_id = jobs("submit", page).stdout.strip()
    assert jobs("cancel", job_id).stdout.split("\t")[1] == "failed"


def test_waiting_ends_in_time(jobs: Commands, triton: Any, page: str) -> None:
    triton.wait = True
    job_id = jobs("submit", page).stdout.strip()
    error = jobs("wait", job_id, "--timeout", "0.1").exception
    assert isinstance(error, tritonocr.DeadlineExceededError)
    jobs("cancel", job_id)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (["submit", "PAGE", "--pages", "x"], tritonocr.InvalidInputError, "pageRanges: got 'x'"),
        (["submit", "PAGE", "--option", "x"], tritonocr.InvalidInputError, "--option: got 'x'"),
        (["submit", "none.png"], tritonocr.InvalidInputError, "none.png: No such file"),
        (["submit", "https://example.com/a.png"], tritonocr.InvalidInputError, "setting fetch_urls"),
        (["submit", "PAGE", "--key", "wrong"], tritonocr.AccessDeniedError, "API key"),
        (["status", "unknown"], tritonocr.InvalidInputError, "does not exist"),
        (["wait", "unknown"], tritonocr.InvalidInputError, "does not exist"),
        (["status", "a", "--gateway", "localhost"], tritonocr.InvalidInputError, "expected a URL"),
        (["wait", "a", "--gateway", "http://127.0.0.1:9"], tritonocr.ServerUnavailableError, "127.0.0.1:9"),
    ],
)
def test_a_wrong_argument_is_named(
    jobs: Commands, page: str, arguments: list[str], kind: type[Exception], message: str
) -> None:
    error = jobs(*(page if argument == "PAGE" else argument for argument in arguments)).exception
    assert isinstance(error, kind)
    assert message in str(error)
