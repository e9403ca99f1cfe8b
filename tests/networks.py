"""Small real networks with the signatures of the roles, and wheels that hold them."""

import hashlib
import io
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from ruamel.yaml import YAML

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.zoo import inference_config
from tritonocr_backend.zoo.registry import Wheel


def recognition(classes: int, *, softmax: bool = True, metadata: Mapping[str, str] | None = None) -> bytes:
    """`x` [B, 3, 48, W] -> [B, W/8, classes]."""
    return _model(
        [
            helper.make_node("AveragePool", ["x"], ["cells"], kernel_shape=[48, 8], strides=[48, 8]),
            helper.make_node("Conv", ["cells", "weight"], ["planes"]),
            helper.make_node("Squeeze", ["planes", "axis"], ["rows"]),
            helper.make_node("Transpose", ["rows"], ["columns"], perm=[0, 2, 1]),
            helper.make_node("Softmax" if softmax else "Identity", ["columns"], ["y"]),
        ],
        {"weight": _weights(classes, 3, 1, 1), "axis": np.array([2], np.int64)},
        (["B", 3, 48, "W"], ["B", "T", classes]),
        metadata,
    )


def detection() -> bytes:
    """`x` [B, 3, H, W] -> [B, 1, H, W] of probabilities."""
    return _model(
        [
            helper.make_node("Conv", ["x", "weight"], ["plane"], pads=[1, 1, 1, 1]),
            helper.make_node("Sigmoid", ["plane"], ["y"]),
        ],
        {"weight": _weights(1, 3, 3, 3)},
        (["B", 3, "H", "W"], ["B", 1, "H", "W"]),
    )


def classifier(classes: int) -> bytes:
    """`x` [B, 3, H, W] -> [B, classes]."""
    return _model(
        [
            helper.make_node("Conv", ["x", "weight"], ["planes"]),
            helper.make_node("GlobalAveragePool", ["planes"], ["means"]),
            helper.make_node("Flatten", ["means"], ["rows"]),
            helper.make_node("Softmax", ["rows"], ["y"]),
        ],
        {"weight": _weights(classes, 3, 1, 1)},
        (["B", 3, "H", "W"], ["B", classes]),
    )


def classifier_of_size(height: int, width: int, *, opset: int) -> bytes:
    """`x` [B, 3, height, width] -> [B, 2]; an image of another size does not fit."""
    return _model(
        [
            helper.make_node("Conv", ["x", "weight"], ["sums"]),
            helper.make_node("Flatten", ["sums"], ["rows"]),
            helper.make_node("Softmax", ["rows"], ["y"]),
        ],
        {"weight": _weights(2, 3, height, width) / 500},
        (["B", 3, height, width], ["B", 2]),
        opset=opset,
    )


def inference_yml(role: Role, name: str, characters: Sequence[str] = ()) -> bytes:
    """The text of an `inference.yml`."""
    text = io.BytesIO()
    YAML(typ="safe").dump(inference_config.compose(role, name, characters=characters), text)
    return text.getvalue()


def wheel(
    directory: Path, distribution: str, members: Mapping[str, bytes], executables: Collection[str] = ()
) -> Wheel:
    """Write a wheel that pip accepts into `directory`."""
    module = distribution.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n".encode()
    tags = b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    path = directory / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {
            **members,
            f"{info}/METADATA": metadata,
            f"{info}/WHEEL": tags,
            f"{info}/RECORD": b"",
        }.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o755 if name in executables else 0o644) << 16
            archive.writestr(member, content)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(distribution=distribution, version="1.0", sha256=sha256, licence="Apache-2.0")


def _weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _model(
    nodes: list[onnx.NodeProto],
    weights: Mapping[str, np.ndarray],
    shapes: tuple[list[int | str], list[int | str]],
    metadata: Mapping[str, str] | None = None,
    opset: int = 13,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shapes[0])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shapes[1])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model)
    return model.SerializeToString()
