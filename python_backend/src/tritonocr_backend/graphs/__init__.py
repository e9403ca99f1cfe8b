"""Changes to ONNX graphs when a network is exported for serving."""
