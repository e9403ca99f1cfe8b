"""Scripts that run as processes of their own, some of them in a peer's environment."""
