"""What the Python-backend models do; importable and testable without Triton."""
