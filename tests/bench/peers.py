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

from ruamel.yaml import YAML

from bench.workloads import Models
from tritonocr_backend.zoo import cache
from tritonocr_backend.zoo.fetch import fetch_model
from tritonocr_backend.zoo.layout import FileFormat

REQUIREMENTS: Mapping[str, tuple[str, ...]] = {
    # paddlepaddle 3.3.1 breaks PaddleX's oneDNN mode
    "paddlex-3.7.2": ("paddlex[ocr-core,serving]==3.7.2", "paddlepaddle==3.2.2", "onnxruntime>=1.20,<2"),
    "rapidocr-3.10.0": ("rapidocr==3.10.0", "onnxruntime>=1.20,<2", "openvino>=2026.4,<2027"),
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


def configuration(models: Models, file_format: FileFormat, scratch: Path, **more: Any) -> dict[str, Any]:
    """The weights and settings of a peer's worker.

    Args:
        models: the networks and thresholds.
        file_format: onnx or paddle.
        scratch: where directories in the peers' shape are written.
        more: further keys, such as engine and threads.
    """
    detection = _model_dir(models.detection, file_format, scratch, {"transform_ops": _DETECTION_STEPS})
    recognition = _model_dir(models.recognition, file_format, scratch, {"transform_ops": _RECOGNITION_STEPS})
    return {
        **asdict(models),
        "detection_dir": str(detection),
        "recognition_dir": str(recognition),
        "characters": str(recognition / "characters.txt"),
        "batch_size": BATCH_SIZE,
        **more,
    }


def _model_dir(name: str, file_format: FileFormat, scratch: Path, preprocess: dict[str, Any]) -> Path:
    """Return the cached model with a complete `inference.yml`, and its dictionary in RapidOCR's format."""
    source = fetch_model(name, file_format=file_format)
    target = scratch / file_format / name
    if target.exists():
        return target
    target.mkdir(parents=True)
    yaml = YAML(typ="safe")
    config = yaml.load(source / "inference.yml")
    for path in source.glob("inference.*"):
        (target / path.name).symlink_to(path)
    (target / "inference.yml").unlink()
    yaml.dump({**config, "PreProcess": preprocess}, target / "inference.yml")
    if characters := config["PostProcess"].get("character_dict"):
        (target / "characters.txt").write_text("\n".join(characters) + "\n", encoding="utf-8")
    return target


if __name__ == "__main__":
    make_environments()
