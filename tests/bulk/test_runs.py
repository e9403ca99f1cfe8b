"""Bulk reading as a command: with its own servers, with unreadable files, without any server."""

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

from pyarrow import parquet

from tritonocr_backend.server.embedded import EmbeddedServer

Start = Callable[..., "Popen[str]"]
DEADLINE_S = 240


def errors(output: Path) -> dict[str, str | None]:
    """Return the row of each file."""
    rows = [row for part in output.glob("part-*.parquet") for row in parquet.read_table(part).to_pylist()]
    return {Path(row["input_path"]).name: row["error_type"] for row in rows}


def test_without_a_url_a_node_has_its_own_server(pages: Path, tmp_path: Path, start: Start) -> None:
    """And a file that cannot be read is a row beside the others."""
    (pages / "cut.png").write_bytes((pages / "100.png").read_bytes()[:100])
    output = tmp_path / "output"
    process = start(pages, "--output", output)
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1, said
    assert "31 files, 30 pages, 1 failed" in said
    found = errors(output)
    assert found.pop("cut.png") == "InvalidInputError"
    assert len(found) == 30
    assert not any(found.values())


def test_new_files_are_read_alone(server: EmbeddedServer, pages: Path, tmp_path: Path, start: Start) -> None:
    """The others were read before."""
    url, output = ("--url", server.grpc_url), tmp_path / "output"
    last = (pages / "129.png").rename(tmp_path / "129.png")
    assert start(pages, "--output", output, *url).wait(DEADLINE_S) == 0
    last.rename(pages / "129.png")
    process = start(pages, "--output", output, *url)
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert "1 file (29 done before), 1 page," in said
    assert len(errors(output)) == 30


def test_no_server_ends_the_run_and_no_file_is_blamed(pages: Path, tmp_path: Path, start: Start) -> None:
    """It can be started again when there is one."""
    output = tmp_path / "output"
    process = start(pages, "--output", output, "--url", "127.0.0.1:1", "--patience", 1)
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 3, said
    assert "No TritonOCR server answers at" in said
    assert not errors(output)


def test_an_option_that_the_server_refuses_ends_the_run(
    server: EmbeddedServer, pages: Path, tmp_path: Path, start: Start
) -> None:
    output = tmp_path / "output"
    process = start(pages, "--output", output, "--url", server.grpc_url, "--option", "max_pages=2000")
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2, said
    assert "max_pages: got 2000" in said
    assert not errors(output)
