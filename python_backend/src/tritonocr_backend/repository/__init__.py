"""Build a Triton model repository from a configuration."""
