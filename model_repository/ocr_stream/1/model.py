from tritonocr_backend.triton.ocr import OcrStream as TritonPythonModel

__all__ = ["TritonPythonModel"]
