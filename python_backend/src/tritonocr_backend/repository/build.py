"""Build a model repository with the pipeline's models and one folder per network.

A running server can read the repository at any time. Therefore each folder is complete before it gets its
name.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from tritonocr_backend.core import contracts
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.settings import PipelineSettings, effective_options, write_pipeline_settings
from tritonocr_backend.repository.cpu_sharing import files_at_a_time, stage_processes
from tritonocr_backend.repository.folders import ModelFolder, check_replaceable, is_network
from tritonocr_backend.repository.network_config import (
    batch_delay_us,
    cores_of,
)
from tritonocr_backend.repository.networks import add_network
from tritonocr_backend.repository.serving_settings import ServingSettings
from tritonocr_backend.zoo.names import check_model_name
from tritonocr_common.option_types import OptionValues

# Clients send PDFs to `ocr_stream` and images to `ocr`: both read the same number of files at a time.
_INSTANCES_LIKE = dict.fromkeys(contracts.READING_MODELS, "ocr")


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
        check_replaceable(target, check_model_name(name))
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


def _add_stage(
    repository: Path, name: str, pipeline: PipelineSettings, serving: ServingSettings, options: OptionValues
) -> None:
    source = source_repository() / name
    with ModelFolder(repository, name) as folder:
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
        if path.name not in kept and (path.name in optional or is_network(path)):
            shutil.rmtree(path)
