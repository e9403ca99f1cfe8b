"""PIL images as pixels, without importing PIL before it is needed: PIL is optional."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._exceptions import InvalidInputError

# Modes with one number per pixel beyond 8 bits. Pillow's own conversion to RGB clips them at 255.
_DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
# Colours that are multiplied by alpha; Pillow converts them to their plain modes alone.
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_BITMAPS = ("BMP", "DIB")  # ImageGrab.grabclipboard() returns a DIB
_WHITE_LEVELS = tuple(2**bits - 1 for bits in (8, 10, 12, 14, 16, 24, 31))


def is_pil_image(value: object) -> bool:
    """Return whether a value is a PIL image."""
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in type(value).__mro__)


def bgr_from_pil(image: Any) -> NDArray[np.uint8]:
    """Return the pixels of a PIL image [H,W,3] BGR: upright by its EXIF orientation, on a white background.

    Raises:
        InvalidInputError: PIL cannot read the image, the image is closed, or a pixel is not a number.
    """
    try:
        image.load()
        pixels = _upright(_without_empty_alpha(image))
        return np.ascontiguousarray(np.asarray(_rgb(pixels))[:, :, ::-1])
    except InvalidInputError:
        raise
    except Exception as error:  # any exception of PIL concerns only this image
        mode = getattr(image, "mode", "unknown")
        raise InvalidInputError(f"The PIL image (mode {mode}) cannot be read: {error}.") from error


def _without_empty_alpha(image: Any) -> Any:
    """Make a bitmap opaque if Windows left its alpha channel 0, for example in the clipboard."""
    is_bitmap = getattr(image, "format", None) in _BITMAPS and image.mode == "RGBA"
    return image.convert("RGB") if is_bitmap and image.getchannel("A").getextrema() == (0, 0) else image


def _upright(image: Any) -> Any:
    """Turn an image by its EXIF orientation; an unreadable EXIF block changes nothing."""
    from PIL import ImageOps

    with contextlib.suppress(Exception):
        return ImageOps.exif_transpose(image)
    return image


def _rgb(image: Any) -> Any:
    from PIL import Image

    if image.mode in _DEEP_MODES:
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    image = image.convert(_PREMULTIPLIED.get(image.mode, image.mode))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image.convert("RGB")


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale grey values to 0…255.

    Floats of 0…1 are scaled by 255. Other values are scaled by the smallest full range of 8, 10, 12, 14, 16,
    24 or 31 bits that holds them. Negative values shift the range to their minimum.

    Args:
        values: [H,W] integers or floats.

    Raises:
        InvalidInputError: a value is infinite or not a number.
    """
    if not np.isfinite(values).all():
        raise InvalidInputError("The PIL image has values that are infinite or not a number.")
    grey = values.astype(np.float64)
    low, high = min(float(grey.min(initial=0)), 0.0), float(grey.max(initial=0))
    if low < 0:
        white = high - low
    elif values.dtype.kind == "f" and high <= 1:
        white = 1.0
    else:
        white = next((level for level in _WHITE_LEVELS if high <= level), high)
    scaled: NDArray[np.uint8] = np.rint((grey - low) * 255 / (white or 1)).astype(np.uint8)
    return scaled
