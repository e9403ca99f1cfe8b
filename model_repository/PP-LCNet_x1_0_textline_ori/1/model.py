from tritonocr_backend.triton.network import NetworkModel as TritonPythonModel

__all__ = ["TritonPythonModel"]
