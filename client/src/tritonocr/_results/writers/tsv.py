"""TSV with the columns of `tesseract … tsv`: one row per page, block, paragraph, line and word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..page_text import PageText, PlacedText

COLUMNS = (
    *("level", "page_num", "block_num", "par_num", "line_num", "word_num"),
    *("left", "top", "width", "height", "conf", "text"),
)
_PAGE, _BLOCK, _PARAGRAPH, _LINE, _WORD = 1, 2, 3, 4, 5
_NO_CONFIDENCE = "-1"


def write(pages: Iterable[PageText]) -> Iterator[str]:
    """Yield the header, then the rows of each page. Each block is one paragraph."""
    yield "\t".join(COLUMNS) + "\n"
    for page in pages:
        yield "".join("\t".join(map(str, row)) + "\n" for row in _rows(page))


def _rows(page: PageText) -> Iterator[list[object]]:
    box = 0, 0, page.width, page.height
    yield [_PAGE, page.number, 0, 0, 0, 0, *box, _NO_CONFIDENCE, ""]
    for block_number, block in enumerate(page.blocks, 1):
        place = [page.number, block_number]
        box = size_of(union_box(block.lines))
        yield [_BLOCK, *place, 0, 0, 0, *box, _NO_CONFIDENCE, ""]
        yield [_PARAGRAPH, *place, 1, 0, 0, *box, _NO_CONFIDENCE, ""]
        for line_number, line in enumerate(block.lines, 1):
            yield [_LINE, *place, 1, line_number, 0, *size_of(line.box), _NO_CONFIDENCE, ""]
            for word_number, word in enumerate(line.words, 1):
                confidence = f"{100 * word.score:.6f}"
                text = "".join(character if character.isprintable() else " " for character in word.text)
                yield [_WORD, *place, 1, line_number, word_number, *size_of(word.box), confidence, text]


def union_box(texts: Sequence[PlacedText]) -> tuple[int, int, int, int]:
    """Return the rectangle around all texts: xmin, ymin, xmax, ymax."""
    left, top, right, bottom = zip(*(text.box for text in texts), strict=True)
    return min(left), min(top), max(right), max(bottom)


def size_of(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Return left, top, width and height of a rectangle."""
    left, top, right, bottom = box
    return left, top, right - left, bottom - top
