"""Define the three profiles of `tritonocr repository build`."""

from __future__ import annotations

from enum import Enum
from typing import Any

from tritonocr_backend.core import devices
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.repository.serving_settings import ServingSettings


class Profile(str, Enum):
    """The hardware and the backend that run the networks.

    `cpu` runs the engines of TritonOCR on a CPU. `gpu` runs Triton's own onnxruntime backend on NVIDIA GPUs.
    `gpu-python` runs the engines of TritonOCR on NVIDIA GPUs or on another accelerator of `devices.HARDWARE`.
    """

    cpu = "cpu"
    gpu = "gpu"
    gpu_python = "gpu-python"


def profile_settings(profile: Profile, device: str | None = None, **settings: Any) -> ServingSettings:
    """Return the settings for running the networks of a profile.

    Args:
        profile: the profile.
        device: PaddleX's device name. None uses the CPU for `cpu` and the first NVIDIA GPU for the others.
        **settings: other attributes of ServingSettings.

    Raises:
        ServerError: the device is unknown, or the profile does not run on the device.
    """
    chosen = devices.parse(device or ("cpu" if profile is Profile.cpu else "gpu:0"))
    fits = {
        Profile.cpu: chosen.kind == "cpu",
        Profile.gpu: chosen.kind == "gpu",
        Profile.gpu_python: chosen.kind != "cpu",
    }
    if not fits[profile]:
        others = ", ".join(other.value for other in Profile if fits[other])
        raise ServerError(
            f"device: got '{chosen}', but the profile {profile.value} does not run on it; use {others}"
        )
    if profile is Profile.gpu:
        settings |= {"backend": "onnxruntime", "engine": "onnxruntime"}
    return ServingSettings(device=str(chosen), **settings)
