"""Building a model repository: the stages as they stand, and a folder for each network.

A network's folder is complete before it appears under its name, since a running server may look at any time.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonocr_backend import contracts
from tritonocr_backend.contracts import IMAGE_SIZES, NETWORK_OUTPUTS, Role
from tritonocr_backend.engines.base import ONNX_FILE
from tritonocr_backend.network_card import CHARACTERS_FILE, NetworkCard
from tritonocr_backend.settings import OptionValue, PipelineSettings, write_pipeline_settings
from tritonocr_backend.zoo import inference_config, layout, registry
from tritonocr_backend.zoo.errors import UnknownModelError
from tritonocr_backend.zoo.export import export_contract_graph
from tritonocr_backend.zoo.inference_config import InferenceConfig
from tritonocr_backend.zoo.registry import Model

STAGES = ("ocr", "ocr_stream", contracts.POSTPROCESS, contracts.CROP, contracts.DECODE)

_MODEL_SHIM = """from tritonocr_backend.triton.network import NetworkModel as TritonPythonModel

__all__ = ["TritonPythonModel"]
"""

_OPTION_OF_SETTING = {
    "thresh": "text_det_thresh",
    "box_thresh": "text_det_box_thresh",
    "unclip_ratio": "text_det_unclip_ratio",
}


@dataclass(frozen=True)
class ServingSettings:
    """How the models of a repository are run.

    Attributes:
        engine: openvino, onnxruntime, paddle or auto, for every network.
        device: PaddleX's device name.
        precision: f32, bf16 or auto; by role in `precision_of_role`, which comes first.
        instances: instance count by model name or role; others keep what their config states.
        threads: threads of one network instance, by role; 0 lets the engine choose.
        options: by a model's name, values of `predict()` options that come before the network's own.
    """

    engine: str = "auto"
    device: str = "cpu"
    precision: str = "auto"
    precision_of_role: Mapping[Role, str] = field(default_factory=dict)
    instances: Mapping[str, int] = field(default_factory=dict)
    threads: Mapping[Role, int] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, OptionValue]] = field(default_factory=dict)


@dataclass(frozen=True)
class _RoleServing:
    """How networks of one role are batched and run."""

    max_batch_size: int
    instances: int


_OUTPUT_TYPES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "unwarped": ("TYPE_UINT8", (-1, -1, 3)),
    "probability": ("TYPE_FP32", (-1, -1)),
    "probabilities": ("TYPE_FP32", (-1,)),
    "indices": ("TYPE_INT32", (-1,)),
    "confidences": ("TYPE_FP32", (-1,)),
}

_SERVING: Mapping[Role, _RoleServing] = {
    Role.DOC_ORIENTATION: _RoleServing(8, 1),
    Role.DOC_UNWARPING: _RoleServing(1, 1),
    Role.TEXT_DETECTION: _RoleServing(4, 1),
    Role.TEXTLINE_ORIENTATION: _RoleServing(64, 1),
    Role.TEXT_RECOGNITION: _RoleServing(64, 2),
}

# bf16 has 8 bits of mantissa: a sampling grid in it is off by pixels.
_PRECISION_OF_ROLE = {Role.DOC_UNWARPING: "f32"}


def source_repository() -> Path:
    """The model repository that TritonOCR ships: in the installed package, or in the checkout."""
    packaged = Path(str(resources.files("tritonocr_backend"))) / "model_repository"
    return packaged if packaged.is_dir() else Path(__file__).parents[4] / "model_repository"


def build_repository(
    target: Path,
    models: Mapping[str, Path],
    pipeline: PipelineSettings | None = None,
    serving: ServingSettings | None = None,
) -> Path:
    """Write a complete model repository.

    Args:
        target: directory; what is there of an earlier build is replaced.
        models: model directories in PaddleX's shape, by the name each is served under.
        pipeline: what `ocr` is set to.
        serving: how the models are run.

    Returns:
        `target`.

    Raises:
        ModelFormatError: a model does not fit its role.
    """
    pipeline, serving = pipeline or PipelineSettings(), serving or ServingSettings()
    target.mkdir(parents=True, exist_ok=True)
    _remove_others(target, {*STAGES, *models})
    for stage in STAGES:
        _add_stage(target, stage, pipeline, serving)
    for name, directory in models.items():
        add_network(target, name, directory, serving)
    return target


def add_network(
    repository: Path, name: str, model_dir: Path, serving: ServingSettings | None = None
) -> NetworkCard:
    """Write one network's folder into a repository; it replaces one of the same name.

    Raises:
        ModelFormatError: the model does not fit its role.
    """
    serving = serving or ServingSettings()
    config = inference_config.load(model_dir)
    card = _card(name, model_dir, config, serving)
    with _Folder(repository, name) as folder:
        version = folder / "1"
        version.mkdir()
        (folder / "config.pbtxt").write_text(network_config(name, config.role, serving), encoding="utf-8")
        (version / "model.py").write_text(_MODEL_SHIM, encoding="utf-8")
        card.write(version)
        if config.characters:
            characters = json.dumps(config.characters, ensure_ascii=False)
            (version / CHARACTERS_FILE).write_text(characters, encoding="utf-8")
        _write_weights(model_dir, config, version)
    return card


def remove_network(repository: Path, name: str) -> None:
    """Remove a network's folder, all of it in one moment; one that is not there is fine."""
    beside = tempfile.TemporaryDirectory(dir=repository.parent, prefix=f".{repository.name}-")
    with beside as directory, suppress(FileNotFoundError):
        (repository / name).rename(Path(directory, name))


