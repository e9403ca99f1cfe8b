"""An image, or a batch of images, for the network of each role."""

import cv2
import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.contracts import GRID_INPUT_SIZE_PX, PADDING_BGR, Role


def written(text: str, height: int, width: int) -> NDArray[np.uint8]:
    """Black letters on white."""
    image = np.full((height, width, 3), 255, np.uint8)
    scale = height / 40
    cv2.putText(image, text, (4, int(height * 0.75)), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 2)
    return image


def page(height: int, width: int) -> NDArray[np.uint8]:
    return cv2.resize(written("Page 1 of 2", 100, 400), (width, height))


def padded(line: NDArray[np.uint8], content: int) -> NDArray[np.uint8]:
    line[:, content:] = PADDING_BGR
    return line


IMAGES = {
    Role.DOC_ORIENTATION: np.stack([page(224, 224), np.rot90(page(224, 224))]),
    Role.DOC_UNWARPING: page(*GRID_INPUT_SIZE_PX)[np.newaxis].astype(np.float32),
    Role.TEXT_DETECTION: page(160, 320)[np.newaxis],
    Role.TEXTLINE_ORIENTATION: np.stack([page(80, 160), np.rot90(page(80, 160), 2)]),
    Role.TEXT_RECOGNITION: np.stack(
        [
            padded(written(text, 48, 256), 200)
            for text in ("Total 12.50", "Invoice", "AB 1234", "No. 7", "end")
        ]
    ),
}
