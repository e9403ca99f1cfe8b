"""Make the environments of the peers, and the same weights in the format of each peer.

`python -m bench.peers` makes the environments (`make bench-peers`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
from ruamel.yaml import YAML

from bench.unwarping_graph import with_sampling
from bench.workloads import Workload
from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS
from tritonocr_backend.graphs.full_precision import widen
from tritonocr_backend.zoo import cache
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_backend.zoo.layout import FileFormat

REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    # paddlepaddle 3.3.1 breaks PaddleX's oneDNN mode
    "paddlex-3.7.2": ("paddlex[ocr-core,serving]==3.7.2", "paddlepaddle==3.2.2", "onnxruntime>=1.20,<2"),
    "rapidocr-3.10.0": ("rapidocr==3.10.0", "onnxruntime>=1.20,<2", "openvino>=2026.4,<2027"),
    "rapidocr-ng-5.0.0a5": ("rapidocr-ng==5.0.0a5", "opencv-python-headless>=4.10,<5"),
    "faster-paddle-1.0.4": ("faster-paddle==1.0.4", "numpy>=1.24,<3"),
}
BATCH_SIZE = 6  # PaddleX's and RapidOCR's own for recognition

# Keys that PaddleX needs and the cache's inference.yml lacks.
_DETECTION_STEPS = [
    {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
    {"DetResizeForTest": {"resize_long": 960}},
    {
        "NormalizeImage": {
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "scale": "1./255.",
            "order": "hwc",
        }
    },
    {"ToCHWImage": None},
    {"KeepKeys": {"keep_keys": ["image", "shape", "polys", "ignore_tags"]}},
]
_RECOGNITION_STEPS = [
    {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
    {"RecResizeImg": {"image_shape": [3, 48, 320]}},
    {"KeepKeys": {"keep_keys": ["image", "label_ctc", "label_gtc", "length", "valid_ratio"]}},
]
# The networks of PaddleX's steps that are on by default.
_PREPROCESSING = {
    "doc_orientation": DEFAULT_NETWORKS[Role.DOC_ORIENTATION],
    "doc_unwarping": DEFAULT_NETWORKS[Role.DOC_UNWARPING],
    "textline_orientation": DEFAULT_NETWORKS[Role.TEXTLINE_ORIENTATION],
}


class PeersMissingError(RuntimeError):
    """A peer's environment has not been made."""


def interpreter(environment: str) -> Path:
    """The Python of a peer's environment.

    Raises:
        PeersMissingError: it has not been made.
    """
    directory = cache.home() / "environments" / environment
    if not (directory / "complete").exists():
        raise PeersMissingError(f"{environment} is not installed: make bench-peers")
    return directory / "bin" / "python"


def make_environments() -> None:
    """Make the peers' environments where they are missing."""
    for name, requirements in REQUIREMENTS.items():
        directory = cache.home() / "environments" / name
        with cache.locked(name):
            if (directory / "complete").exists():
                continue
            print(f"{name}: {' '.join(requirements)}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(directory)], check=True)
            pip = [str(directory / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, *requirements], check=True)
            (directory / "complete").touch()


def configuration(workload: Workload, file_format: FileFormat, scratch: Path, **more: Any) -> dict[str, Any]:
    """The weights and settings of a peer's worker.

    Args:
        workload: its networks, thresholds and options.
        file_format: onnx or paddle.
        scratch: where directories in the peers' shape are written.
        more: further keys, such as engine and threads.
    """
    models = workload.models
    detection = _model_dir(models.detection, file_format, scratch, {"transform_ops": _DETECTION_STEPS})
    recognition = _model_dir(models.recognition, file_format, scratch, {"transform_ops": _RECOGNITION_STEPS})
    return {
        **asdict(models),
        "detection_dir": str(detection),
        "recognition_dir": str(recognition),
        "characters": str(recognition / "characters.txt"),
        "batch_size": BATCH_SIZE,
        "limit_side_len": workload.limit_side_len,
        "preprocessing": _preprocessing(file_format, scratch) if workload.all_options else {},
        **more,
    }


def _preprocessing(file_format: FileFormat, scratch: Path) -> dict[str, dict[str, str]]:
    """Return the name and directory of each network for the steps before detection and recognition."""
    return {
        step: {"name": name, "dir": str(_model_dir(name, file_format, scratch))}
        for step, name in _PREPROCESSING.items()
    }


def _model_dir(
    name: str, file_format: FileFormat, scratch: Path, preprocess: dict[str, Any] | None = None
) -> Path:
    """Return the cached model with a complete `inference.yml`, and its dictionary in RapidOCR's format."""
    source = fetch_model(name, file_format=file_format)
    target = scratch / file_format / name
    if target.exists():
        return target
    target.mkdir(parents=True)
    yaml = YAML(typ="safe")
    config = yaml.load(source / "inference.yml")
    for path in source.glob("inference.pd*"):
        (target / path.name).symlink_to(path)
    if file_format == "onnx":
        onnx.save(_graph(name, source / "inference.onnx"), target / "inference.onnx")
    yaml.dump({**config, "PreProcess": preprocess or _channels_first(config)}, target / "inference.yml")
    if characters := config["PostProcess"].get("character_dict"):
        (target / "characters.txt").write_text("\n".join(characters) + "\n", encoding="utf-8")
    return target


def _graph(name: str, path: Path) -> onnx.ModelProto:
    model = onnx.load(path)
    if name != _PREPROCESSING["doc_unwarping"]:
        return model
    widen(model)
    return with_sampling(model)


def _channels_first(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the steps of a network with the step that the cached `inference.yml` of a classifier lacks."""
    steps = config["PreProcess"]["transform_ops"]
    return {"transform_ops": [*steps, {"ToCHWImage": None}] if steps else []}


if __name__ == "__main__":
    make_environments()
