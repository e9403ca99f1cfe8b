"""The adapter to Triton: the only importer of triton_python_backend_utils."""
