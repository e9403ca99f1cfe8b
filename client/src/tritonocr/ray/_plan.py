"""The plan of a run: blocks of files that are planned once. A block is done when its part exists.

The plan ensures that each file appears exactly once. A block's part has the block's name, so that a second
reading of a block (a worker died after writing, or two runs overlapped) replaces rows with the same rows.
The failures of a block are also a file of their own, so that later runs know them without reading all parts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from .._exceptions import InvalidInputError
from ._storage import Directory, StoredFile

PLANS = "_plans"
RUN_FILE = "_run.json"
FAILURES = "_failures"
_COLUMNS = ("uri", "size_bytes", "mtime_ns")


@dataclass(frozen=True)
class Block:
    """Files that are read together; their results are one part.

    Attributes:
        name: `00000-000012`: the number of the plan, and the number of the block in it.
        files: the files to read.
        is_retry: whether the part exists and only the rows of these files are replaced.
    """

    name: str
    files: tuple[StoredFile, ...]
    is_retry: bool = False


def check_same_run(output: Directory, settings: Mapping[str, Any]) -> None:
    """Record the settings that the results depend on, or compare them with an earlier run's.

    Raises:
        InvalidInputError: the directory holds results of other settings.
    """
    if RUN_FILE not in output.names():
        output.write(RUN_FILE, json.dumps(settings, indent=2).encode())
        return
    earlier = json.loads(output.read(RUN_FILE))
    if earlier != settings:
        raise InvalidInputError(
            f"The results in {output.uri!r} were made with {earlier}, not with {dict(settings)}: use the "
            "same settings, or another output."
        )


def plan(output: Directory, listed: Iterable[StoredFile], files_per_part: int) -> list[Block]:
    """Return all blocks of a directory, first those of earlier runs; plan new blocks for new files."""
    names = output.names(PLANS)
    blocks = [block for name in names for block in _read_plan(output, f"{PLANS}/{name}")]
    known = {file for block in blocks for file in block.files}
    new = [file for file in sorted(set(listed)) if file not in known]
    if new:
        fresh = list(_cut(new, files_per_part, plan_number=len(names)))
        _write_plan(output, f"{PLANS}/{len(names):05}.parquet", fresh)
        blocks += fresh
    return blocks


def undone(output: Directory, blocks: Iterable[Block], suffix: str) -> list[Block]:
    """Return the blocks whose part does not exist."""
    parts = set(output.names())
    return [block for block in blocks if part_name(block.name, suffix) not in parts]


def part_name(block_name: str, suffix: str) -> str:
    """Return the name of the file with a block's results."""
    return f"part-{block_name}.{suffix}"


def write_failures(output: Directory, block_name: str, failed: Mapping[str, str]) -> None:
    """Record the errors of a block's files by URI; write them before the block's part."""
    name = f"{block_name}.json"
    if failed or name in output.names(FAILURES):
        output.write(f"{FAILURES}/{name}", json.dumps(failed).encode())


def read_failures(output: Directory, block_name: str) -> dict[str, str]:
    """Return the recorded errors of a block by URI."""
    failed: dict[str, str] = json.loads(output.read(f"{FAILURES}/{block_name}.json"))
    return failed


def earlier_failures(
    output: Directory, blocks: Iterable[Block], todo: Iterable[Block], listed: Iterable[StoredFile]
) -> dict[str, str]:
    """Return the errors of finished blocks by URI, for files that are still there and unchanged."""
    recorded, undone_names, current = set(output.names(FAILURES)), {b.name for b in todo}, set(listed)
    finished = [
        block for block in blocks if f"{block.name}.json" in recorded and block.name not in undone_names
    ]
    return {
        file.uri: errors[file.uri]
        for block in finished
        for errors in [read_failures(output, block.name)]
        for file in block.files
        if file.uri in errors and file in current
    }


def only(failed: Mapping[str, str], block: Block) -> Block:
    """Return a block of only those files that failed before."""
    return Block(block.name, tuple(file for file in block.files if file.uri in failed), is_retry=True)


def _cut(files: list[StoredFile], size: int, plan_number: int) -> Iterator[Block]:
    for number, start in enumerate(range(0, len(files), size)):
        yield Block(f"{plan_number:05}-{number:06}", tuple(files[start : start + size]))


def _write_plan(output: Directory, name: str, blocks: Iterable[Block]) -> None:
    rows = [(block.name, *astuple(file)) for block in blocks for file in block.files]
    columns = dict(zip(("block", *_COLUMNS), map(list, zip(*rows, strict=True)), strict=True))
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink)
    output.write(name, sink.getvalue().to_pybytes())


def _read_plan(output: Directory, name: str) -> Iterator[Block]:
    rows = parquet.read_table(pa.BufferReader(output.read(name))).to_pylist()
    for block_name, group in groupby(rows, key=lambda row: row["block"]):
        yield Block(block_name, tuple(StoredFile(*(row[column] for column in _COLUMNS)) for row in group))
