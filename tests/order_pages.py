"""Drawn pages with a known reading order: boxes and texts of lines as detection gives them, without pictures.

Each layout is a function of a random generator. It writes lines in reading order; `drawn_page` then grows
the boxes as detection does, adds noise, breaks some lines in two, tilts the page and shuffles the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator

_ENGLISH_TEXT = (
    "the river ran low that summer and nobody in town could say when rain would come again so farmers met "
    "every evening at old mill to count what little water was left for their fields while children played "
    "with empty buckets near dry well under a sky without clouds as if nothing had changed since spring"
)
_ENGLISH_NOUNS = (
    "Apple Bread Coffee Dinner Envelope Flour Garden Hammer Invoice Jacket Kettle Lamp Milk Notebook"
)
_ARABIC_TEXT = "في ذلك الصباح خرج الرجل من بيته نحو السوق القديم حيث كان التجار يعرضون بضائعهم على الأرض"
LATIN, NOUNS, ARABIC = _ENGLISH_TEXT.split(), _ENGLISH_NOUNS.split(), _ARABIC_TEXT.split()
CHINESE = "春风吹过山谷河水向东流去孩子们在院里唱歌老人坐在门前天边有一片白云晚上月亮升起来"


@dataclass(frozen=True)
class DrawnLine:
    """A line: its box [x_min, y_min, x_max, y_max] in px, its text, and the row of text that it belongs
    to."""

    box: tuple[float, float, float, float]
    text: str
    row: int


@dataclass
class Sheet:
    """Lines of a page, written in reading order."""

    rng: Rng
    width: int = 1240
    height: int = 1754
    lines: list[DrawnLine] = field(default_factory=list)

    def write(
        self, text: str, x: float, y: float, size: float, *, same_row: bool = False, end: bool = False
    ) -> float:
        """Write a line of text at its top left corner (with `end`, its top right); return its length in
        px."""
        length = length_of(text) * size
        left = x - length if end else x
        row = self.lines[-1].row if same_row else (self.lines[-1].row + 1 if self.lines else 0)
        self.lines.append(DrawnLine((left, y, left + length, y + size), text, row))
        return length

    def write_vertical(self, text: str, x: float, y: float, size: float) -> None:
        """Write a vertical line with its top right corner at (x, y)."""
        row = self.lines[-1].row + 1 if self.lines else 0
        self.lines.append(DrawnLine((x - size, y, x, y + len(text) * size), text, row))

    def paragraph(
        self,
        x: float,
        y: float,
        width: float,
        count: int,
        size: float = 20,
        *,
        pitch: float = 1.35,
        words=LATIN,
    ) -> float:
        """Write a paragraph of `count` lines; the last one is short. Return the y below it."""
        rtl = words is ARABIC
        for number in range(count):
            share = self.rng.uniform(0.3, 0.9) if number == count - 1 else self.rng.uniform(0.93, 1.0)
            text = prose(self.rng, width * share / size, words, starts=number == 0)
            self.write(text, x + width if rtl else x, y, size, end=rtl)
            y += pitch * size
        return y + self.rng.choice([0.0, 0.5, 0.8]) * size

    def column(
        self, x: float, y: float, width: float, bottom: float, size: float = 20, words=LATIN, pitch=1.35
    ) -> float:
        """Fill a column with paragraphs down to `bottom`."""
        while y + 3 * pitch * size < bottom:
            fits = int((bottom - y) / (pitch * size))
            y = self.paragraph(
                x, y, width, min(fits, int(self.rng.integers(3, 9))), size, pitch=pitch, words=words
            )
        return y


def length_of(text: str) -> float:
    """Length of a text in multiples of its size."""
    return sum(1.0 if character > "\u2e80" else 0.5 for character in text)


def prose(rng: Rng, length: float, words: Sequence[str] = LATIN, *, starts: bool = False) -> str:
    """Running text of a length in multiples of its size: at most that, and less than a word shorter."""
    if words is CHINESE:
        start = rng.integers(len(CHINESE))
        return "".join(CHINESE[(start + k) % len(CHINESE)] for k in range(max(1, int(length))))
    text, sentence = "", starts
    while True:
        word = str(rng.choice(words))
        word = word.capitalize() if sentence else word
        sentence = rng.random() < 0.12
        word += "." if sentence else ""
        longer = f"{text} {word}".strip()
        if text and length_of(longer) > length:
            return text
        text = longer


def price(rng: Rng) -> str:
    return f"{rng.integers(1, 200)}.{rng.integers(0, 100):02d}"


# The layouts.


def one_column(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 16).title(), 120, 110, 40)
    bottom = sheet.column(120, 190, 1000, 1550)
    sheet.write(f"{sheet.rng.integers(1, 400)}", 610, max(bottom, 1550) + 60, 20)


def two_columns(sheet: Sheet) -> None:
    rng = sheet.rng
    if rng.random() < 0.5:
        sheet.write(prose(rng, 14).title(), 100, 50, 18)
    sheet.write(prose(rng, 22).title(), rng.uniform(100, 250), 110, 40)
    gutter = rng.uniform(40, 80)
    width = (1040 - gutter) / 2
    offset = rng.choice([0.0, 9.0])
    sheet.column(100, 190, width, 1540)
    sheet.column(100 + width + gutter, 190 + offset, width, rng.uniform(900, 1540))
    sheet.write(f"- {rng.integers(1, 99)} -", rng.choice([100, 600, 1080]), 1640, 18)


def two_columns_with_footnotes(sheet: Sheet) -> None:
    width, right = 490, 650
    sheet.write(prose(sheet.rng, 20).title(), 100, 100, 38)
    sheet.column(100, 180, width, 1440)
    sheet.column(right, 180, width, 1540)
    sheet.write("1 " + prose(sheet.rng, 26, starts=True), 100, 1500, 15)
    sheet.write(prose(sheet.rng, 24), 100, 1520, 15)
    sheet.write("2 " + prose(sheet.rng, 20, starts=True), 100, 1540, 15)
    sheet.write(f"{sheet.rng.integers(2, 99)}", 610, 1640, 18)


def three_columns(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 18).title(), 90, 90, 56)
    sheet.write(prose(sheet.rng, 40, starts=True), 90, 170, 26)
    for number in range(3):
        x = 90 + number * 365
        y = 240 + float(sheet.rng.choice([0.0, 7.0]))
        if sheet.rng.random() < 0.5:
            sheet.write(prose(sheet.rng, 9).title(), x, y, 28)
            y += 50
        sheet.column(x, y, 325, sheet.rng.uniform(1200, 1600), 18)


def two_sections(sheet: Sheet) -> None:
    """Two stories of two columns, each below a heading of its own."""
    y = 100.0
    for _ in range(2):
        sheet.write(prose(sheet.rng, 24).title(), 100, y, 34)
        bottom = y + 650
        sheet.column(100, y + 60, 490, bottom)
        sheet.column(650, y + 60, 490, bottom)
        y = bottom + 70


def ragged_columns(sheet: Sheet) -> None:
    """Short ragged lines on common base lines, widely spaced, as in report F11."""
    for x in (60, 760):
        for number in range(int(sheet.rng.integers(5, 8))):
            sheet.write(
                prose(sheet.rng, sheet.rng.uniform(9, 13), starts=number == 0), x, 80 + 90 * number, 34
            )


def sidebar(sheet: Sheet) -> None:
    rng = sheet.rng
    sheet.write(prose(rng, 20).title(), 100, 100, 40)
    left_side = rng.random() < 0.5
    main_x, side_x = (460, 100) if left_side else (100, 840)
    main = (main_x, 190, 690, 1600)
    side = (side_x, 200 + rng.uniform(0, 12), 300, 700 + rng.uniform(0, 300))
    for (x, y, width, bottom), size in sorted([(main, 20), (side, 16)]):
        sheet.column(x, y, width, bottom, size)


def quote_inset(sheet: Sheet) -> None:
    """Three columns with a caption across the last two in the middle of the page."""
    sheet.write(prose(sheet.rng, 18).title(), 90, 90, 50)
    sheet.column(90, 200, 325, 1560, 18)
    for y, bottom in ((207, 800), (900, 1560)):
        if y > 500:
            sheet.write(prose(sheet.rng, 24, starts=True), 455, 840, 27)
        sheet.column(455, y, 325, bottom, 18)
        sheet.column(820, y, 325, bottom, 18)


def table_rows(sheet: Sheet, y: float, lefts: Sequence[float], count: int, size: float = 20) -> float:
    rng = sheet.rng
    for number in range(count):
        for column, x in enumerate(lefts):
            if column and rng.random() < 0.08:
                continue
            text = (
                " ".join(rng.choice(NOUNS, int(rng.integers(1, 4))))
                if column == 0 or not number
                else price(rng)
            )
            sheet.write(text[:22] if column == 0 else text[:10], x, y, size, same_row=column > 0)
        y += 1.7 * size
    return y


def table_page(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 14).title(), 120, 110, 36)
    y = sheet.paragraph(120, 190, 1000, int(sheet.rng.integers(3, 7)))
    columns = int(sheet.rng.integers(3, 6))
    y = table_rows(sheet, y + 40, [120, *(450 + 650 / columns * k for k in range(1, columns))], 9)
    sheet.column(120, y + 40, 1000, y + 350)


def table_in_column(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 20).title(), 100, 100, 38)
    y = sheet.column(100, 180, 490, 700)
    y = table_rows(sheet, y + 30, [100, 400, 510], 7, 17)
    sheet.column(100, y + 30, 490, 1540)
    sheet.column(650, 187, 490, 1540)


def text_table(sheet: Sheet) -> None:
    """A table whose cells are short texts on common base lines."""
    rng = sheet.rng
    sheet.write(prose(rng, 12).title(), 120, 110, 34)
    for number in range(int(rng.integers(6, 12))):
        for column, x in enumerate((120, 480, 840)):
            text = " ".join(rng.choice(NOUNS, int(rng.integers(1, 3))))
            sheet.write(text[:20], x, 200 + 44 * number, 20, same_row=column > 0)


def receipt(sheet: Sheet) -> None:
    rng = sheet.rng
    sheet.width, sheet.height = 700, 1500
    for number, size in enumerate((34, 20, 20, 20)):
        text = prose(rng, 14 if number else 9).upper()
        sheet.write(text, 350 - length_of(text) * size / 2, 40 + 42 * number, size)
    y = 230.0
    sheet.write(f"Date: {rng.integers(1, 28)}/04/2018", 40, y, 20)
    sheet.write("14:22:07", 660, y, 20, same_row=True, end=True)
    for _ in range(int(rng.integers(4, 14))):
        y += 34
        sheet.write(" ".join(rng.choice(NOUNS, int(rng.integers(1, 3)))).upper(), 40, y, 20)
        if rng.random() < 0.4:
            y += 28
            sheet.write(f"{rng.integers(1, 9)} x {price(rng)}", 70, y, 20)
        sheet.write(price(rng), 660, y, 20, same_row=True, end=True)
    y += 30
    for label in ("Subtotal", "GST 6%", "Rounding", "TOTAL", "Cash", "Change"):
        y += 34
        sheet.write(label, 40, y, 20)
        sheet.write(price(rng), 660, y, 20, same_row=True, end=True)
    text = "Thank you, please come again"
    sheet.write(text, 350 - length_of(text) * 10, y + 70, 20)


def form(sheet: Sheet) -> None:
    rng = sheet.rng
    colon = rng.choice([":", ""])
    sheet.write("Application For A Library Card", 120, 110, 34)
    names = "First name|Family name|Date of birth|Street and number|Town|Country|Telephone|Signature"
    for number, label in enumerate(names.split("|")):
        y = 210 + 60 * number
        sheet.write(f"{label}{colon}", 120, y, 20)
        sheet.write(
            " ".join(rng.choice(NOUNS, int(rng.integers(1, 4)))),
            420,
            y + rng.uniform(-2, 2),
            22,
            same_row=True,
        )


def menu(sheet: Sheet) -> None:
    """A price list with leaders left out: dishes at the left, prices at the right."""
    rng = sheet.rng
    for section in range(3):
        y = 120 + 420 * section
        sheet.write(str(rng.choice(NOUNS)).upper(), 120, y, 34)
        for number in range(int(rng.integers(4, 8))):
            sheet.write(prose(rng, 16, starts=True), 120, y + 60 + 45 * number, 22)
            sheet.write(price(rng), 1000, y + 60 + 45 * number, 22, same_row=True)


def double_menu(sheet: Sheet) -> None:
    """Two price lists side by side."""
    rng = sheet.rng
    sheet.write("TODAY'S DISHES", 450, 80, 40)
    for x in (90, 680):
        for number in range(8):
            sheet.write(" ".join(rng.choice(NOUNS, 2)), x, 180 + 50 * number, 22)
            sheet.write(price(rng), x + 390, 180 + 50 * number, 22, same_row=True)


def addresses(sheet: Sheet) -> None:
    """A letter with two address blocks side by side above its text."""
    rng = sheet.rng
    for x, y in ((120, 120), (760, 127)):
        for number in range(4):
            text = (
                " ".join(rng.choice(NOUNS, 2)) if number < 3 else f"{rng.integers(10000, 99999)} Springfield"
            )
            sheet.write(text, x, y + 30 * number, 20)
    sheet.column(120, 330, 1000, 1200)


def numbered_list(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 14).title(), 120, 110, 36)
    y = 200.0
    for number in range(1, 9):
        sheet.write(f"{number}.", 120, y, 20)
        for line in range(int(sheet.rng.integers(1, 4))):
            sheet.write(prose(sheet.rng, 45, starts=line == 0), 175, y, 20, same_row=line == 0)
            y += 28
        y += 12


def vertical_chinese(sheet: Sheet) -> None:
    sheet.width, sheet.height = 1400, 1000
    if sheet.rng.random() < 0.4:
        sheet.write(prose(sheet.rng, 6, CHINESE), 500, 50, 44)
    top = 150.0
    size = 36
    for number in range(int(sheet.rng.integers(4, 16))):
        sheet.write_vertical(
            prose(sheet.rng, sheet.rng.uniform(5, 20), CHINESE), 1300 - 70 * number, top, size
        )


def vertical_tiers(sheet: Sheet) -> None:
    """Two tiers of vertical columns, as in newspapers: the upper one is read first."""
    for top in (100.0, 950.0):
        for number in range(15):
            length = 6 if number == 14 else 23
            sheet.write_vertical(prose(sheet.rng, length, CHINESE), 1140 - 65 * number, top, 32)


def arabic(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 12, ARABIC), 1120, 110, 40, end=True)
    sheet.column(120, 190, 1000, 1500, words=ARABIC)


def arabic_columns(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 20, ARABIC), 1120, 110, 40, end=True)
    offset = sheet.rng.choice([0.0, 9.0])
    sheet.column(650, 190, 490, 1500, words=ARABIC)
    sheet.column(100, 190 + offset, 490, 1400, words=ARABIC)


def arabic_prices(sheet: Sheet) -> None:
    for number in range(9):
        y = 120 + 50 * number
        sheet.write(prose(sheet.rng, 8, ARABIC), 1100, y, 24, end=True)
        sheet.write(price(sheet.rng), 150, y, 24, same_row=True)


def chinese_columns(sheet: Sheet) -> None:
    sheet.write(prose(sheet.rng, 12, CHINESE), 120, 110, 44)
    offset = sheet.rng.choice([0.0, 9.0])
    sheet.column(100, 200, 490, 1500, words=CHINESE)
    sheet.column(650, 200 + offset, 490, 1500, words=CHINESE)


def newspaper(sheet: Sheet) -> None:
    """Four columns: one headline over all of them, and one over the last two in the middle of the page."""
    width, lefts = 245, [80 + 280 * number for number in range(4)]
    sheet.write(prose(sheet.rng, 24).title(), 80, 80, 46)
    for x in lefts[:2]:
        sheet.column(x, 180, width, 1580, 16)
    for x in lefts[2:]:
        sheet.column(x, 180, width, 760, 16)
    sheet.write(prose(sheet.rng, 17).title(), lefts[2], 800, 28)
    for x in lefts[2:]:
        sheet.column(x, 850, width, 1580, 16)


def letter(sheet: Sheet) -> None:
    """The sender at the top right, the recipient below on the left, and the date on the right."""
    sender = ("Hartwell and Sons Ltd", "14 Mill Lane", "Bristol BS1 4QD", "Phone 0117 496 0112")
    recipient = ("Ms Eleanor Vance", "Vance Bookshop", "7 Harbour Street", "Plymouth PL1 2AB")
    for x, top, texts in ((820, 80, sender), (120, 320, recipient)):
        for number, text in enumerate(texts):
            sheet.write(text, x, top + 28 * number, 20)
    sheet.write("12 March 2024", 900, 470, 20)
    sheet.write("Dear Ms Vance,", 120, 600, 20)
    y = sheet.paragraph(120, 645, 1000, 6)
    y = sheet.paragraph(120, y + 10, 1000, 5)
    sheet.write("Yours sincerely,", 120, y + 30, 20)


def invoice(sheet: Sheet) -> None:
    """Reference numbers, a table whose items have a second line, and totals on the right."""
    rng = sheet.rng
    sheet.write("INVOICE", 120, 90, 44)
    for number, (label, value) in enumerate((("Invoice number", "2024-0311"), ("Date", "12 March 2024"))):
        sheet.write(label, 700, 180 + 32 * number, 20)
        sheet.write(value, 960, 180 + 32 * number, 20, same_row=True)
    y = 340.0
    for _ in range(int(rng.integers(4, 9))):
        sheet.write(" ".join(rng.choice(NOUNS, 2)), 120, y, 20)
        sheet.write(str(rng.integers(1, 9)), 700, y, 20, same_row=True)
        for right in (940, 1120):
            sheet.write(price(rng), right, y, 20, same_row=True, end=True)
        if rng.random() < 0.4:
            y += 26
            sheet.write(prose(rng, 14), 120, y, 17)
        y += 40
    for label in ("Subtotal", "VAT 20 %", "Total"):
        sheet.write(label, 840, y + 20, 20)
        sheet.write(price(rng), 1120, y + 20, 20, same_row=True, end=True)
        y += 36
    sheet.write("Payment within 14 days without deduction to the account below.", 120, y + 80, 18)


def contents(sheet: Sheet) -> None:
    """Entries with dot leaders and page numbers, on two levels."""
    sheet.write("Contents", 120, 90, 40)
    y, page = 180.0, 3
    for chapter in range(1, 8):
        for section in range(int(sheet.rng.integers(1, 5))):
            title = f"{chapter}.{section} {prose(sheet.rng, 14).capitalize()} {'.' * 45}"
            sheet.write(title, 120 if section == 0 else 170, y, 20)
            sheet.write(str(page), 1120, y, 20, same_row=True, end=True)
            y, page = y + 32, page + int(sheet.rng.integers(1, 9))


def table_across_columns(sheet: Sheet) -> None:
    """A table across two columns; one of its gutters lies in the gutter of the columns."""
    sheet.write(prose(sheet.rng, 20).title(), 100, 80, 38)
    for x in (100, 650):
        sheet.column(x, 160, 490, 560)
    y = table_rows(sheet, 640, [100, 430, 640, 850, 1040], 8)
    for x in (100, 650):
        sheet.column(x, y + 60, 490, 1600)


def vertical_with_number(sheet: Sheet) -> None:
    """Vertical columns below a horizontal headline, with a page number below one of the columns."""
    sheet.write(prose(sheet.rng, 14, CHINESE), 200, 80, 50)
    for number in range(16):
        length = 12 if number == 15 else 30
        sheet.write_vertical(prose(sheet.rng, length, CHINESE), 1150 - 64 * number, 200, 32)
    sheet.write(str(sheet.rng.integers(2, 400)), 610, 1660, 20)


LAYOUTS: dict[str, Callable[[Sheet], None]] = {
    layout.__name__: layout
    for layout in (
        one_column,
        two_columns,
        two_columns_with_footnotes,
        three_columns,
        two_sections,
        ragged_columns,
        sidebar,
        quote_inset,
        table_page,
        table_in_column,
        text_table,
        receipt,
        form,
        menu,
        double_menu,
        addresses,
        numbered_list,
        vertical_chinese,
        vertical_tiers,
        arabic,
        arabic_columns,
        arabic_prices,
        chinese_columns,
        newspaper,
        letter,
        invoice,
        contents,
        table_across_columns,
        vertical_with_number,
    )
}


@dataclass(frozen=True)
class DrawnPage:
    """A page in PaddleX's terms, and its reading order.

    Attributes:
        layout: name of the layout.
        tilt_degrees: how far the page is tilted, clockwise.
        size: height and width in px.
        quads: float64 [n, 4, 2].
        texts: n texts.
        order: the indices of the lines in reading order.
        rows: the row of text of each line of `order`.
    """

    layout: str
    tilt_degrees: float
    size: tuple[int, int]
    quads: NDArray[np.float64]
    texts: list[str]
    order: list[int]
    rows: list[int]

    @property
    def text(self) -> str:
        """The text in reading order, one row per line."""
        return row_text(self.texts, self.order, self.rows)


def row_text(texts: Sequence[str], order: Sequence[int], rows: Sequence[int]) -> str:
    """Join texts in an order: a space between texts of one row, a line feed between rows."""
    pieces: list[str] = []
    for position, index in enumerate(order):
        if position:
            pieces.append(" " if rows[position] == rows[position - 1] else "\n")
        pieces.append(texts[index])
    return "".join(pieces)


def drawn_page(layout: str, seed: int, tilt_degrees: float) -> DrawnPage:
    """Draw a page of a layout, as detection would give it."""
    rng = np.random.default_rng([seed, *map(ord, layout)])
    sheet = Sheet(rng)
    LAYOUTS[layout](sheet)
    lines = list(_broken(rng, sheet.lines))
    growth = rng.uniform(0.0, 0.3)
    boxes = np.array([line.box for line in lines])
    sizes = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    boxes += (growth / 2 * sizes)[:, None] * [-1, -1, 1, 1]
    boxes += rng.uniform(-0.04, 0.04, boxes.shape) * sizes[:, None]
    quads = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    quads = tilted(quads, (sheet.height, sheet.width), tilt_degrees)
    shuffled = rng.permutation(len(lines))
    order = np.argsort(shuffled)
    return DrawnPage(
        layout,
        tilt_degrees,
        (sheet.height, sheet.width),
        quads[shuffled],
        [lines[index].text for index in shuffled],
        order.tolist(),
        [line.row for line in lines],
    )


def tilted(quads: NDArray[np.float64], size: tuple[int, int], degrees: float) -> NDArray[np.float64]:
    """Turn quads clockwise about the centre of a page of (height, width)."""
    angle = np.deg2rad(degrees)
    center = np.array([size[1], size[0]]) / 2
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turned: NDArray[np.float64] = (quads - center) @ turn + center
    return turned


def _broken(rng: Rng, lines: Sequence[DrawnLine], share: float = 0.04) -> Iterator[DrawnLine]:
    """Break some lines of text from left to right in two, at a space, as detection does now and then."""
    for line in lines:
        left, top, right, bottom = line.box
        words = line.text.split(" ")
        is_latin = all(character < "\u0370" for character in line.text)
        if len(words) < 4 or not is_latin or rng.random() >= share:
            yield line
            continue
        count = int(rng.integers(1, len(words)))
        first, second = " ".join(words[:count]), " ".join(words[count:])
        size = bottom - top
        yield DrawnLine((left, top, left + length_of(first) * size, bottom), first, line.row)
        yield DrawnLine((right - length_of(second) * size, top, right, bottom), second, line.row)
