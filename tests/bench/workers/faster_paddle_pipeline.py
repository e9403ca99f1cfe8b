"""faster-paddle with the PP-OCRv6 networks and thresholds of its package. Runs in its own environment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from faster_paddle import OcrEngine

from protocol import Answer, File, Lines, configuration, one_by_one, serve

SIZES = {"PP-OCRv6_tiny_det": "tiny", "PP-OCRv6_small_det": "small"}


def start() -> Callable[[Sequence[File]], Answer]:
    """The function that reads pages."""
    asked = configuration()
    engine = OcrEngine(
        model_size=SIZES[asked["detection"]],
        threads=asked["threads"],
        det_max_side=asked["limit_side_len"],
        det_min_side=0,  # no page is enlarged, as with limit_type "max"
    )

    def read(file: File) -> Lines:
        bounds = engine.ocr(file.data)["bounds"]
        return [
            (_quad(line["topLeftCoord"], line["bottomRightCoord"]), line["text"]) for line in bounds.values()
        ]

    return one_by_one(read)


def _quad(top_left: Any, bottom_right: Any) -> list[list[int]]:
    """Corners of the upright box; faster-paddle returns no others."""
    (x, y), (x_end, y_end) = top_left, bottom_right
    return [[x, y], [x_end, y], [x_end, y_end], [x, y_end]]


if __name__ == "__main__":
    serve(start)
