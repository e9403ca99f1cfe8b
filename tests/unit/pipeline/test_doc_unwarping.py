"""Flattening pages: which pages count as flat, their margins, and the sampling."""

import tracemalloc

import cv2
import numpy as np
import pytest
from fake_models import STRAIGHT_GRID
from numpy.typing import NDArray

from tritonocr_backend.documents.pages import Page
from tritonocr_backend.pipeline.doc_unwarping import cover_whole_page, flatten, is_flat, sample
from tritonocr_backend.pipeline.page_transform import PageTransform, to_input

SIZE = (1754, 1240)
U, V = np.meshgrid(np.linspace(-1, 1, 31), np.linspace(-1, 1, 45))


def grid(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.stack([x, y]).astype(np.float32)


def arc(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.cos(values * np.pi / 2))


def noise(height: int, width: int) -> NDArray[np.uint8]:
    """A smooth random page."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


FLAT_GRIDS = [
    pytest.param(STRAIGHT_GRID, id="cut margins"),
    pytest.param(grid(0.8 * U + 0.05 * V, 0.8 * V + 0.1 * U), id="tilted"),
    pytest.param(grid(0.8 * U * (1 + 0.2 * V), 0.85 * V), id="seen from below: lines stay straight"),
    pytest.param(grid(0.9 * U + 0.1 * arc(V), 0.9 * V), id="bent around a horizontal axis"),
    pytest.param(grid(0.9 * U, 0.9 * V + 0.05 * (U > 0.9) * (V > 0.9)), id="noise in a corner"),
]
BENT_GRIDS = [
    pytest.param(grid(0.9 * U, 0.9 * V + 0.02 * arc(U)), id="a book: lines bow by 1 % of the height"),
    pytest.param(grid(0.9 * U, 0.9 * V + 0.02 * np.sin(np.pi * U)), id="a wave"),
    pytest.param(grid(0.9 * U, 0.9 * V + 0.1 * V * arc(U)), id="lines bow up above and down below"),
    pytest.param(grid(0.8 * U, 0.8 * V + 0.1 * np.maximum(U + V - 0.5, 0) ** 2), id="a curled corner"),
]


class TestDecision:
    @pytest.mark.parametrize("flat", FLAT_GRIDS)
    def test_straight_lines_are_flat(self, flat: NDArray[np.float32]) -> None:
        assert is_flat(flat, SIZE)
        page = Page(noise(*SIZE), SIZE)
        assert flatten(page, flat, exact=False) == (page, None)

    @pytest.mark.parametrize("bent", BENT_GRIDS)
    def test_bowed_lines_are_not(self, bent: NDArray[np.float32]) -> None:
        assert not is_flat(bent, SIZE)
        page = Page(noise(*SIZE), SIZE)
        flat, used = flatten(page, bent, exact=False)
        assert used is not None
        assert flat.pixels.shape[:2] == flat.size

    @pytest.mark.parametrize("size", [(60, 20000), (20000, 60)])
    def test_a_strip_cannot_be_judged_and_counts_as_flat(self, size: tuple[int, int]) -> None:
        assert is_flat(BENT_GRIDS[0].values[0], size)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "broken",
        [
            pytest.param(grid(-U, V + 0.1 * arc(U)), id="mirrored"),
            pytest.param(grid(0 * U, V + 0.1 * arc(U)), id="all in one column"),
        ],
    )
    def test_a_grid_that_is_no_page_is_not_used(self, broken: NDArray[np.float32]) -> None:
        page = Page(noise(*SIZE), SIZE)
        assert flatten(page, broken, exact=False) == (page, None)


class TestWholePage:
    @pytest.mark.parametrize("bent", BENT_GRIDS)
    def test_every_place_of_the_page_is_on_the_flat_page(self, bent: NDArray[np.float32]) -> None:
        covering = cover_whole_page(bent, SIZE)
        assert covering is not None
        whole, (height, width) = covering
        edge = np.array([*whole[:, 0].T, *whole[:, -1].T, *whole[:, :, 0].T, *whole[:, :, -1].T])
        hull = cv2.convexHull(edge.astype(np.float32))
        corners = [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]
        assert min(cv2.pointPolygonTest(hull, corner, measureDist=True) for corner in corners) >= -0.01
        assert height * width <= 1.5 * SIZE[0] * SIZE[1]

    def test_the_grid_is_the_networks_own_where_that_has_one(self) -> None:
        """A point of the network's grid keeps its place, wherever it is on the larger flat page."""
        bent = BENT_GRIDS[0].values[0]
        covering = cover_whole_page(bent, SIZE)  # type: ignore[arg-type]
        assert covering is not None
        whole, _ = covering
        centre = whole[:, whole.shape[1] // 2, whole.shape[2] // 2]
        assert np.abs(centre - bent[:, 22, 15]).max() < 0.05  # type: ignore[index,call-overload]


class TestSampling:
    @pytest.mark.parametrize(
        "size",
        [
            pytest.param((64, 48), id="small"),
            pytest.param((1, 1), id="one pixel"),
            pytest.param((20, 40_000), id="wider than cv2.remap takes"),
            pytest.param((40_000, 20), id="taller than cv2.remap takes"),
        ],
    )
    def test_a_grid_of_no_change_gives_the_page(self, size: tuple[int, int]) -> None:
        page = noise(*size)
        assert (sample(page, grid(U, V), size) == page).all()

    def test_a_grid_of_no_change_gives_the_page_in_paddlexs_way_too(self) -> None:
        page = noise(64, 48)
        assert (sample(page, grid(U, V), (64, 48), exact=True) == page).all()

    @pytest.mark.parametrize(
        ("exact", "tolerance"),
        [
            pytest.param(True, 1.01, id="PaddleX truncates"),
            pytest.param(False, 4, id="OpenCV rounds places to 1/32 px"),
        ],
    )
    def test_is_bilinear(self, exact: bool, tolerance: float) -> None:
        page = noise(200, 150)
        bent = grid(0.9 * U, 0.9 * V + 0.05 * arc(U))
        flat = sample(page, bent, (200, 150), exact=exact)
        y, x = 60, 40
        at_x, at_y = to_input(np.array([x + 0.5, y + 0.5]), PageTransform((200, 150), 0, bent, (200, 150)))
        left, top = int(at_x - 0.5), int(at_y - 0.5)
        right, down = at_x - 0.5 - left, at_y - 0.5 - top
        patch = page[top : top + 2, left : left + 2].astype(float)
        rows = patch[0] * (1 - down) + patch[1] * down
        expected = rows[0] * (1 - right) + rows[1] * right
        assert np.abs(flat[y, x] - expected).max() < tolerance

    def test_places_beyond_the_page_are_black_as_in_paddlex(self) -> None:
        flat = sample(noise(64, 48), grid(3 * U, 3 * V), (64, 48), exact=True)
        assert not flat[:5].any()
        assert flat[30, 24].any()

    def test_memory_beside_the_two_pages_is_bounded(self) -> None:
        """Issue: the graph took 54 bytes per pixel, 7 GB for a page of 134 megapixels."""
        page = noise(4000, 3000)
        tracemalloc.start()
        flat = sample(page, grid(0.9 * U, 0.9 * V + 0.05 * arc(U)), (4000, 3000))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < flat.nbytes + 24_000_000


class TestRoundTrip:
    @pytest.mark.parametrize("angle", [0, 90, 180, 270])
    @pytest.mark.parametrize("reduction", [1, 2])
    def test_a_dot_on_the_flat_page_maps_back_to_its_place(self, angle: int, reduction: int) -> None:
        """The tolerance is 2 px of the page as given: the promise of `coordinates=input`."""
        size = (1000, 800) if angle % 180 else (800, 1000)
        turned_size = (800, 1000)
        bent = grid(0.85 * U + 0.02 * arc(V), 0.85 * V + 0.06 * arc(U))
        page = np.zeros((*turned_size, 3), np.uint8)
        places = [(150, 120), (840, 130), (500, 400), (180, 690), (850, 660)]
        for x, y in places:
            cv2.circle(page, (x, y), 7, (255, 255, 255), -1)
        given = np.rot90(page, -(angle // 90)).copy()
        expected = [self.turned(place, angle, given.shape[:2]) for place in places]
        small = Page.reduced(page, lambda _: reduction)
        flat, used = flatten(small, bent, exact=False)
        transform = PageTransform(size, angle, used, flat.size, reduction)
        _, _, _, centroids = cv2.connectedComponentsWithStats((flat.pixels[..., 0] > 127).astype(np.uint8))
        mapped = to_input((centroids[1:] + 0.5) * reduction, transform)
        assert len(mapped) == len(places)
        for place in expected:
            assert np.linalg.norm(mapped - place, axis=1).min() < 2

    @staticmethod
    def turned(place: tuple[int, int], angle: int, size: tuple[int, ...]) -> NDArray[np.float64]:
        """Where a place on the upright page is on the page as given, found by turning a picture of it."""
        height, width = size if angle % 180 == 0 else size[::-1]
        picture = np.zeros((height, width), np.uint8)
        picture[place[1], place[0]] = 1
        y, x = np.argwhere(np.rot90(picture, -(angle // 90)))[0]
        return np.array([x + 0.5, y + 0.5])
