"""`tritonocr predict`: PaddleX's command line, for one file or for thousands."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tritonocr_common.options import OptionValue
from tritonocr_common.presets import PRESETS_HELP, Preset

from .._arguments import DEFAULT_JOBS, DEFAULT_TIMEOUT_S
from .._client import Prediction
from .._inputs.sources import missing_file
from .._options import known_language
from .._paddlex_config import pipeline_config, preset_path
from .._pipeline import OCRPipeline, create_pipeline
from .._results.documents import PDFS
from .._transport.connect import checked_addresses
from ._connection import Device, Headers, ServerUrl, TlsCa, TlsCertificate, TlsKey, connection
from ._errors import ExitCode, say, say_warnings
from ._jobs import InputJob, jobs
from ._journal import Journal
from ._option_flags import with_option_flags
from ._output import (
    OUTPUTS,
    TABLE,
    check_printable,
    has_words,
    known_output,
    needs_pictures,
)
from ._run import Run


def _predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[INPUT]...", help="Same as --input.", show_default=False),
    ] = None,
    input: Annotated[  # noqa: A002 (PaddleX's name)
        list[str] | None,
        typer.Option(
            "--input",
            help="File, directory, http(s) URL, pattern such as 'scans/*.jpg', or - for standard input; "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    pipeline: Annotated[
        str, typer.Option("--pipeline", help="`OCR` (the default pipeline), or the path of an OCR.yaml file.")
    ] = "OCR",
    preset: Annotated[
        Preset | None,
        typer.Option(
            "--preset",
            help=f"Preset of models, instead of an OCR.yaml file. {PRESETS_HELP}. "
            "With --url, the server must serve them.",
            show_default=False,
        ),
    ] = None,
    save_path: Annotated[
        Path | None,
        typer.Option("--save_path", help="Directory for the results.", file_okay=False, show_default=False),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--format",
            callback=known_output,
            metavar=f"[{'|'.join(OUTPUTS)}]",
            help="Format of the results. They are printed, or written to --save_path. With table, the "
            "table is always printed, and JSON and pictures are written to --save_path.",
        ),
    ] = TABLE,
    url: ServerUrl = None,
    header: Headers = None,
    tls_ca: TlsCa = None,
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    device: Device = None,
    use_hpip: Annotated[
        bool, typer.Option("--use_hpip", help="Accepted for compatibility; always on.", hidden=True)
    ] = False,
    jobs_in_flight: Annotated[
        int, typer.Option("--jobs", min=1, help="Number of files that are read at the same time.")
    ] = DEFAULT_JOBS,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.001, help="Maximum time per file, in seconds.")
    ] = DEFAULT_TIMEOUT_S,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Also search the subdirectories of directories.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run with the same --save_path.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no progress bar and no summary.")
    ] = False,
    *,
    options: dict[str, OptionValue],
) -> None:
    """Read the text of images and PDFs.

    Examples:
        tritonocr predict --input page.jpg

        tritonocr predict --preset fast --input page.jpg

        tritonocr predict --url localhost:8001 --input scans/ --format json --save_path out --resume

        tritonocr predict --input contract.pdf --max_pages 200 --format pdf > searchable.pdf

        cat page.png | tritonocr predict --input - --use_doc_unwarping False --format text

    Exit codes: 0 all files were read; 1 some files failed (their names are on standard error); 2 the command
    is wrong or an optional package is missing; 3 no server responds; 130 interrupted.
    """
    reached_by = connection(header, tls_ca, tls_certificate, tls_key)
    names = [*(input or []), *(inputs or [])]
    _check_usage(names, save_path, resume=resume)
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        say_warnings()
        depends_on = {**options, "format": output, "pipeline": pipeline, "preset": preset}
        journal = stack.enter_context(Journal(save_path, depends_on, resume=resume)) if save_path else None
        planned = jobs(names, recursive=recursive, stems=journal.stems if journal else {})
        todo = [job for job in planned if journal is None or not journal.has(job)]
        if save_path is None:
            check_printable(output, len(todo))
        checked_addresses(url or None, reached_by["tls"])
        if not url:
            _check_before_start(pipeline, preset, options, todo)
        client = stack.enter_context(_pipeline(pipeline, preset, url, device, timeout_s, reached_by))
        prediction = Prediction(
            client,
            options=_with_format_options(options, output, save_path),
            raises=False,
            jobs=jobs_in_flight,
            timeout_s=timeout_s,
            progress=False if quiet else None,
        )
        work = Run(output, save_path, journal, with_names=len(planned) > 1)
        failed = work.do(prediction, todo)
    if not quiet and len(planned) > 1:
        work.say_summary(len(planned) - len(todo))
    if failed:
        raise typer.Exit(int(ExitCode.FILES_FAILED))


def _check_usage(names: Sequence[str], save_path: Path | None, *, resume: bool) -> None:
    if not names or not all(names):
        raise typer.BadParameter("expected at least one input, and no empty one", param_hint="--input")
    if resume and save_path is None:
        raise typer.BadParameter(
            "--resume needs --save_path, the directory of the earlier results", param_hint="--resume"
        )


def _check_before_start(
    pipeline: str, preset: Preset | None, options: Mapping[str, Any], todo: Sequence[InputJob]
) -> None:
    """Report mistakes that need no server, before one is started: an unknown language, no file at all.

    Raises:
        InvalidInputError: the pipeline is unknown, or no model reads the language.
        typer.Exit: none of the inputs exists; each is named.
    """
    pipeline_config(preset_path(preset, pipeline, None) if preset else pipeline, None)
    if "lang" in options:
        known_language(options["lang"])
    missing = {job.shown_name: error for job in todo if (error := missing_file(job.source))}
    if missing and len(missing) == len(todo):
        for name, error in missing.items():
            say(f"{name}: {error}")
        raise typer.Exit(int(ExitCode.FILES_FAILED))


def _with_format_options(
    options: Mapping[str, OptionValue], output: str, save_path: Path | None
) -> dict[str, OptionValue]:
    """Add the options that make the server return the pictures and words that the format needs."""
    held: dict[str, OptionValue] = {"return_word_box": True} if has_words(output) else {}
    if output in PDFS:
        # The text is placed on the original pages, and only missing text is added.
        held |= {"coordinates": "input", "pdf_text": "auto"}
    return {**held, **options, "return_page_images": needs_pictures(output, save_path)}


@contextlib.contextmanager
def _pipeline(
    pipeline: str,
    preset: Preset | None,
    url: Sequence[str] | None,
    device: str | None,
    timeout_s: float,
    reached_by: Mapping[str, Any],
) -> Iterator[OCRPipeline]:
    if not url and sys.stderr.isatty():
        say("starting a server, because no --url is given; this takes some seconds")
    with create_pipeline(
        pipeline, preset=preset, device=device, url=url or None, timeout_s=timeout_s, **reached_by
    ) as client:
        yield client


predict = with_option_flags(_predict, leave_out=frozenset({"return_page_images"}))
