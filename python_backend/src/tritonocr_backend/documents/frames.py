"""Convert decoded frames and samples of any type to BGR."""

from __future__ import annotations

from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image

GREY_MODES = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})

BAND_PIXELS = 1 << 22


def frame_to_bgr(frame: PIL.Image.Image) -> Image:
    """Return uint8 [H, W, 3] BGR of a Pillow frame of any mode, with transparency on white.

    The frame is converted in bands: a copy of it in RGBA has four bytes per pixel, and several are needed.
    """
    if frame.mode in GREY_MODES:
        return samples_to_bgr(_samples(frame))
    is_opaque = _has_empty_alpha(frame) or not frame.has_transparency_data
    bgr = np.empty((frame.height, frame.width, 3), np.uint8)
    rows = max(1, BAND_PIXELS // frame.width)
    for top in range(0, frame.height, rows):
        band = frame.crop((0, top, frame.width, min(top + rows, frame.height)))
        rgb = band.convert("RGB") if is_opaque else _on_white(band)
        bgr[top : top + rows] = np.asarray(rgb)[:, :, ::-1]
    return bgr


def _has_empty_alpha(frame: PIL.Image.Image) -> bool:
    """Return whether Windows left the fourth byte of a BMP 0: the picture is opaque."""
    return frame.format == "BMP" and frame.mode == "RGBA" and frame.getchannel("A").getextrema() == (0, 0)


def _on_white(band: PIL.Image.Image) -> PIL.Image.Image:
    rgba = band.convert("RGBA")
    white = PIL.Image.new("RGBA", rgba.size, "white")
    white.alpha_composite(rgba)
    return white.convert("RGB")


def _samples(frame: PIL.Image.Image) -> NDArray[Any]:
    samples = np.asarray(frame)
    if frame.mode == "I" and frame.format == "PPM":  # Pillow scales the samples of a PGM to 16 bits
        return samples.astype(np.uint16)
    if frame.mode == "I" and frame.format == "TIFF":  # unsigned samples; OpenCV reads the signed ones
        return samples.view(np.uint32)
    return samples


def samples_to_bgr(samples: NDArray[Any]) -> Image:
    """Return uint8 [H, W, 3] BGR of grey or BGR samples of any type.

    Args:
        samples: [H, W] or [H, W, 3 or 4]; a fourth channel is ignored.
    """
    samples = np.atleast_3d(samples)[:, :, :3]
    eight_bit = _to_eight_bits(samples)
    return np.ascontiguousarray(np.repeat(eight_bit, 3, axis=2) if eight_bit.shape[2] == 1 else eight_bit)


def _to_eight_bits(samples: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale samples to 0 to 255.

    Unsigned samples of 8 and 16 bits use the full range of their type. Other types have no such range: the
    values are read as 0 to 1, 0 to 255 or 0 to 65535, whichever is the smallest that holds them all. Values
    outside these ranges are stretched from the lowest to the highest value.
    """
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype == np.uint16:
        return (samples >> 8).astype(np.uint8)
    finite = samples[np.isfinite(samples)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    tops = (1.0, 255.0, 65535.0) if samples.dtype.kind == "f" else (255.0, 65535.0)
    top = next((top for top in tops if low >= 0 and high <= top), None)
    if top is not None:
        low, high = 0.0, top
    values = np.nan_to_num(samples.astype(np.float32), nan=low, posinf=high, neginf=low)
    scaled = (values - low) * (255 / max(high - low, 1e-30))
    return np.asarray(np.clip(np.rint(scaled), 0, 255), dtype=np.uint8)
