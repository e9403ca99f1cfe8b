"""Connections to Triton servers; only `connect` imports all kinds of them."""
