from tritonocr_backend.triton.stage import StageModel as TritonPythonModel

__all__ = ["TritonPythonModel"]
