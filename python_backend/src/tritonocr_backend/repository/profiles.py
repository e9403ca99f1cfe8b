"""Where a repository is to be served: the three ways that `tritonocr repository build` knows."""

from __future__ import annotations

from enum import Enum
from typing import Any

from tritonocr_backend.core import devices
from tritonocr_backend.core.errors import ServerError
from tritonocr_backend.repository.network_config import ServingSettings


class Profile(str, Enum):
    """Inference engine of the networks.

    `cpu`: our engines on a CPU. `gpu`: Triton's own onnxruntime backend on NVIDIA GPUs. `gpu-python`: our
    engines on NVIDIA GPUs, or on any other accelerator of `devices.HARDWARE`.
    """

    cpu = "cpu"
    gpu = "gpu"
    gpu_python = "gpu-python"


def profile_settings(profile: Profile, device: str | None = None, **settings: Any) -> ServingSettings:
    """How the networks of a profile are run.

    Args:
        profile: the profile.
        device: PaddleX's device name; None: the CPU, or the first NVIDIA GPU.
        **settings: other attributes of ServingSettings.

    Raises:
        ServerError: the device is unknown or not the profile's.
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
            f"device: got '{chosen}', which the profile {profile.value} does not run on; take {others}"
        )
    if profile is Profile.gpu:
        settings |= {"backend": "onnxruntime", "engine": "onnxruntime"}
    return ServingSettings(device=str(chosen), **settings)
