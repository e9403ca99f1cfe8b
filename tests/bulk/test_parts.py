"""The parts of bulk reading, without Ray: storage, plan, rows, patience."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import ray
from pyarrow import parquet

from tritonocr import (
    DeadlineExceededError,
    InvalidInputError,
    OCRFailure,
    OCRResult,
    OverloadedError,
    PageRecord,
    ServerError,
    ServerUnavailableError,
)
from tritonocr._options import DEFAULTS
from tritonocr._results.page import PageMessage
from tritonocr.ray import SCHEMA
from tritonocr.ray._bulk import start_ray
from tritonocr.ray._plan import Block, check_same_run, earlier_failures, only, plan, undone
from tritonocr.ray._reader import RETRIES, BlockReader, ReaderJob, persistently
from tritonocr.ray._rows import FORMATS, as_jsonl, as_parquet, rows
from tritonocr.ray._storage import Directory, StoredFile, _uri_before_path, list_files, read


def store(directory: Path, *names: str) -> list[StoredFile]:
    """Write small files and list them."""
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return sorted(list_files(str(directory), recursive=True))


def test_a_directory_is_listed_with_what_it_holds(tmp_path: Path) -> None:
    """Images and PDFs are listed, with subdirectories if requested; a file is listed as itself."""
    files = store(tmp_path, "a.jpg", "B.PDF", "notes.txt", "deep/c.tiff")
    assert [Path(file.uri).name for file in files] == ["B.PDF", "a.jpg", "c.tiff"]
    assert len(list(list_files(str(tmp_path), recursive=False))) == 2
    assert len(list(list_files(str(tmp_path / "notes.txt"), recursive=True))) == 1
    assert files[1] == StoredFile(str(tmp_path / "a.jpg"), 5, (tmp_path / "a.jpg").stat().st_mtime_ns)


@pytest.mark.parametrize(
    ("uri", "names"),
    [
        ("/nowhere/at/all", "holds no"),
        ("nothing://bucket/x", "Protocol not known"),
    ],
)
def test_what_cannot_be_listed_is_named(uri: str, names: str) -> None:
    """Before any work is done."""
    with pytest.raises(InvalidInputError, match=names):
        list(list_files(uri, recursive=True))


def test_any_storage_of_fsspec_will_do() -> None:
    """Listing, reading and whole files, through its memory filesystem."""
    Directory("memory://inputs").write("a.png", b"content")
    (file,) = list_files("memory://inputs", recursive=True)
    assert read(file) == b"content"


def test_a_file_that_changed_since_is_not_taken_for_the_one_listed(tmp_path: Path) -> None:
    """Its row would have the size and time of the other."""
    (file,) = store(tmp_path, "a.jpg")
    (tmp_path / "a.jpg").write_bytes(b"longer than before")
    with pytest.raises(InvalidInputError, match=r"has 18 bytes; it had 5 bytes"):
        read(file)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(InvalidInputError, match="Cannot read"):
        read(file)


def test_a_plan_is_kept_and_extended(tmp_path: Path) -> None:
    """Blocks stay what they were; new and changed files get others."""
    inputs, output = tmp_path / "in", Directory(str(tmp_path / "out"))
    first = plan(output, store(inputs, "a.jpg", "b.jpg", "c.jpg"), files_per_part=2)
    assert [(block.name, len(block.files)) for block in first] == [("00000-000000", 2), ("00000-000001", 1)]
    assert plan(output, store(inputs), files_per_part=1) == first

    os.utime(inputs / "a.jpg", ns=(1, 1))
    second = plan(output, store(inputs, "d.jpg"), files_per_part=2)
    assert second[:2] == first
    assert [Path(file.uri).name for file in second[2].files] == ["a.jpg", "d.jpg"]

    output.write("part-00000-000001.parquet", b"")
    assert [block.name for block in undone(output, second, "parquet")] == ["00000-000000", "00001-000000"]


def test_results_of_other_options_are_not_mixed(tmp_path: Path) -> None:
    """The names of the first run's files in the directory."""
    output = Directory(str(tmp_path))
    check_same_run(output, {"options": {"lang": "en"}})
    check_same_run(output, {"options": {"lang": "en"}})
    with pytest.raises(InvalidInputError, match="'lang': 'en'"):
        check_same_run(output, {"options": {}})


