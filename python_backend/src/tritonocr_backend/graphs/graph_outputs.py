"""Read the output shapes of a contract graph as Triton's onnxruntime backend expects them in config.pbtxt."""

from __future__ import annotations

from pathlib import Path

from tritonocr_backend.zoo.errors import ModelFormatError


def output_dims(graph: Path) -> dict[str, list[int]]:
    """Return the dims of each output without the batch dimension; -1 stands for a variable size.

    Raises:
        ModelFormatError: ONNX Runtime cannot load the graph, or an output has a fixed batch size.
    """
    import onnxruntime  # slow to import, and few repositories need it

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
            raise ModelFormatError(
                f"output {output.name} of {graph}: got the fixed batch size {batch}, expected a variable one"
            )
        dims[output.name] = rest
    return dims
