"""Inference engines: OpenVINO, ONNX Runtime and Paddle behind one protocol."""

from __future__ import annotations

from tritonocr_backend.engines.base import Engine, EngineError, EngineOptions, Network, create_engine

__all__ = ["Engine", "EngineError", "EngineOptions", "Network", "create_engine"]
