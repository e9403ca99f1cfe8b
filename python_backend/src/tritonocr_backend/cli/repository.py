"""Define `tritonocr repository`, which builds model repositories for other tritonservers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tritonocr_backend.cli.options import (
    ComputedIn,
    MoreModels,
    OcrInstances,
    PipelineFile,
    PresetName,
    RecognitionInstances,
    load_pipeline,
)
from tritonocr_backend.cli.reporting import exit_on_error, progress_bar
from tritonocr_backend.repository.prepare import prepare_repository
from tritonocr_backend.repository.profiles import Profile, profile_settings
from tritonocr_backend.repository.serving_settings import ENGINE_CACHE, GPU_BATCH_DELAY_US, Accelerator

app = typer.Typer(no_args_is_help=True, help="Write model repositories for your own tritonserver.")


@app.callback()
def repository() -> None:
    """Build model repositories for your own tritonserver, for example NVIDIA's container image."""


@app.command()
def build(
    out: Annotated[Path, typer.Argument(help="Directory to write. An earlier build in it is replaced.")],
    profile: Annotated[
        Profile,
        typer.Option(
            help="cpu: TritonOCR's engines; gpu: Triton's onnxruntime backend; "
            "gpu-python: TritonOCR's engines on a GPU or another device."
        ),
    ] = Profile.cpu,
    device: Annotated[
        str | None,
        typer.Option(
            help="Device as in PaddleX, for example gpu:0 or gpu:0,1.", show_default="cpu, or gpu:0"
        ),
    ] = None,
    model: MoreModels = None,
    pipeline: PipelineFile = None,
    preset: PresetName = None,
    precision: ComputedIn = "auto",
    accelerator: Annotated[
        Accelerator,
        typer.Option(
            help="For NVIDIA GPUs. tensorrt compiles the networks for lines; the first start takes minutes."
        ),
    ] = "cuda",
    batch_delay_us: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=1_000_000,
            help="Maximum time that lines wait for a larger batch, in microseconds.",
            show_default=f"{GPU_BATCH_DELAY_US} on NVIDIA GPUs, else 0",
        ),
    ] = None,
    cores: Annotated[
        int,
        typer.Option(
            min=0, help="Number of CPU cores of the server.", show_default="the cores of this machine"
        ),
    ] = 0,
    ocr_instances: OcrInstances = None,
    recognition_instances: RecognitionInstances = None,
    engine_cache: Annotated[
        str, typer.Option(help="Directory on the server for compiled TensorRT engines; keep it in a volume.")
    ] = ENGINE_CACHE,
) -> None:
    """Write a model repository for `tritonserver --model-repository=OUT`.

    The Python of that server needs the package tritonocr-server; see docs/gpu.md.

    Examples:
    tritonocr repository build models

    tritonocr repository build models --profile gpu --device gpu:0,1

    tritonocr repository build models --profile gpu --accelerator tensorrt
    """
    counts = {"ocr": ocr_instances, "text_recognition": recognition_instances}
    with exit_on_error():
        config = load_pipeline(pipeline, preset)
        serving = profile_settings(
            profile,
            device,
            precision=precision,
            accelerator=accelerator,
            batch_delay_us=batch_delay_us,
            instances={name: count for name, count in counts.items() if count},
            engine_cache=engine_cache,
            cores=cores,
        )
        prepare_repository(
            out,
            config,
            more_models=model or (),
            serving=serving,
            progress_of=progress_bar,
            run_here=False,
        )
    typer.echo(f"{out}: model repository for profile {profile.value} on {serving.device}")
