"""Write the folder of one network into a model repository, or remove the folder."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from tritonocr_backend.core import devices
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.network_metadata import CHARACTERS_FILE, NetworkMetadata
from tritonocr_backend.core.paddle_files import PADDLE_WEIGHTS
from tritonocr_backend.engines.base import ONNX_FILE
from tritonocr_backend.graphs.export import export_contract_graph, grid_input_size
from tritonocr_backend.graphs.graph_outputs import output_dims
from tritonocr_backend.repository.folders import ModelFolder, check_replaceable
from tritonocr_backend.repository.network_config import (
    network_config,
    profile_options,
    tensorrt_profile,
    threads,
    uses_tensorrt,
)
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo import inference_config, layout, registry
from tritonocr_backend.zoo.errors import ModelFormatError, UnknownModelError
from tritonocr_backend.zoo.inference_config import InferenceConfig
from tritonocr_backend.zoo.names import check_model_name
from tritonocr_backend.zoo.registry import Model

_MODEL_SHIM = """from tritonocr_backend.triton.network import NetworkModel as TritonPythonModel

__all__ = ["TritonPythonModel"]
"""

_OPTION_OF_SETTING = {
    "thresh": "text_det_thresh",
    "box_thresh": "text_det_box_thresh",
    "unclip_ratio": "text_det_unclip_ratio",
}


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
    check_replaceable(repository, check_model_name(name))
    serving = serving or ServingSettings()
    config = inference_config.load(model_dir)
    network = _network_metadata(name, model_dir, config, serving)
    with ModelFolder(repository, name) as folder:
        version = folder / "1"
        version.mkdir()
        network.write(version)
        if config.characters:
            characters = json.dumps(config.characters, ensure_ascii=False)
            (version / CHARACTERS_FILE).write_text(characters, encoding="utf-8")
        _write_weights(model_dir, config, version, serving, network)
        if serving.backend == "python":
            (version / "model.py").write_text(_MODEL_SHIM, encoding="utf-8")
        (folder / "config.pbtxt").write_text(_config(version, serving, network), encoding="utf-8")
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


def _config(version: Path, serving: ServingSettings, network: NetworkMetadata) -> str:
    """Return the `config.pbtxt` of a network whose weights are written."""
    return network_config(
        network.name,
        network.role,
        serving,
        output_dims=output_dims(version / ONNX_FILE) if serving.backend == "onnxruntime" else None,
        grid_input_size=network.grid_input_size,
        languages=network.languages,
    )


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
