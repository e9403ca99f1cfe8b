"""`read_files()`: plan the parts, run a Ray Data pipeline over them, and report the failures."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import ray
import ray.data

from tritonocr_common.quoting import quoted

from .. import _exceptions
from .._arguments import DEFAULT_TIMEOUT_S
from .._bulk_defaults import FILES_IN_FLIGHT, FILES_PER_PART, PATIENCE_S, READERS_PER_SERVER
from .._exceptions import InvalidInputError
from .._options import checked_options
from .._progress import progress_bar
from .._transport.connect import checked_addresses
from .._transport.tls import TLS
from ._plan import Block, check_same_run, earlier_failures, only, plan, undone
from ._reader import BlockReader, ReaderJob
from ._rows import FORMATS
from ._storage import Directory, list_files

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._options import OCROptions

# A client mostly waits; four of them share a core.
CPUS_OF_A_CLIENT = 0.25


@dataclass(frozen=True)
class Summary:
    """The result of a run.

    Attributes:
        files: files read in this run, failures included.
        pages: pages of these files.
        failed: the error of each file that could not be read, by URI; failures of earlier runs are included.
        files_done_before: files that an earlier run read.
    """

    files: int = 0
    pages: int = 0
    failed: Mapping[str, str] = field(default_factory=dict)
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
    retry_failed: bool = False,
    progress: bool | None = None,
    **options: Unpack[OCROptions],
) -> Summary:
    """Read all files of directories or object stores on a Ray cluster, into a directory of parts.

    A part holds the pages of `files_per_part` files and appears only when it is complete. A run that stopped
    for any reason continues when it is started again, and then reads new files too. A file that cannot be
    read is a row with `error_type` and `error`; each file has its rows exactly once. Only one run at a time
    may write to an output.

    The run uses the Ray cluster of this process, the cluster that `RAY_ADDRESS` names, or a new local one.

    Args:
        inputs: directories or files: local paths, or URIs of pyarrow (`s3://`, `gs://`, `hdfs://`) or fsspec.
            All nodes must have access to them and to the output.
        output: directory or URI; the columns of its parts are `SCHEMA`.
        urls: servers, as for `OCRClient`; the files are distributed over them. If empty, each reader starts
            its own server, one per node.
        device: device of these own servers: `cpu`, `gpu:0` and so on.
        headers: sent with every request.
        tls: certificates, for `grpcs://` and `https://`; every node must have their files.
        recursive: search the subdirectories of directories too.
        file_format: `parquet` or `jsonl`.
        readers: processes that read; by default two per server in `urls`, or one per node.
        cpus_per_reader: CPUs that Ray reserves per reader; by default 0.25, or all CPUs of the smallest node
            if readers have their own servers.
        jobs: files in flight per reader.
        files_per_part: files per part; a crash repeats at most one part per reader.
        timeout_s: seconds that one file may take.
        patience_s: seconds that all servers may be away or overloaded before the run ends with their error.
        retry_failed: read the files again that failed in earlier runs.
        progress: show a progress bar; by default on a terminal.
        **options: see `OCROptions`.

    Raises:
        InvalidInputError: an input, an address, an option or the format is wrong; or the output holds the
            results of other options.
        ServerUnavailableError: no server answered for `patience_s`.
        AccessDeniedError: the credentials are missing or wrong.
        ModelNotFoundError: the servers do not serve the model.
    """
    if file_format not in FORMATS:
        raise InvalidInputError(f"file_format is {quoted(file_format)}; expected {' or '.join(FORMATS)}.")
    checked_addresses(urls or None, tls)
    given = checked_options(options)
    directory = Directory(output)
    listed = [file for uri in _several(inputs) for file in list_files(uri, recursive=recursive)]
    check_same_run(directory, {"options": given, "file_format": file_format})
    directory.remove_temporary()
    blocks = plan(directory, listed, files_per_part)
    todo = undone(directory, blocks, file_format)
    failed = earlier_failures(directory, blocks, todo, listed)
    if retry_failed:
        todo += [block for block in map(partial(only, failed), blocks) if block.files]
        failed = {}
    job = ReaderJob(
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
    files = [file for block in todo for file in block.files]
    pages = 0
    with progress_bar(files, progress) as advance:
        for done in _results(todo, job, readers, cpus_per_reader) if todo else ():
            failed |= json.loads(done["failed"])
            pages += int(done["pages"])
            advance(files=int(done["files"]), pages=int(done["pages"]))
    return Summary(len(files), pages, failed, before)


def _several(inputs: str | Sequence[str]) -> Sequence[str]:
    return [inputs] if isinstance(inputs, str) else inputs


# On a busy machine Ray's processes can need more than the 30 s that Ray waits; no setting changes this time.
_START_ATTEMPTS = 3


def start_ray() -> None:
    """Connect to the cluster of `RAY_ADDRESS`, or start Ray on this machine; do nothing if that was done.

    Raises:
        ServerUnavailableError: Ray does not start, or the cluster does not answer.
    """
    attempts_left = _START_ATTEMPTS
    while not ray.is_initialized():
        attempts_left -= 1
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:
            if type(error) is Exception and attempts_left:  # Ray's exception when its 30 s are over
                continue
            reason = " ".join(str(error).split()) or type(error).__name__
            raise _exceptions.ServerUnavailableError(f"Ray did not start: {reason}") from error


def _results(
    blocks: Sequence[Block], job: ReaderJob, readers: int | None, cpus: float | None
) -> Iterator[dict[str, Any]]:
    """Run the pipeline and yield what BlockReader returns for each finished block.

    Ray restarts a reader that died and assigns its block to a reader again. Blocks wait in the driver, and a
    reader has at most two of them, so that memory does not grow with their number.
    """
    start_ray()
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
        "is_retry": block.is_retry,
    }


def _reader_count(job: ReaderJob) -> int:
    return READERS_PER_SERVER * len(job.urls) or len(_nodes())


def _cpus(job: ReaderJob) -> float:
    return CPUS_OF_A_CLIENT if job.urls else min(node["Resources"].get("CPU", 1.0) for node in _nodes())


def _nodes() -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]
