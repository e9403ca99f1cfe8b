"""The ground truth of the corpus' receipts: quads and texts of lines, in the order of their annotation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def receipt_lines(csv: Path) -> tuple[NDArray[np.float64], list[str]]:
    """Return the quads [n, 4, 2] and the texts of a receipt; each line of the file is x1,y1,…,x4,y4,text."""
    rows = [line.split(",", 8) for line in csv.read_text("utf-8", errors="replace").splitlines()]
    rows = [row for row in rows if len(row) == 9]
    quads = np.array([[float(value) for value in row[:8]] for row in rows]).reshape(-1, 4, 2)
    return quads, [row[8] for row in rows]
