"""Long strips are detected in tiles whose probability maps are joined."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.core.contracts import MAX_MAP_PIXELS, MAX_MAP_SIDE_PX
from tritonocr_backend.pipeline.detection_tiles import OVERLAP_PX, detection_view, page_scale, strip_scale
from tritonocr_backend.pipeline.text_detection import LimitType


def page(height: int, width: int) -> np.ndarray:
    """A page whose pixels tell their place along the longest side."""
    place = np.linspace(0, 255, max(height, width)).astype(np.uint8)
    plane = np.repeat(place[:, None], min(height, width), axis=1)
    return np.repeat((plane if height >= width else plane.T)[..., None], 3, axis=2)


class TestScale:
    @pytest.mark.parametrize(
        ("size", "limit", "kind", "expected"),
        [
            pytest.param((12_000, 750), 960, "max", 640 / 750, id="long screenshot: 640 px wide tiles"),
            pytest.param((160, 3248), 960, "max", 1, id="one wide line is not enlarged"),
            pytest.param((3000, 750), 960, "max", None, id="4 times as long: as PaddleX"),
            pytest.param((7016, 4961), 960, "max", None, id="A4 at 600 dpi: as PaddleX"),
            pytest.param((900, 100), 960, "max", None, id="a strip that fits: as PaddleX"),
            pytest.param((12_000, 750), 736, "min", 1, id="min: PaddleX's limit of 4000 px does not apply"),
            pytest.param((2500, 500), 736, "min", None, id="min enlarges within 4000 px as PaddleX does"),
            pytest.param((12_000, 750), 200, "max", None, id="a limit under the smallest tile: as PaddleX"),
        ],
    )
    def test_of_a_strip(
        self, size: tuple[int, int], limit: int, kind: LimitType, expected: float | None
    ) -> None:
        scale = strip_scale(size, limit, kind)
        assert scale == (None if expected is None else pytest.approx(expected))

    @given(
        st.integers(1, 1 << 27),
        st.integers(1, 12_000),
        st.integers(1, 4000),
        st.sampled_from(["max", "min"]),
    )
    def test_keeps_the_map_within_its_bounds(
        self, height: int, width: int, limit: int, kind: LimitType
    ) -> None:
        scale = page_scale((height, width), limit, kind)
        assert max(height, width) * scale <= MAX_MAP_SIDE_PX + 1
        assert height * scale * max(width * scale, 32) <= MAX_MAP_PIXELS * 1.01 or width * scale < 32


class TestTiles:
    @pytest.mark.parametrize(
        ("size", "tile", "count"),
        [
            pytest.param((6000, 640), (960, 640), 8, id="tall"),
            pytest.param((100, 3000), (96, 960), 4, id="wide"),
            pytest.param((960, 700), (960, 704), 1, id="no strip"),
        ],
    )
    def test_have_one_size_and_overlap(
        self, size: tuple[int, int], tile: tuple[int, int], count: int
    ) -> None:
        view = detection_view(page(*size), size, 960, "max", exact=False)
        assert [image.shape for image in view.tiles] == [(*tile, 3)] * count
        steps = np.diff(view.starts)
        assert (steps <= 960 - OVERLAP_PX + 31).all()
        assert all(start % 32 == 0 for start in view.starts[:-1])

    @given(st.integers(1000, 9000), st.integers(1, 240), st.booleans())
    def test_joined_they_are_the_strip(self, length: int, width: int, is_tall: bool) -> None:
        size = (length, width) if is_tall else (width, length)
        view = detection_view(page(*size), size, 960, "max", exact=False)
        joined = view.joined([tile[..., 0].astype(np.float32) for tile in view.tiles])
        assert abs(max(joined.shape) - length * view.scale) <= 17
        along = joined.mean(axis=1 - view.axis)
        assert (np.diff(along) >= 0).all(), "each pixel once, in order"

    def test_exact_sees_the_page_as_a_whole(self) -> None:
        view = detection_view(page(6000, 640), (6000, 640), 960, "max", exact=True)
        assert [tile.shape for tile in view.tiles] == [(960, 96, 3)]