def test_a_failure_is_a_row_in_both_formats() -> None:
    """With every column, so that parts fit together."""
    file = StoredFile("a.jpg", 5, 7)
    found = rows(file, [OCRFailure("a.jpg", InvalidInputError("it is cut"))])
    table = parquet.read_table(pa.BufferReader(as_parquet(found)))
    assert table.schema.equals(SCHEMA)
    (row,) = table.to_pylist()
    assert row == json.loads(as_jsonl(found))
    told = (row["input_path"], row["size_bytes"], row["error_type"], row["error"], row["text"])
    assert told == ("a.jpg", 5, "InvalidInputError", "it is cut", None)


def test_a_page_is_a_row_with_its_order_its_blocks_and_its_warnings() -> None:
    (row,) = parquet.read_table(
        pa.BufferReader(as_parquet(rows(StoredFile("a.jpg", 5, 7), [page_of("a.jpg")])))
    ).to_pylist()
    layout = (row["reading_order"], row["row_index"], row["block_index"], row["block_kind"])
    assert layout == ([0], [0], [0], ["paragraph"])
    assert row["warnings"] == [{"code": "small_text", "message": "Too small."}]
    assert row["rec_sources"] is None


def calls(*outcomes: Exception | str) -> Callable[[], str]:
    """A function that raises or returns one outcome after the other."""
    left = list(outcomes)

    def call() -> str:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return call


AWAY, FULL, BROKEN, LATE = (
    ServerUnavailableError("away"),
    OverloadedError("full"),
    ServerError("broken"),
    DeadlineExceededError("late"),
)


@pytest.mark.parametrize(
    ("outcomes", "patience_s"),
    [
        (["text"], 0.0),  # at once
        ([AWAY, FULL, AWAY, AWAY, "text"], 60.0),  # servers that come back
        ([BROKEN, LATE, "text"], 0.0),  # failures of one file, as often as is tried again
    ],
)
def test_what_may_pass_later_is_tried_again(outcomes: list[Exception | str], patience_s: float) -> None:
    """Until there is an answer."""
    assert persistently(calls(*outcomes), patience_s, pause=lambda seconds: None) == "text"


@pytest.mark.parametrize(
    ("outcomes", "patience_s", "error"),
    [
        ([AWAY, "text"], -1.0, ServerUnavailableError),  # no patience left
        ([BROKEN] * (RETRIES + 1), 60.0, ServerError),
        ([InvalidInputError("cut"), "text"], 60.0, InvalidInputError),  # the file is the cause
    ],
)
def test_what_will_not_pass_is_raised(
    outcomes: list[Exception | str], patience_s: float, error: type[Exception]
) -> None:
    """The error itself."""
    with pytest.raises(error):
        persistently(calls(*outcomes), patience_s, pause=lambda seconds: None)


def test_pauses_grow_and_are_bounded() -> None:
    """Up to half a minute."""
    pauses: list[float] = []
    persistently(calls(*[AWAY] * 12, "text"), 60, pause=pauses.append)
    assert 0.25 <= pauses[0] <= 0.5
    assert 15 <= pauses[-1] <= 30


def test_a_reader_without_a_server_says_so_and_writes_nothing(tmp_path: Path) -> None:
    """As its result: Ray would hand on an exception's text alone."""
    (file,) = store(tmp_path / "in", "a.jpg")
    job = ReaderJob(
        str(tmp_path / "out"), "parquet", ("127.0.0.1:1",), None, None, None, {}, 1, 5, patience_s=0
    )
    block = {
        "name": "00000-000000",
        "uris": [file.uri],
        "sizes_bytes": [file.size_bytes],
        "mtimes_ns": [file.mtime_ns],
        "is_retry": False,
    }
    done = BlockReader(job)(block)
    assert (done["ended_by"], done["files"]) == ("ServerUnavailableError", 0)
    assert "127.0.0.1:1" in done["reason"]
    assert not list((tmp_path / "out").glob("part-*"))


def columns(block: Block) -> dict[str, object]:
    """What Ray hands to a reader."""
    return {
        "name": block.name,
        "uris": [file.uri for file in block.files],
        "sizes_bytes": [file.size_bytes for file in block.files],
        "mtimes_ns": [file.mtime_ns for file in block.files],
        "is_retry": block.is_retry,
    }


