"""Build a model repository with the pipeline's models and one folder per network.

A running server can read the repository at any time. Therefore each folder is complete before it gets its
name.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core import contracts, devices
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.network_metadata import CHARACTERS_FILE, METADATA_FILE, NetworkMetadata
from tritonocr_backend.core.paddle_files import PADDLE_WEIGHTS
from tritonocr_backend.core.settings import PipelineSettings, effective_options, write_pipeline_settings
from tritonocr_backend.engines.base import ONNX_FILE
from tritonocr_backend.graphs.export import export_contract_graph, grid_input_size
from tritonocr_backend.graphs.graph_outputs import output_dims
from tritonocr_backend.repository.cpu_sharing import files_at_a_time, stage_processes
from tritonocr_backend.repository.network_config import (
    ServingSettings,
    batch_delay_us,
    cores_of,
    network_config,
    profile_options,
    tensorrt_profile,
    threads,
    uses_tensorrt,
)
from tritonocr_backend.zoo import inference_config, layout, registry
from tritonocr_backend.zoo.errors import ModelFormatError, UnknownModelError
from tritonocr_backend.zoo.inference_config import InferenceConfig
from tritonocr_backend.zoo.names import check_model_name
from tritonocr_backend.zoo.registry import Model
from tritonocr_common.option_types import OptionValues

# Clients send PDFs to `ocr_stream` and images to `ocr`: both read the same number of files at a time.
_INSTANCES_LIKE = dict.fromkeys(contracts.READING_MODELS, "ocr")

_MODEL_SHIM = """from tritonocr_backend.triton.network import NetworkModel as TritonPythonModel

__all__ = ["TritonPythonModel"]
"""

_OPTION_OF_SETTING = {
    "thresh": "text_det_thresh",
    "box_thresh": "text_det_box_thresh",
    "unclip_ratio": "text_det_unclip_ratio",
}


def source_repository() -> Path:
    """Return the model repository that is part of TritonOCR, in the installed package or in the checkout."""
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
        target: directory of the repository. Folders of an earlier build are replaced or removed. Other
            folders are kept.
        models: model directories in PaddleX's layout, by the name of the network.
        pipeline: settings of the `ocr` and `ocr_stream` models; None uses the defaults.
        serving: settings for running the models; None uses the defaults.

    Returns:
        `target`.

    Raises:
        ModelFormatError: a model does not fit its role, its name cannot be a folder name, or TritonOCR did
            not write the existing folder of that name.
    """
    pipeline, serving = pipeline or PipelineSettings(), serving or ServingSettings()
    for name in models:
        _check_replaceable(target, check_model_name(name))
    target.mkdir(parents=True, exist_ok=True)
    stages = (*contracts.PIPELINE_MODELS, *serving.adapters, *_batching_models(serving))
    _remove_others(target, {*stages, *models})
    networks = {name: add_network(target, name, directory, serving) for name, directory in models.items()}
    detection = networks.get(pipeline.networks.get(Role.TEXT_DETECTION, ""))
    options = effective_options(pipeline, pipeline.networks, detection)
    for stage in stages:
        _add_stage(target, stage, pipeline, serving, options)
    return target


def _batching_models(serving: ServingSettings) -> tuple[str, ...]:
    """Return the models that batch lines for the networks. TritonOCR's engines batch lines themselves."""
    return (contracts.LINE_BATCHING,) if serving.backend == "onnxruntime" else ()


def add_network(
    repository: Path, name: str, model_dir: Path, serving: ServingSettings | None = None
) -> NetworkMetadata:
    """Write the folder of one network into a repository, and replace a network of the same name.

    Args:
        repository: model repository.
        name: name of the network.
        model_dir: directory with the network in PaddleX's layout.
        serving: settings for running the network; None uses the defaults.

    Returns:
        The metadata of the network.

    Raises:
        ModelFormatError: the model does not fit its role, its name cannot be a folder name, or TritonOCR did
            not write the existing folder of that name.
    """
    _check_replaceable(repository, check_model_name(name))
    serving = serving or ServingSettings()
    config = inference_config.load(model_dir)
    network = _network_metadata(name, model_dir, config, serving)
    with _Folder(repository, name) as folder:
        version = folder / "1"
        version.mkdir()
        network.write(version)
        if config.characters:
            characters = json.dumps(config.characters, ensure_ascii=False)
            (version / CHARACTERS_FILE).write_text(characters, encoding="utf-8")
        _write_weights(model_dir, config, version, serving, network)
        if serving.backend == "python":
            (version / "model.py").write_text(_MODEL_SHIM, encoding="utf-8")
        dims = output_dims(version / ONNX_FILE) if serving.backend == "onnxruntime" else None
        text = network_config(
            name,
            config.role,
            serving,
            output_dims=dims,
            grid_input_size=network.grid_input_size,
            languages=network.languages,
        )
        (folder / "config.pbtxt").write_text(text, encoding="utf-8")
    return network


