"""Scripts that run as separate processes, some of them in the environment of a peer."""
