"""The input files of a command line, and the name of each file's output."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from .._inputs.sources import Source, files_in, is_directory, sources
from .._results.saving import input_name, shortened
from ._errors import escaped

STDIN = "-"


@dataclass(frozen=True)
class InputJob:
    """One input file and the place of its output.

    Attributes:
        source: the input.
        folder: directory of the output, relative to the output directory; it repeats the input's place below
            the searched directory.
        stem: start of the names of the output files; no two jobs share folder and stem.
    """

    source: Source
    folder: Path
    stem: str

    @property
    def name(self) -> str:
        """The path or URL of the input."""
        return self.source.input_path or "standard input"

    @property
    def shown_name(self) -> str:
        """The name of the input in messages, on one line."""
        return escaped(self.name)


def jobs(inputs: Iterable[str], *, recursive: bool, stems: Mapping[str, str]) -> list[InputJob]:
    """List the jobs of a command line, each input once.

    Args:
        inputs: files, directories, URLs, patterns such as `scans/*.jpg`, or `-` for standard input.
        recursive: search the subdirectories of directories too.
        stems: for inputs that already have output, its place as `folder/stem`; they keep it.
    """
    expanded = ((name, *pair) for name in inputs for pair in _expand(name, recursive))
    # Standard input and data: URLs have no path.
    found = {(source.input_path or name, folder): source for name, source, folder in expanded}
    taken = {Path(stem) for stem in stems.values()}
    planned = []
    for (_, folder), source in found.items():
        known = stems.get(source.input_path or "")
        target = Path(known) if known else _free(source, folder, taken)
        taken.add(target)
        planned.append(InputJob(source, target.parent, target.name))
    return planned


def _free(source: Source, folder: Path, taken: set[Path]) -> Path:
    return next(folder / stem for stem in _stems(source) if folder / stem not in taken)


def _expand(name: str, recursive: bool) -> Iterator[tuple[Source, Path]]:
    here = Path()
    if name == STDIN:
        yield Source(None, lambda: sys.stdin.buffer.read()), here
    elif is_directory(name):
        yield from _expand_directory(name, recursive)
    else:
        is_pattern = glob.has_magic(name) and "://" not in name and not os.path.lexists(name)
        matches = sorted(glob.glob(name, recursive=True)) if is_pattern else []  # noqa: PTH207 (absolute ones)
        for match in matches or [name]:
            yield from ((source, here) for source in sources(match))


def _expand_directory(name: str, recursive: bool) -> Iterator[tuple[Source, Path]]:
    try:
        files = files_in(Path(name), recursive=recursive)
    except OSError:
        files = []  # `sources` makes the failure
    for file in files:
        yield from ((source, file.parent.relative_to(name)) for source in sources(str(file)))
    if not files:
        yield from ((source, Path()) for source in sources(name))


def _stems(source: Source) -> Iterator[str]:
    """Yield names for the output, PaddleX's first: inputs that differ only in suffix must not collide."""
    path = input_name(source.input_path or "stdin")
    yield shortened(path.stem)
    name = shortened(path.name)
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
