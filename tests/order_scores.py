"""Scores of a reading order: edit distance of the text, and Kendall's tau over the lines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein


def text_score(text: str, expected: str) -> float:
    """Return 1 - normalised edit distance."""
    return float(Levenshtein.normalized_similarity(text, expected))


def kendall_tau(order: Sequence[int], expected: Sequence[int]) -> float:
    """Return Kendall's tau of two permutations of the same lines; 1 for fewer than two lines."""
    if len(order) < 2:
        return 1.0
    rank = np.argsort(np.asarray(order))[np.asarray(expected)]
    before = np.triu(np.ones((len(rank), len(rank)), dtype=bool), 1)
    return float(np.sign(rank[None, :] - rank[:, None])[before].mean())
