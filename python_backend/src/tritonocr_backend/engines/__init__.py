"""Engines: one small class each, behind one protocol, that run a network on uint8 images."""

from __future__ import annotations

from tritonocr_backend.engines.base import Engine, EngineError, EngineOptions, Network, create_engine

__all__ = ["Engine", "EngineError", "EngineOptions", "Network", "create_engine"]
