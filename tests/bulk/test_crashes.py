"""Bulk reading with processes killed midway: each file appears once, and no finished file is read again."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from pyarrow import parquet

from tritonocr_backend.server.embedded import EmbeddedServer

NAMES = [f"{number}.png" for number in range(100, 130)]
Start = Callable[..., "subprocess.Popen[str]"]

PARTS = 15
DEADLINE_S = 240


def arguments(server: EmbeddedServer, pages: Path, output: Path) -> list[object]:
    """Two readers with two files in flight, two files a part."""
    sizes = ["--readers", 2, "--jobs", 2, "--files-per-part", 2]
    return [pages, "--output", output, "--url", server.grpc_url, *sizes]


def wait_for(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait until something is so, while the process lives."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert process.poll() is None, f"it has ended: {process.communicate()[0]}"
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def parts(output: Path) -> dict[str, int]:
    """The parts with the times they were written."""
    return {path.name: path.stat().st_mtime_ns for path in output.glob("part-*.parquet")}


def finish(process: "subprocess.Popen[str]") -> str:
    """Wait for the successful end of the command, and return its output."""
    said, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, said
    return said


def check_all_read_once(output: Path) -> None:
    """Every page is in one row of one part, with its own text."""
    rows = [row for part in output.glob("part-*.parquet") for row in parquet.read_table(part).to_pylist()]
    assert sorted(Path(row["input_path"]).name for row in rows) == NAMES
    for row in rows:
        assert re.sub(r"\D", "", row["text"]) == Path(row["input_path"]).stem, row


def readers(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    """The readers' processes."""
    family = psutil.Process(process.pid).children(recursive=True)
    return [child for child in family if child.name().startswith("ray::MapWorker")]


def test_a_reader_that_is_killed_is_replaced(
    server: EmbeddedServer, pages: Path, tmp_path: Path, start: Start
) -> None:
    """Its block is read again, and is there once."""
    output = tmp_path / "output"
    process = start(*arguments(server, pages, output))
    wait_for(lambda: parts(output), process)
    victim = readers(process)[0]
    victim.kill()
    assert len(parts(output)) < PARTS, "it was killed too late to tell anything"
    assert "30 files, 30 pages, 0 failed" in finish(process)
    check_all_read_once(output)


def test_a_run_that_is_killed_goes_on_where_it_stopped(
    server: EmbeddedServer, pages: Path, tmp_path: Path, start: Start
) -> None:
    """What was written before is not read again, and nothing half-written is left."""
    output = tmp_path / "output"
    process = start(*arguments(server, pages, output))
    wait_for(lambda: len(parts(output)) >= 3, process)
    family = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    assert not psutil.wait_procs(family, timeout=DEADLINE_S)[1], "Ray outlived its driver"
    before = parts(output)
    assert len(before) < PARTS, "it was killed too late to tell anything"

    said = finish(start(*arguments(server, pages, output)))
    assert f"({2 * len(before)} done before)" in said
    assert before.items() <= parts(output).items()
    check_all_read_once(output)
    assert not list((output / "_temporary").glob("*"))