def network_config(name: str, role: Role, serving: ServingSettings) -> str:
    """The `config.pbtxt` of a network: its role's contract, and how it is run."""
    dims = [*(size or -1 for size in IMAGE_SIZES[role]), 3]
    outputs = ",\n".join(_output(output) for output in NETWORK_OUTPUTS[role])
    count = _instances(name, role, serving) or _SERVING[role].instances
    return (
        f'name: "{name}"\n'
        f'backend: "python"\n'
        f"max_batch_size: {_SERVING[role].max_batch_size}\n"
        f'input [ {{ name: "image" data_type: TYPE_UINT8 dims: {_dims(dims)} }} ]\n'
        f"output [\n{outputs}\n]\n"
        f"dynamic_batching {{ }}\n"
        f"instance_group [ {{ count: {count} kind: KIND_CPU }} ]\n"
    )


def _output(name: str) -> str:
    data_type, dims = _OUTPUT_TYPES[name]
    return f'  {{ name: "{name}" data_type: {data_type} dims: {_dims(dims)} }}'


def _dims(dims: Iterable[int]) -> str:
    return f"[ {', '.join(str(dim) for dim in dims)} ]"


def _instances(name: str, role: Role, serving: ServingSettings) -> int | None:
    return serving.instances.get(name) or serving.instances.get(role.value)


def _engine(model_dir: Path, asked: str) -> str:
    """The engine asked for, or the one that can read what there is: Paddle's files, or ONNX."""
    if layout.file_format(model_dir) == "paddle":
        return "paddle"
    return "auto" if asked == "paddle" else asked


def _card(name: str, model_dir: Path, config: InferenceConfig, serving: ServingSettings) -> NetworkCard:
    precision = serving.precision_of_role.get(config.role) or (
        _PRECISION_OF_ROLE.get(config.role, "auto") if serving.precision == "auto" else serving.precision
    )
    model = _known(name, config)
    return NetworkCard(
        name=name,
        role=config.role,
        normalisation=config.normalisation,
        languages=model.languages if model else (),
        engine=_engine(model_dir, serving.engine),
        precision=precision,
        threads=serving.threads.get(config.role, 0),
        device=serving.device,
        right_to_left=model.right_to_left if model else False,
        generation=model.generation if model else 0,
        own_size=config.own_size,
        options={**(_own_options(model) if model else {}), **serving.options.get(name, {})},
    )


def _known(name: str, config: InferenceConfig) -> Model | None:
    """The registry's record: of the name it is served under (an imported model), else of its architecture."""
    with suppress(UnknownModelError):
        return registry.find(name)
    with suppress(UnknownModelError):
        return registry.find(config.model_name)
    return None


def _own_options(model: Model) -> dict[str, Any]:
    """A known network's own thresholds, under the names of the options that override them."""
    settings = model.postprocess.model_dump(exclude_none=True)
    return {_OPTION_OF_SETTING[name]: value for name, value in settings.items() if name in _OPTION_OF_SETTING}


def _write_weights(model_dir: Path, config: InferenceConfig, version: Path) -> None:
    if layout.file_format(model_dir) == "onnx":
        export_contract_graph(model_dir / layout.ONNX, config, version / ONNX_FILE)
        return
    for path in (layout.paddle_program(model_dir), model_dir / layout.PADDLE_WEIGHTS):
        shutil.copyfile(path, version / path.name)


def _add_stage(repository: Path, name: str, pipeline: PipelineSettings, serving: ServingSettings) -> None:
    source = source_repository() / name
    with _Folder(repository, name) as folder:
        text = (source / "config.pbtxt").read_text(encoding="utf-8")
        if count := serving.instances.get(name):
            text = _with_instances(text, count)
        if name.startswith("ocr"):
            text += _parameters(pipeline.options)
        (folder / "config.pbtxt").write_text(text, encoding="utf-8")
        shutil.copytree(source / "1", folder / "1", ignore=shutil.ignore_patterns("__pycache__"))
        if name.startswith("ocr"):
            write_pipeline_settings(pipeline, folder / "1")


def _parameters(options: Mapping[str, OptionValue]) -> str:
    """The pipeline's own values of the options, so that clients can ask Triton for them."""
    return "".join(
        f'parameters {{ key: "{name}" value: {{ string_value: {json.dumps(str(value))} }} }}\n'
        for name, value in options.items()
        if value != ""
    )


def _with_instances(config_text: str, count: int) -> str:
    config = text_format.Parse(config_text, model_config_pb2.ModelConfig())
    config.instance_group[0].count = count
    return str(text_format.MessageToString(config))


def _remove_others(repository: Path, kept: set[str]) -> None:
    for path in repository.iterdir():
        if path.name not in kept and (path / "config.pbtxt").exists():
            shutil.rmtree(path)


class _Folder:
    """A model's folder that appears in the repository only when it is complete."""

    def __init__(self, repository: Path, name: str) -> None:
        self._target = repository / name
        # Beside the repository and not in it, where Triton would take it for a model.
        self._temporary = Path(tempfile.mkdtemp(dir=repository.parent, prefix=f".{repository.name}-"))

    def __enter__(self) -> Path:
        return self._temporary

    def __exit__(self, error_class: type[BaseException] | None, *rest: object) -> None:
        if error_class is None:
            shutil.rmtree(self._target, ignore_errors=True)
            self._temporary.chmod(0o755)
            self._temporary.replace(self._target)
        else:
            shutil.rmtree(self._temporary, ignore_errors=True)
