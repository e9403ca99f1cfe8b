"""Text that is too small for detection at the scale at which detection sees the page.

Detection finds lines down to about 5 px of height in its map. The boxes of such lines, which are grown around
the text, have a short side of 12 px. Where the boxes of a page are as small as that, or where a page that was
shrunk far seems to be empty, detection looks again at a finer scale.
"""

from __future__ import annotations

import numpy as np

from tritonocr_backend.core.arrays import Quads
from tritonocr_backend.core.page_messages import PageWarning

SMALL_BOX_PX = 13
"""Text is too small if the median short side of the boxes in the map is below this."""

SUSPICIOUS_SCALE = 0.25
"""If no text is found at a scale below this value, detection runs again."""

FINER = 2.5
"""Ratio of the scales of the second and the first detection."""


def is_too_small(quads: Quads, scale: float) -> bool:
    """Return whether detection probably missed text because of its size.

    Args:
        quads: int32 [n, 4, 2], the boxes found, in pixels of the page.
        scale: pixels of the map per pixel of the page.
    """
    if not len(quads):
        return scale < SUSPICIOUS_SCALE
    sides = np.linalg.norm(np.diff(quads[:, :3].astype(np.float64), axis=1), axis=2)  # top and right side
    return bool(scale < 1 and np.median(sides.min(axis=1)) * scale < SMALL_BOX_PX)


def small_text_warning(scale: float) -> PageWarning:
    """Return the warning that lines may be missing at this scale of detection."""
    return PageWarning(
        "text_too_small",
        f"detection processed the page at 1/{1 / scale:.1f} of its size, where text is too small to be found "
        "reliably; expected a larger text_det_limit_side_len or a part of the page",
    )
