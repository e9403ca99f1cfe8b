"""Tensors for direct calls to stages, and the calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import tritonclient.grpc
from hostile import Service
from stage_inputs import postprocess_inputs

from tritonocr_backend.core.contracts import Role
from tritonocr_backend.core.settings import DEFAULT_NETWORKS


def postprocess(probability: Any, **changes: Any) -> dict[str, Any]:
    large = {
        "probability": np.asarray(probability, np.float32),
        "page_size": np.array([4096, 4096], np.int32),
        "max_candidates": np.array([1_000_000], np.int32),
    }
    return postprocess_inputs(**{**large, **changes})


def dots() -> dict[str, Any]:
    probability = np.zeros((4096, 4096), np.float32)
    probability[::4, ::4] = 1
    return postprocess(probability)


def noise() -> dict[str, Any]:
    return postprocess(np.random.default_rng(0).random((4096, 4096), np.float32))


def crop(quads: Any, **changes: Any) -> dict[str, Any]:
    return {
        "image": np.zeros((400, 400, 3), np.uint8),
        "polys": np.asarray(quads, np.int32).reshape(-1, 4, 2),
        "reduction": np.array([1], np.int32),
        "exact": np.array([False]),
        "orientation_images": np.array([True]),
        **changes,
    }


def equal_quads(count: int) -> dict[str, Any]:
    return crop([[[0, 0], [400, 0], [400, 400], [0, 400]]] * count)


def decode(shape: tuple[int, ...], value: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "indices": np.full(shape, value, np.int32),
        "confidences": np.ones(shape, np.float32),
        "column_counts": np.ones(shape[0], np.float32),
        "return_words": np.array([True]),
        "return_characters": np.array([True]),
        "exact": np.array([False]),
        "model_name": np.array([DEFAULT_NETWORKS[Role.TEXT_RECOGNITION]], object),
        **changes,
    }


def call(service: Service, model: str, tensors: dict[str, Any], timeout_s: float = 300) -> str:
    """Call a model directly; return the status, `OK` if there is no error."""
    inputs = []
    for name, array in tensors.items():
        kind = tritonclient.utils.np_to_triton_dtype(array.dtype)
        inputs.append(tritonclient.grpc.InferInput(name, list(array.shape), kind))
        inputs[-1].set_data_from_numpy(array)
    url = service.server.grpc_url
    with tritonclient.grpc.InferenceServerClient(url) as client:
        try:
            client.infer(model, inputs, client_timeout=timeout_s)
        except tritonclient.utils.InferenceServerException as error:
            return (
                "a long message" if len(error.message()) > 1000 else str(error.status())[len("StatusCode.") :]
            )
    return "OK"
