"""Which files a command line means, and what each one's output is called."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .._inputs import Source, files_in, sources

STDIN = "-"


@dataclass(frozen=True)
class Job:
    """One input file, and where its output goes.

    Attributes:
        source: what is read.
        folder: below the output directory, as the input lies below the directory that was searched.
        stem: what its output files start with; no two jobs share folder and stem.
    """

    source: Source
    folder: Path
    stem: str

    @property
    def name(self) -> str:
        """What the input is called in messages."""
        return self.source.input_path or "standard input"


def jobs(inputs: Iterable[str], *, recursive: bool, stems: Mapping[str, str]) -> list[Job]:
    """List the jobs of a command line, each input once.

    Args:
        inputs: files, directories, URLs, patterns such as `scans/*.jpg`, or `-` for standard input.
        recursive: search directories below the given ones too.
        stems: of inputs that already have output, as `folder/stem`; they keep it.
    """
    expanded = (pair for name in inputs for pair in _expand(name, recursive))
    found = {(source.input_path, folder): source for source, folder in expanded}
    taken = {Path(stem) for stem in stems.values()}
    planned = []
    for (input_path, folder), source in found.items():
        known = stems.get(input_path or "")
        target = Path(known) if known else _free(source, folder, taken)
        taken.add(target)
        planned.append(Job(source, target.parent, target.name))
    return planned


def _free(source: Source, folder: Path, taken: set[Path]) -> Path:
    return next(folder / stem for stem in _stems(source) if folder / stem not in taken)


def _expand(name: str, recursive: bool) -> Iterator[tuple[Source, Path]]:
    here = Path()
    if name == STDIN:
        yield Source(None, lambda: sys.stdin.buffer.read()), here
    elif Path(name).is_dir():
        files = files_in(Path(name), recursive=recursive)
        for file in files:
            yield from ((source, file.parent.relative_to(name)) for source in sources(str(file)))
        if not files:
            yield from ((source, here) for source in sources(name))
    else:
        is_pattern = glob.has_magic(name) and "://" not in name and not Path(name).exists()
        matches = sorted(glob.glob(name, recursive=True)) if is_pattern else []  # noqa: PTH207 (absolute ones)
        for match in matches or [name]:
            yield from ((source, here) for source in sources(match))


def _stems(source: Source) -> Iterator[str]:
    """Names for the output, PaddleX's first: inputs that differ in suffix alone must not collide."""
    path = Path(source.input_path or "stdin")
    yield path.stem
    yield path.name
    number = 2
    while True:
        yield f"{path.name}_{number}"
        number += 1