@pytest.mark.parametrize("file_format", ["parquet", "jsonl"])
def test_failed_files_are_known_later_and_a_retry_replaces_their_rows(
    tmp_path: Path, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the other files stay as they are."""
    files = store(tmp_path / "in", "a.jpg", "bad.jpg", "c.jpg")
    output = Directory(str(tmp_path / "out"))
    job = ReaderJob(output.uri, file_format, ("h:1",), None, None, None, {}, 1, 5, patience_s=0)
    asked: list[str] = []
    is_mended = False

    def read_or_fail(reader: BlockReader, client: object, file: StoredFile) -> list[OCRFailure | OCRResult]:
        asked.append(Path(file.uri).name)
        if "bad" in file.uri and not is_mended:
            return [OCRFailure(file.uri, InvalidInputError("it is cut"))]
        return [page_of(file.uri)]

    monkeypatch.setattr(BlockReader, "_read", read_or_fail)
    (block,) = plan(output, files, files_per_part=9)
    done = BlockReader(job)(columns(block))
    bad = files[1].uri
    assert (done["files"], done["pages"], json.loads(done["failed"])) == (3, 2, {bad: "it is cut"})
    failed = earlier_failures(output, [block], [], files)
    assert failed == {bad: "it is cut"}
    assert earlier_failures(output, [block], [], [files[0], files[2]]) == {}, "a file that is gone"
    assert earlier_failures(output, [block], [block], files) == {}, "a block that is not done"

    asked, is_mended = [], True
    done = BlockReader(job)(columns(only(failed, block)))
    assert (asked, done["files"], json.loads(done["failed"])) == (["bad.jpg"], 1, {})
    assert earlier_failures(output, [block], [], files) == {}
    part = FORMATS[file_format].read(output.read(f"part-{block.name}.{file_format}"))
    assert [(Path(row["input_path"]).name, row["text"]) for row in part] == [
        ("a.jpg", "a.jpg"), ("bad.jpg", "bad.jpg"), ("c.jpg", "c.jpg")
    ]  # fmt: skip


def page_of(uri: str) -> OCRResult:
    """A page whose one line is the file's name."""
    nothing = np.empty((0,), np.int32)
    quads, boxes = np.zeros((1, 4, 2), np.int32), np.zeros((1, 4), np.int32)
    first = np.zeros(1, np.int32)
    page = PageRecord(
        height=10,
        width=20,
        angle=-1,
        unwarped=False,
        max_candidates_reached=False,
        dt_polys=quads,
        dt_scores=np.ones(1),
        textline_orientation_angles=nothing,
        rec_texts=[Path(uri).name],
        rec_scores=np.ones(1),
        rec_polys=quads,
        rec_boxes=boxes,
        reading_order=first,
        row_index=first,
        block_index=first,
        block_kind=["paragraph"],
        warnings=(PageMessage("small_text", "Too small."),),
    )
    return OCRResult.from_page(page, DEFAULTS, input_path=uri)


@pytest.mark.parametrize(
    ("uri", "path", "before"),
    [
        ("hdfs://namenode:8020/scans", "/scans", "hdfs://namenode:8020"),
        ("hdfs://user@namenode:8020/scans", "/scans", "hdfs://user@namenode:8020"),
        ("hdfs:///scans", "/scans", "hdfs://"),
        ("hdfs://data/data2", "/data2", "hdfs://data"),
        ("s3://bucket/scans", "bucket/scans", "s3://"),
        ("s3://bucket", "bucket", "s3://"),
        ("s3://key:secret@bucket/scans", "bucket/scans", "s3://"),
        ("memory://inputs", "/inputs", "memory://"),
        ("/local/path", "/local/path", ""),
    ],
)
def test_the_uri_of_a_file_keeps_the_host(uri: str, path: str, before: str) -> None:
    """Where the path in the filesystem lacks it; and no password goes into the results."""
    assert _uri_before_path(uri, path) == before


def test_ray_that_does_not_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise Exception("The current node timed out during startup.\n Details.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ServerUnavailableError) as caught:
        start_ray()
    assert str(caught.value) == "Ray did not start: The current node timed out during startup. Details."


def test_ray_is_started_again_if_it_needed_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray waits 30 s for its processes, which a busy machine can exceed."""
    errors = [Exception("The current node timed out during startup.")]
    started: list[bool] = []

    def init(**_: object) -> None:
        if errors:
            raise errors.pop()
        started.append(True)

    monkeypatch.setattr(ray, "is_initialized", lambda: bool(started))
    monkeypatch.setattr(ray, "init", init)
    start_ray()
    assert started == [True]


def test_a_cluster_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def init(**_: object) -> None:
        asked.append(True)
        raise ConnectionError("no cluster")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ServerUnavailableError):
        start_ray()
    assert asked == [True]