def remove_network(repository: Path, name: str) -> None:
    """Remove the folder of a network in one atomic step; a missing folder is no error.

    Raises:
        ModelFormatError: the name cannot be a folder name.
    """
    temporary = tempfile.TemporaryDirectory(dir=repository.parent, prefix=f".{repository.name}-")
    with temporary as directory, suppress(FileNotFoundError):
        (repository / check_model_name(name)).rename(Path(directory, name))


def _engine(model_dir: Path, serving: ServingSettings) -> str:
    """Return the engine of the settings, or else an engine that can read the files of the model.

    Raises:
        ModelFormatError: the backend cannot read the format of the files.
    """
    device = devices.parse(serving.device)
    if layout.file_format(model_dir) == "onnx":
        return devices.engine_for(device, "auto" if serving.engine == "paddle" else serving.engine)
    if serving.backend == "onnxruntime":
        raise ModelFormatError(
            f"{model_dir} contains Paddle's files, but Triton's onnxruntime backend reads only ONNX; convert "
            "the files with `tritonocr models import --convert`, or build for another profile"
        )
    return devices.engine_for(device, "paddle")


def _network_metadata(
    name: str, model_dir: Path, config: InferenceConfig, serving: ServingSettings
) -> NetworkMetadata:
    model = _registered_model(name, config)
    profile = tensorrt_profile(config.role) if uses_tensorrt(config.role, serving) else None
    return NetworkMetadata(
        name=name,
        role=config.role,
        normalisation=config.normalisation,
        languages=model.languages if model else (),
        engine=_engine(model_dir, serving),
        precision=_precision(config.role, serving),
        threads=threads(name, config.role, serving),
        device=serving.device,
        right_to_left=model.right_to_left if model else False,
        generation=model.generation if model else 0,
        own_size=config.own_size,
        grid_input_size=_grid_input_size(model_dir, config.role),
        options=_own_options(model) if model else {},
        backend=serving.backend,
        tensorrt_options=profile_options(profile) if profile else {},
        engine_cache=serving.engine_cache if profile else "",
    )


def _grid_input_size(model_dir: Path, role: Role) -> tuple[int, int] | None:
    """Return the image size (height, width) in pixels of an ONNX unwarping network that returns a grid."""
    is_onnx = layout.file_format(model_dir) == "onnx"
    return grid_input_size(model_dir / layout.ONNX) if is_onnx and role is Role.DOC_UNWARPING else None


def _precision(role: Role, serving: ServingSettings) -> str:
    if role in serving.precision_of_role:
        return serving.precision_of_role[role]
    if serving.precision != "auto":
        return serving.precision
    if role is Role.DOC_UNWARPING and not serving.is_cpu:
        return "f32"  # a sampling grid in float16 (11 bits of mantissa) is wrong by up to a pixel
    return "f16" if serving.is_cuda else "auto"


def _registered_model(name: str, config: InferenceConfig) -> Model | None:
    """Return the registry's model of that name (an imported model), or else of that architecture."""
    with suppress(UnknownModelError):
        return registry.find(name)
    return config.architecture


def _own_options(model: Model) -> dict[str, Any]:
    """Return the thresholds of a model, by the name of the option that overrides them."""
    settings = model.postprocess.model_dump(exclude_none=True)
    return {_OPTION_OF_SETTING[name]: value for name, value in settings.items() if name in _OPTION_OF_SETTING}


