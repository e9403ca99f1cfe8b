"""The Triton side: the only importer of triton_python_backend_utils."""
