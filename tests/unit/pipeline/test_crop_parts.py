"""Large pages go to the crop stage in parts, with the same lines as from the whole page."""

import numpy as np
import pytest
from fake_models import FakeModels
from scripted_pages import ALL_ON, HEIGHT, WIDTH, box, page_with, read

from tritonocr_backend.core.contracts import CROP
from tritonocr_backend.pipeline import line_reading

ROWS = [(box(20 + 60 * (row % 3), 20 + 50 * row), 200 - 10 * row, 100) for row in range(12)]
SLANTED = [[30, 300], [250, 330], [247, 354], [27, 324]]
PAGE = page_with(*ROWS)


@pytest.mark.parametrize("max_pixels", [1, 40_000, 100_000])
@pytest.mark.parametrize("options", [{}, ALL_ON])
def test_parts_give_the_lines_of_the_whole_page(
    monkeypatch: pytest.MonkeyPatch, max_pixels: int, options: dict[str, bool]
) -> None:
    quads = [quad for quad, _, _ in ROWS] + [SLANTED]
    options = {**options, "use_doc_unwarping": False, "return_word_box": True, "return_char_box": True}
    whole = read(FakeModels(quads), PAGE, **options)
    monkeypatch.setattr(line_reading, "MAX_CROP_PIXELS", max_pixels)
    models = FakeModels(quads)
    parted = read(models, PAGE, **options)
    assert [(line.box_index, line.text, line.score) for line in parted.lines] == [
        (line.box_index, line.text, line.score) for line in whole.lines
    ]
    for line, expected in zip(parted.lines, whole.lines, strict=True):
        pairs = zip(line.words + line.characters, expected.words + expected.characters, strict=True)
        assert all(np.abs(one.quad - other.quad).max() <= 1 for one, other in pairs)
    assert (parted.line_angles == whole.line_angles).all()
    sizes = [inputs["image"].shape[:2] for model, inputs in models.calls if model == CROP]
    assert len(sizes) > 1
    assert max(height * width for height, width in sizes) < HEIGHT * WIDTH


def test_exact_gives_the_whole_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_reading, "MAX_CROP_PIXELS", 1)
    models = FakeModels([quad for quad, _, _ in ROWS])
    read(models, PAGE, exact=True)
    assert [inputs["image"].shape for model, inputs in models.calls if model == CROP] == [PAGE.shape]