def _write_weights(
    model_dir: Path,
    config: InferenceConfig,
    version: Path,
    serving: ServingSettings,
    network: NetworkMetadata,
) -> None:
    if layout.file_format(model_dir) == "onnx":
        export_contract_graph(
            model_dir / layout.ONNX,
            config,
            version / ONNX_FILE,
            # OpenVINO itself selects the layers that it computes in float16.
            half=network.precision == "f16" and network.engine == "onnxruntime",
            cast_first=uses_tensorrt(config.role, serving),
            native=serving.backend == "onnxruntime",
        )
        return
    for path in (layout.paddle_program(model_dir), model_dir / PADDLE_WEIGHTS):
        shutil.copyfile(path, version / path.name)


def _add_stage(
    repository: Path, name: str, pipeline: PipelineSettings, serving: ServingSettings, options: OptionValues
) -> None:
    source = source_repository() / name
    with _Folder(repository, name) as folder:
        text = (source / "config.pbtxt").read_text(encoding="utf-8")
        model = _INSTANCES_LIKE.get(name, name)
        count = serving.instances.get(name) or serving.instances.get(model)
        if count := count or _default_instances(model, cores_of(serving)):
            text = _with_instances(text, count)
        if name == contracts.LINE_BATCHING:
            text = _with_delay(text, batch_delay_us(serving))
        if name in contracts.READING_MODELS:
            text = _with_queue(text, pipeline) + _parameters(options)
        (folder / "config.pbtxt").write_text(text, encoding="utf-8")
        shutil.copytree(source / "1", folder / "1", ignore=shutil.ignore_patterns("__pycache__"))
        if name in contracts.READING_MODELS:
            write_pipeline_settings(pipeline, folder / "1")


def _default_instances(stage: str, cores: int) -> int | None:
    """Return the number of processes of a stage, or None to keep the number in its config.pbtxt."""
    if stage == "ocr":
        return files_at_a_time(cores)
    return stage_processes(stage, cores) if stage in contracts.PIPELINE_MODELS else None


def _parameters(options: OptionValues) -> str:
    """Return the effective options as model parameters, which clients can read from Triton."""
    return "".join(
        f'parameters {{ key: "{name}" value: {{ string_value: {json.dumps(str(value))} }} }}\n'
        for name, value in options.items()
        if value != ""
    )


def _with_instances(config_text: str, count: int) -> str:
    config = text_format.Parse(config_text, model_config_pb2.ModelConfig())
    config.instance_group[0].count = count
    return str(text_format.MessageToString(config))


def _with_delay(config_text: str, delay_us: int) -> str:
    config = text_format.Parse(config_text, model_config_pb2.ModelConfig())
    config.dynamic_batching.max_queue_delay_microseconds = delay_us
    return str(text_format.MessageToString(config))


def _with_queue(config_text: str, pipeline: PipelineSettings) -> str:
    config = text_format.Parse(config_text, model_config_pb2.ModelConfig())
    policy = config.dynamic_batching.default_queue_policy
    limits = (pipeline.max_queue_size, pipeline.max_queue_seconds * 1_000_000)
    if (policy.max_queue_size, policy.default_timeout_microseconds) == limits:
        return config_text
    policy.max_queue_size, policy.default_timeout_microseconds = limits
    return str(text_format.MessageToString(config))


def _remove_others(repository: Path, kept: set[str]) -> None:
    for path in repository.iterdir():
        optional = (*contracts.ADAPTER_MODELS, contracts.LINE_BATCHING)
        if path.name not in kept and (path.name in optional or _is_network(path)):
            shutil.rmtree(path)


def _is_network(path: Path) -> bool:
    """Return whether TritonOCR wrote this model folder. Such a folder contains the network's metadata."""
    return not path.is_symlink() and (path / "1" / METADATA_FILE).is_file()


def _check_replaceable(repository: Path, name: str) -> None:
    path = repository / name
    if path.exists() and not _is_network(path):
        raise ModelFormatError(
            f"{path} was not written by TritonOCR and is not replaced; use another name or repository"
        )


class _Folder:
    """A model folder that appears in the repository only after it is complete."""

    def __init__(self, repository: Path, name: str) -> None:
        self._target = repository / name
        # Beside the repository: inside it, Triton would read the folder as a model.
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
