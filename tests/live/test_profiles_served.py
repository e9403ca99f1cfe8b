"""The GPU repositories served on a CPU: everything that needs no GPU.

The networks' configs are those that `tritonocr repository build` writes; only what names a GPU is put out of
the way, and our ONNX Runtime engine takes the place of Triton's. So the artefacts, names, types, shapes,
batching and warm-up requests are tried; the backend itself, CUDA and TensorRT are not.
"""

import json
import re
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tritonclient.grpc as triton
from google.protobuf import text_format
from scored_lines import PLAIN, lines_of
from tritonclient.grpc import model_config_pb2

from tritonocr import OCRClient
from tritonocr_backend.core import devices
from tritonocr_backend.core.contracts import GRID_INPUT_SIZE_PX, Role
from tritonocr_backend.core.network_metadata import read_network_metadata
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.repository.build import build_repository
from tritonocr_backend.repository.network_config import SERVING
from tritonocr_backend.repository.profiles import Profile, profile_settings
from tritonocr_backend.server.embedded import EmbeddedServer, ServerOptions

RECEIPTS = ("313", "316", "317")  # few and small: the CPU computes float16 as float32 and casts besides
PAGES_AT_ONCE = 8
A_FEW_LINES = 0.03  # three of 106
SHIM = "from tritonocr_backend.triton.network import NetworkModel as TritonPythonModel\n"
TWO_GROUPS = DEFAULT_NETWORKS[Role.TEXT_RECOGNITION]


def put_on_cpu(repository: Path) -> None:
    """Serve a repository for GPUs here."""
    for name in DEFAULT_NETWORKS.values():
        path = repository / name / "config.pbtxt"
        config = text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())
        config.backend = "python"
        config.ClearField("optimization")
        (group,) = config.instance_group
        group.kind = group.KIND_CPU
        group.count = 1
        del group.gpus[:]
        if name == TWO_GROUPS:
            second = config.instance_group.add()
            second.CopyFrom(group)
            for number, each in enumerate(config.instance_group):
                each.name = devices.instance_group_name(name, number)
        path.write_text(text_format.MessageToString(config))
        version = repository / name / "1"
        (version / "model.py").write_text(SHIM)
        # The metadata keeps the backend: `ocr` then calls the network as it calls a native one.
        metadata = replace(read_network_metadata(version), device="cpu", tensorrt_options={})
        metadata.write(version)


@pytest.fixture(scope="module")
def server(
    default_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedServer]:
    """The repository for Triton's onnxruntime backend on two GPUs, in half precision, put on a CPU."""
    directory = tmp_path_factory.mktemp("gpu")
    serving = profile_settings(Profile.gpu, "gpu:0,1", instances={"ocr": PAGES_AT_ONCE})
    repository = build_repository(directory / "repository", default_models, serving=serving)
    put_on_cpu(repository)
    options = ServerOptions(log_level="verbose", log_file=directory / "server.log")
    with EmbeddedServer(repository, options) as running:
        yield running


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the scorer leaves files open
def test_receipts_are_read_as_well_as_by_paddlex(
    server: EmbeddedServer,
    corpus: Path,
    scorer: ModuleType,
) -> None:
    recorded = corpus / "reference" / "paddlex_batch6" / "receipts"
    with OCRClient(server.grpc_url) as client:
        ours = {
            name: lines_of(
                client.ocr((corpus / "receipts" / f"{name}.jpg").read_bytes(), **PLAIN)[0].json["res"]
            )
            for name in RECEIPTS
        }
    theirs = {
        name: lines_of(json.loads((recorded / f"{name}.jpg.json").read_text())["res"]) for name in RECEIPTS
    }
    truth = scorer.load_sroie(str(corpus / "receipts"), list(RECEIPTS))
    our_score, their_score = scorer.score(truth, ours), scorer.score(truth, theirs)
    print(our_score, their_score, sep="\n")
    for figure in ("det_hmean", "e2e_1ned", "exact_of_matched"):
        assert our_score[figure] >= their_score[figure] - A_FEW_LINES, figure


