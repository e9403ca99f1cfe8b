"""`read_files()`: the plan, the Ray Data pipeline over it, and what it did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ray
import ray.data

from .. import _exceptions
from .._arguments import DEFAULT_TIMEOUT_S
from .._bulk_defaults import FILES_IN_FLIGHT, FILES_PER_PART, PATIENCE_S, READERS_PER_SERVER
from .._exceptions import InvalidInputError
from .._options import checked_options
from .._progress import progress_bar
from .._transport.connect import checked_addresses
from .._transport.tls import TLS
from ._plan import Block, check_same_run, plan, undone
from ._reader import BlockReader, Job
from ._rows import FORMATS
from ._storage import Directory, list_files

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._options import OCROptions

# A client waits more than it works: this many of them share a core.
CPUS_OF_A_CLIENT = 0.25


@dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        files: files read now, failures included.
        pages: their pages.
        failures: files of them that could not be read.
        files_done_before: files that an earlier run had done.
    """

    files: int = 0
    pages: int = 0
    failures: int = 0
    files_done_before: int = 0


def read_files(
    inputs: str | Sequence[str],
    output: str,
    *,
    urls: Sequence[str] = (),
    device: str | None = None,
    headers: Mapping[str, str] | None = None,
    tls: TLS | None = None,
    recursive: bool = True,
    file_format: str = "parquet",
    readers: int | None = None,
    cpus_per_reader: float | None = None,
    jobs: int = FILES_IN_FLIGHT,
    files_per_part: int = FILES_PER_PART,
    timeout_s: float | None = DEFAULT_TIMEOUT_S,
    patience_s: float = PATIENCE_S,
    progress: bool | None = None,
    **options: Unpack[OCROptions],
) -> Summary:
    """Read all files of directories or object stores on a Ray cluster, into a directory of parts.

    A part holds the pages of `files_per_part` files and appears whole. A run that was ended by anything goes
    on where it stopped when it is started again; new files in the inputs are then read, too. A file that
    cannot be read is a row with `error_type` and `error`, so that each file is there exactly once. One run at
    a time should write to an output.

    Uses the Ray cluster that the process is connected to, that `RAY_ADDRESS` names, or one on this machine.

    Args:
        inputs: directories or files: local paths, or URIs of pyarrow (`s3://`, `gs://`, `hdfs://`) or fsspec.
            All nodes must see them; likewise the output.
        output: directory or URI; columns of its parts: `SCHEMA`.
        urls: servers, as for `OCRClient`, over which files are spread. Empty: every
            reader starts a server of its own, one a node.
        device: of such servers: `cpu`, `gpu:0` and so on.
        headers: sent with every request.
        tls: certificates, for `grpcs://` and `https://`; every node must have their files.
        recursive: search directories below the given ones, too.
        file_format: `parquet` or `jsonl`.
        readers: processes that read; by default two a server given, or one a node.
        cpus_per_reader: what Ray sets aside for each; by default 0.25, or, with servers of their own, all
            CPUs of the smallest node.
        jobs: files that a reader has in flight.
        files_per_part: how much is done again after a crash, at most, by each reader.
        timeout_s: seconds that one file may take.
        patience_s: how long all servers may be away or overloaded before the run ends with their error.
        progress: show a progress bar; by default on a terminal.
        **options: see `OCROptions`.

    Raises:
        InvalidInputError: an input, an address, an option or the format is wrong; or the output holds results
            of others.
        ServerUnavailableError: no server answered for `patience_s`.
        AccessDeniedError: the credentials are missing or wrong.
        ModelNotFoundError: the servers do not serve the model.
    """
    if file_format not in FORMATS:
        raise InvalidInputError(f"file_format is {file_format!r}; expected {' or '.join(FORMATS)}.")
    checked_addresses(urls or None, tls)
    given = checked_options(options)
    directory = Directory(output)
    listed = [file for uri in _several(inputs) for file in list_files(uri, recursive=recursive)]
    check_same_run(directory, {"options": given, "file_format": file_format})
    directory.remove_temporary()
    blocks = plan(directory, listed, files_per_part)
    todo = undone(directory, blocks, file_format)
    job = Job(
        output=directory.uri,
        file_format=file_format,
        urls=tuple(urls),
        device=device,
        headers=headers,
        tls=tls,
        options=given,
        jobs=jobs,
        timeout_s=timeout_s,
        patience_s=patience_s,
    )
    before = sum(len(block.files) for block in blocks) - sum(len(block.files) for block in todo)
    if not todo:
        return Summary(files_done_before=before)
    files = [file for block in todo for file in block.files]
    pages = failures = 0
    with progress_bar(files, progress) as advance:
        for done in _results(todo, job, readers, cpus_per_reader):
            failures += int(done["failures"])
            pages += int(done["pages"])
            advance(files=int(done["files"]), pages=int(done["pages"]))
    return Summary(len(files), pages, failures, before)


def _several(inputs: str | Sequence[str]) -> Sequence[str]:
    return [inputs] if isinstance(inputs, str) else inputs


def _results(
    blocks: Sequence[Block], job: Job, readers: int | None, cpus: float | None
) -> Iterator[dict[str, Any]]:
    """Run the pipeline; yields what BlockReader returns, as blocks are done.

    Ray restarts a reader that died and gives its block to it or to another; blocks wait in the driver, and
    a reader has two at most, so that memory does not grow with their number.
    """
    if not ray.is_initialized():
        ray.init(logging_level="warning", log_to_driver=False)
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    with ray.data.DataContext.current(context):
        dataset = ray.data.from_items(list(map(_row, blocks)), override_num_blocks=len(blocks))
        done = dataset.map(
            BlockReader,
            fn_constructor_args=(job,),
            compute=ray.data.ActorPoolStrategy(size=readers or _reader_count(job)),
            num_cpus=cpus or _cpus(job),
        )
        for row in done.iter_rows():
            if row["ended_by"]:
                raise getattr(_exceptions, row["ended_by"])(row["reason"])
            yield row


def _row(block: Block) -> dict[str, Any]:
    return {
        "name": block.name,
        "uris": [file.uri for file in block.files],
        "sizes_bytes": [file.size_bytes for file in block.files],
        "mtimes_ns": [file.mtime_ns for file in block.files],
    }


def _reader_count(job: Job) -> int:
    return READERS_PER_SERVER * len(job.urls) or len(_nodes())


def _cpus(job: Job) -> float:
    return CPUS_OF_A_CLIENT if job.urls else min(node["Resources"].get("CPU", 1.0) for node in _nodes())


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]
