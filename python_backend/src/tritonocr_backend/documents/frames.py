"""Convert decoded Pillow frames of any mode to BGR."""

from __future__ import annotations

import numpy as np
import PIL.Image

from tritonocr_backend.core.arrays import Image


def frame_to_bgr(frame: PIL.Image.Image) -> Image:
    """Return uint8 [H, W, 3] BGR: transparency on white, 16 bits reduced to 8."""
    if frame.mode.startswith("I;16"):
        frame = PIL.Image.fromarray((np.asarray(frame) >> 8).astype(np.uint8))
    if frame.has_transparency_data:
        rgba = frame.convert("RGBA")
        frame = PIL.Image.new("RGBA", rgba.size, "white")
        frame.alpha_composite(rgba)
    return np.ascontiguousarray(np.asarray(frame.convert("RGB"))[:, :, ::-1])
