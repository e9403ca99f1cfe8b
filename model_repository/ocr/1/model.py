from tritonocr_backend.triton.ocr import Ocr as TritonPythonModel

__all__ = ["TritonPythonModel"]
