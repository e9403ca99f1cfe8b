"""What is to be read, in blocks that are planned once: a block is done when its part is there.

The plan is what makes every file appear exactly once. A block's part has the block's name, so whoever reads
a block a second time (its worker died after writing; two runs overlapped) replaces rows by the same rows.
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
_COLUMNS = ("uri", "size_bytes", "mtime_ns")


@dataclass(frozen=True)
class Block:
    """Files that are read together and whose results are one part.

    Attributes:
        name: `00000-000012`: the plan's number and the block's in it.
        files: what is read.
    """

    name: str
    files: tuple[StoredFile, ...]


def check_same_run(output: Directory, settings: Mapping[str, Any]) -> None:
    """Note what the results depend on, or compare it with what an earlier run noted.

    Raises:
        InvalidInputError: the directory holds results of other settings.
    """
    if RUN_FILE not in output.names():
        output.write(RUN_FILE, json.dumps(settings, indent=2).encode())
        return
    earlier = json.loads(output.read(RUN_FILE))
    if earlier != settings:
        raise InvalidInputError(
            f"The results in {output.uri!r} were made with {earlier}, not with {dict(settings)}: use those "
            "settings again, or another output."
        )


def plan(output: Directory, listed: Iterable[StoredFile], files_per_part: int) -> list[Block]:
    """All blocks of a directory, those of earlier runs first; files not planned before get new ones."""
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
    """The blocks whose part is not there."""
    parts = set(output.names())
    return [block for block in blocks if part_name(block.name, suffix) not in parts]


def part_name(block_name: str, suffix: str) -> str:
    """The file that holds a block's results."""
    return f"part-{block_name}.{suffix}"


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