def test_lines_of_all_pages_meet_and_are_read_as_alone(server: EmbeddedServer, corpus: Path) -> None:
    """Triton's batcher made 264 batches of 4.64 lines where `line_batching` makes 72 of 16.3."""
    paths = sorted((corpus / "receipts").glob("*.jpg"), key=lambda path: path.stat().st_size)[:PAGES_AT_ONCE]
    with OCRClient(server.grpc_url, timeout_s=600) as client, ThreadPoolExecutor(PAGES_AT_ONCE) as threads:

        def texts(path: Path) -> list[str]:
            return client.ocr(path.read_bytes(), **PLAIN)[0]["rec_texts"]

        before = executions(server)
        together = list(threads.map(texts, paths))
        batches = executions(server) - before
        alone = [texts(path) for path in paths[:2]]
    lines = sum(len(texts_of_page) for texts_of_page in together)
    print(f"{lines} lines in {batches} batches")
    assert lines / batches >= 12, "14.2 when no other program ran"
    assert alone == together[:2]


def executions(server: EmbeddedServer) -> int:
    """Return how many batches the recognition network ran, with those of its warm-up."""
    with triton.InferenceServerClient(server.grpc_url) as client:
        (model,) = client.get_inference_statistics(DEFAULT_NETWORKS[Role.TEXT_RECOGNITION]).model_stats
    return int(model.execution_count)


def test_half_precision_reads_as_the_cpu_profile_with_all_options(
    server: EmbeddedServer, default_models: dict[str, Path], corpus: Path, tmp_path: Path
) -> None:
    repository = build_repository(tmp_path / "cpu", default_models)
    file = (corpus / "receipts" / "317.jpg").read_bytes()
    with EmbeddedServer(repository, ServerOptions(log_file=tmp_path / "server.log")) as other:
        ours, theirs = (_texts_with_all_options(url, file) for url in (server.grpc_url, other.grpc_url))
    assert SequenceMatcher(None, ours, theirs, autojunk=False).ratio() > 0.85


def _texts_with_all_options(url: str, file: bytes) -> list[str]:
    with OCRClient(url, timeout_s=600) as client:
        return client.ocr(file)[0]["rec_texts"]


def test_networks_take_their_warm_up_requests(server: EmbeddedServer) -> None:
    assert server.options.log_file is not None
    log = server.options.log_file.read_text(errors="replace")
    for role, network in SERVING.items():
        shapes = [(1, *GRID_INPUT_SIZE_PX)] if role is Role.DOC_UNWARPING else network.warm_up
        for batch, height, width in shapes:
            assert f"running warmup sample '{batch}x{height}x{width}'" in log, role
    assert not [line for line in log.splitlines() if line.startswith("E") and "warmup" in line]


def test_an_instance_knows_its_device_by_the_name_of_its_group(server: EmbeddedServer) -> None:
    instances = instances_of(server, TWO_GROUPS)
    assert sorted(device_of(instance) for instance in instances) == [0, 1], instances


def instances_of(server: EmbeddedServer, model: str) -> set[str]:
    """The names that Triton gives a model's instances, as they tell in their metric."""
    with urllib.request.urlopen(server.metrics_url) as answer:
        text = answer.read().decode()
    return {
        match[1]
        for line in text.splitlines()
        if f'model="{model}"' in line and (match := re.search(r'instance="([^"]+)"', line))
    }


def device_of(instance: str) -> int:
    arguments = {"model_instance_kind": "CPU", "model_instance_name": instance}
    return devices.of_instance("npu:0,1", arguments).index


def test_configs_say_what_they_said_before_they_were_put_on_a_cpu(
    default_models: dict[str, Path], tmp_path: Path
) -> None:
    """That the tests above swap the backend and the device, and nothing else."""
    repository = build_repository(tmp_path / "r", default_models, serving=profile_settings(Profile.gpu))
    before = {name: config_of(repository, name) for name in DEFAULT_NETWORKS.values()}
    put_on_cpu(repository)
    for name, config in before.items():
        after = config_of(repository, name)
        for one in (config, after):
            for swapped in ("backend", "instance_group", "optimization"):
                one.ClearField(swapped)
        assert config == after
        assert read_network_metadata(repository / name / "1").engine == "onnxruntime"


def config_of(repository: Path, name: str) -> Any:
    text = (repository / name / "config.pbtxt").read_text()
    return text_format.Parse(text, model_config_pb2.ModelConfig())
