"""Connections to Triton servers; `connect` alone knows all kinds of them."""
