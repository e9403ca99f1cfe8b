"""`make gpu-check`: one run that shows whether the networks work on a device, how accurate and how fast.

Each setup serves the same receipts: first the CPU in float32 as the reference, then each way to use the
device.
The run prints one table and writes output/gpu_check.json. `DEVICE=cpu` rehearses it without a GPU.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.accuracy import accuracy
from bench.machine import description
from bench.measured import Pass
from bench.triton import TritonSubject
from bench.workloads import Workload, receipts
from tritonocr_backend.core import devices
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.errors import TritonOcrError
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.engines import availability
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.profiles import Profile, profile_settings
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions
from tritonocr_backend.server.installation import find_installation
from tritonocr_backend.zoo.fetch import fetch_model

CLIENTS = 8
REFERENCE = "cpu, f32 (reference)"
READY_S = 600.0  # TensorRT compiles the networks at the first start
POOL = "--cuda-memory-pool-byte-size=0:268435456"
RECOGNITION = DEFAULT_NETWORKS[Role.TEXT_RECOGNITION]


def setups(device: str) -> dict[str, ServingSettings]:
    """Return each way to run the networks on a device, by its name.

    Raises:
        ServerError: the device or its engine is missing.
    """
    found = {REFERENCE: ServingSettings(precision="f32")}
    parsed = devices.parse(device)
    if parsed.kind == "cpu":
        return {**found, "cpu": ServingSettings()}
    engine = devices.engine_for(parsed, "auto")
    availability.require(parsed, engine, len(DEFAULT_NETWORKS))
    found["engines of TritonOCR"] = profile_settings(Profile.gpu_python, device, engine=engine)
    if _has_native_backend():
        found["Triton's backend, CUDA"] = profile_settings(Profile.gpu, device)
        found["Triton's backend, TensorRT"] = profile_settings(Profile.gpu, device, accelerator="tensorrt")
    return found


def _has_native_backend() -> bool:
    backends = find_installation().backends
    return backends is not None and (backends / "onnxruntime").is_dir()


@contextmanager
def _server(serving: ServingSettings) -> Iterator[TritonSubject]:
    with tempfile.TemporaryDirectory(prefix="tritonocr-gpu-check-") as name:
        models = {network: fetch_model(network) for network in DEFAULT_NETWORKS.values()}
        with_clients = replace(serving, instances={"ocr": CLIENTS, **serving.instances})
        repository = build_repository(Path(name, "repository"), models, serving=with_clients)
        options = ServerOptions(
            log_file=Path(name, "server.log"),
            ready_timeout_s=READY_S,
            extra_arguments=(POOL,) if serving.backend == "onnxruntime" else (),
        )
        with EmbeddedServer(repository, options) as server:
            yield TritonSubject(server.grpc_url, server.pid)


def measured(serving: ServingSettings, off: Workload, on: Workload) -> dict[str, Pass]:
    """Serve the workloads with a setup: alone and by eight clients, options off and on."""
    with _server(serving) as subject:
        subject.read(off, off.pages[:2], 1)
        return {
            "1 client": subject.read(off, off.pages, 1),
            f"{CLIENTS} clients": subject.read(off, off.pages, CLIENTS),
            f"{CLIENTS} clients, all options": subject.read(on, on.pages, CLIENTS),
        }


def figures(passes: Mapping[str, Pass], off: Workload, reference: Mapping[str, Pass]) -> dict[str, Any]:
    """Return what the table and the JSON show of a setup."""
    loaded = passes[f"{CLIENTS} clients"]
    work = loaded.models.get(RECOGNITION)
    return {
        "pages_per_s": {name: round(one.pages / one.wall_s, 2) for name, one in passes.items()},
        "accuracy": accuracy(off.pages, loaded.lines),
        "texts_as_reference": _agreement(loaded, reference[f"{CLIENTS} clients"]),
        "texts_alone_as_loaded": _agreement(passes["1 client"], loaded),
        "lines_per_batch": round(_lines(loaded) / work.executions, 1) if work and work.executions else None,
        "cpu_ms_per_page": round(1000 * loaded.cpu_s / loaded.pages),
        "memory_mb": round(loaded.peak_mb),
        "gpu": loaded.details,
    }


def _agreement(one: Pass, other: Pass) -> float:
    """Return the share of lines that two passes read alike."""
    texts = ([text for name in sorted(each.lines) for _, text in each.lines[name]] for each in (one, other))
    return round(SequenceMatcher(None, *texts, autojunk=False).ratio(), 4)


def _lines(one: Pass) -> int:
    return sum(map(len, one.lines.values()))


def check(device: str, pages: int, tell: Any) -> dict[str, Any]:
    """Measure each setup; one that fails has its error in the place of its figures."""
    off = Workload("receipts", receipts()[:pages])
    on = replace(off, name="all-options", all_options=True)
    results: dict[str, Any] = {}
    reference: dict[str, Pass] | None = None
    for name, serving in setups(device).items():
        started_s = time.monotonic()
        tell(f"{name} …")
        try:
            passes = measured(serving, off, on)
            reference = reference or passes
            results[name] = figures(passes, off, reference)
        except TritonOcrError as error:
            results[name] = {"error": str(error)}
        results[name]["seconds"] = round(time.monotonic() - started_s)
    return {"machine": description(), "device": device, "pages": pages, "setups": results}


def table(setups: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the table of all setups."""
    rates = ["1 client", f"{CLIENTS} clients", f"{CLIENTS} clients, all options"]
    headings = [
        *(f"pages/s, {rate}" for rate in rates),
        "Hmean",
        "exact",
        "as reference",
        "lines/batch",
        "GPU",
    ]
    shown = Table("setup", *headings)
    for name, row in setups.items():
        if "error" in row:
            shown.add_row(name, row["error"])
            continue
        scores = row["accuracy"]
        cells: Sequence[Any] = [
            *(row["pages_per_s"][rate] for rate in rates),
            *(scores.get(score, "") for score in ("hmean", "exact")),
            row["texts_as_reference"],
            row["lines_per_batch"],
            json.dumps(row["gpu"]) if row["gpu"] else "",
        ]
        shown.add_row(name, *map(str, cells))
    return shown


def main(
    device: Annotated[str, typer.Option(help="Device of the networks; cpu rehearses the run.")] = "gpu:0",
    pages: Annotated[int, typer.Option(min=2, help="Number of receipts.")] = 16,
    output: Annotated[Path, typer.Option(help="The JSON file.")] = Path("output/gpu_check.json"),
) -> None:
    """Check accuracy, agreement with the CPU, and speed of the networks on a device."""
    console = Console(width=160)
    try:
        results = check(device, pages, lambda text: console.print(text, style="dim"))
    except TritonOcrError as error:
        console.print(f"gpu-check: {error}")
        raise typer.Exit(1) from None
    console.print(table(results["setups"]))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console.print(f"written to {output}")
    if any("error" in row for row in results["setups"].values()):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
