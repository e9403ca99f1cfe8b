"""From a configuration to a Triton model repository."""
