"""Rewrite ONNX graphs when a network is exported for serving."""
