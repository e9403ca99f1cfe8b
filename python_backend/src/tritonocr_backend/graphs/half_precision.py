"""Convert a network to float16."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import onnxruntime
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

from tritonocr_backend.zoo.errors import ModelFormatError

_SMALLEST, _LARGEST = 5.96e-8, 65504.0

# Some variances in PP-OCRv4_mobile_det's head exceed float16's maximum of 65504. Clipped to that value, they
# move 3 % of a page's pixels across the detection threshold. `_simplify` removes most of these layers.
_KEPT_OPERATORS = (*DEFAULT_OP_BLOCK_LIST, "BatchNormalization")

_FIRST_OPSET_OF_HALF_CLIP = 12
"""ONNX Runtime's CUDA provider has no float16 Clip below this opset. It would run these layers on the CPU."""


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the network in float16, with float32 input and output.

    The conversion is ONNX Runtime's. Batch normalisation that follows a convolution becomes part of the
    convolution before the conversion. Other batch normalisation stays in float32.

    Raises:
        ModelFormatError: ONNX Runtime cannot load the network.
    """
    kept = _KEPT_OPERATORS if _opset(model) >= _FIRST_OPSET_OF_HALF_CLIP else (*_KEPT_OPERATORS, "Clip")
    return convert_float_to_float16(
        _simplify(model),
        min_positive_val=_SMALLEST,
        max_finite_val=_LARGEST,
        keep_io_types=True,
        op_block_list=list(kept),
    )


def _simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the float32 network after ONNX Runtime's basic optimisations, which use ONNX operators only.

    They fold batch normalisation into the convolution before it, and turn Constant nodes into initializers.
    The float16 converter leaves initializers of kept operators in float32, but converts every Constant node.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "simplified.onnx")
        options.optimized_model_filepath = str(path)
        try:
            onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
            raise ModelFormatError(f"ONNX Runtime cannot load the network: {error}") from error
        simplified = onnx.load(path)
    _restore_opsets(simplified, model)
    return simplified


def _restore_opsets(model: onnx.ModelProto, original: onnx.ModelProto) -> None:
    """Remove operator sets that ONNX Runtime adds. No node uses them; older versions may not know them."""
    del model.opset_import[:]
    model.opset_import.extend(original.opset_import)


def _opset(model: onnx.ModelProto) -> int:
    return int(next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")))
