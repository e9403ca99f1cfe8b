"""What ONNX Runtime says of a contract graph's outputs: Triton's onnxruntime backend insists on just that."""

from __future__ import annotations

from pathlib import Path

from tritonocr_backend.zoo.errors import ModelFormatError


def output_dims(graph: Path) -> dict[str, list[int]]:
    """The dims of each output without the batch, -1 where they vary.

    Raises:
        ModelFormatError: ONNX Runtime cannot load the graph, or an output does not come in batches.
    """
    import onnxruntime  # takes its time, and few repositories need it

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions share no base but Exception
        raise ModelFormatError(f"ONNX Runtime cannot load {graph}: {error}") from error
    dims: dict[str, list[int]] = {}
    for output in session.get_outputs():
        batch, *rest = (size if isinstance(size, int) else -1 for size in output.shape)
        if batch != -1:
            raise ModelFormatError(f"output {output.name} of {graph} comes in batches of {batch} only")
        dims[output.name] = rest
    return dims
