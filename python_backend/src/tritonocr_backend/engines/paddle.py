"""The Paddle Inference engine, which runs Paddle's own model files without conversion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from paddle import inference

from tritonocr_backend.core import devices
from tritonocr_backend.core.arrays import Image
from tritonocr_backend.core.contracts import PADDING_BGR, Role
from tritonocr_backend.core.network_metadata import Normalisation
from tritonocr_backend.core.paddle_files import PADDLE_PROGRAMS, PADDLE_WEIGHTS
from tritonocr_backend.engines.base import EngineError, EngineOptions, Network


class PaddleEngine:
    """Run a Paddle network. Normalisation and postprocessing of the contract are done in NumPy."""

    def __init__(self, network: Network) -> None:
        self.streams, self.batch_sizes = 1, ()
        try:
            self._predictor = inference.create_predictor(_config(network))
        except Exception as error:  # Paddle's C++ errors surface as several unrelated types
            raise EngineError(f"Paddle cannot load {network.directory}: {error}") from error
        self._input = self._predictor.get_input_handle(self._predictor.get_input_names()[0])
        self._output = self._predictor.get_output_handle(self._predictor.get_output_names()[0])
        self._network = network
        self._finish = _FINISHES[network.role]

    def infer(self, image: Image) -> list[NDArray[Any]]:
        """See Engine.infer."""
        image = resize(image, self._network.own_size)
        values = normalise(image, self._network.normalisation)
        if self._network.role is Role.TEXT_RECOGNITION:
            values *= ~(image == PADDING_BGR).all(axis=3)[:, np.newaxis]
        self._input.copy_from_cpu(values)
        self._predictor.run()
        return self._finish(self._output.copy_to_cpu())


def resize(image: Image, size: tuple[int, int] | None) -> Image:
    """Resize uint8 [B, H, W, 3] to (height, width) px, bilinear. None: return it unchanged."""
    if size is None:
        return image
    return np.stack([np.asarray(cv2.resize(one, size[::-1]), dtype=np.uint8) for one in image])


def normalise(image: Image, normalisation: Normalisation) -> NDArray[np.float32]:
    """Convert uint8 [B, H, W, 3] BGR to normalised float32 [B, 3, H, W] in the network's channel order."""
    mean = np.array(normalisation.mean, dtype=np.float32)
    std = np.array(normalisation.std, dtype=np.float32)
    channels = image[..., ::-1] if normalisation.channel_order == "RGB" else image
    values = channels * (np.float32(normalisation.scale) / std) - mean / std
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)


def _unwarped(planes: NDArray[np.float32]) -> list[NDArray[Any]]:
    pixels = np.clip(planes * 255, 0, 255).astype(np.uint8)
    return [np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))]


_FINISHES: dict[Role, Callable[[NDArray[np.float32]], list[NDArray[Any]]]] = {
    Role.DOC_ORIENTATION: lambda probabilities: [probabilities],
    Role.TEXTLINE_ORIENTATION: lambda probabilities: [probabilities],
    Role.DOC_UNWARPING: _unwarped,
    Role.TEXT_DETECTION: lambda maps: [np.ascontiguousarray(maps[:, 0])],
    Role.TEXT_RECOGNITION: lambda classes: [classes.argmax(axis=2).astype(np.int32), classes.max(axis=2)],
}


def _config(network: Network) -> Any:
    program = next(path for name in PADDLE_PROGRAMS if (path := network.directory / name).exists())
    config = inference.Config(str(program), str(network.directory / PADDLE_WEIGHTS))
    config.disable_glog_info()
    _use_device(config, network.options)
    return config


def _use_device(config: Any, options: EngineOptions) -> None:
    device = devices.parse(options.device)
    kind = devices.support(device, "paddle").target
    if kind in ("gpu", "dcu"):  # Paddle for DCUs uses the GPU functions (ROCm)
        config.enable_use_gpu(512, device.index)
    elif kind == "xpu":
        config.enable_xpu()
        config.set_xpu_device_id(device.index)
    elif kind == "cpu":
        config.disable_gpu()
        config.enable_mkldnn()
        config.set_cpu_math_library_num_threads(options.threads or 1)
    else:
        config.enable_custom_device(kind, device.index)
