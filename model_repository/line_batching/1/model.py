from tritonocr_backend.triton.line_batching import LineBatching as TritonPythonModel

__all__ = ["TritonPythonModel"]
