from tritonocr_backend.triton.docling import DoclingOcr as TritonPythonModel

__all__ = ["TritonPythonModel"]
