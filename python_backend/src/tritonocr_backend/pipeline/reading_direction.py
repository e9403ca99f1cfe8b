"""Put the characters of a right-to-left line in the order in which they are read.

A network returns characters from left to right. Unicode's bidirectional algorithm (UAX #9) turns reading
order into the order on the page. Applied to the order on the page, it returns reading order; PaddleX uses it
in this way, too.
"""

from __future__ import annotations

from bidi import algorithm
from bidi.algorithm import bidirectional

_RIGHT_TO_LEFT = frozenset({"R", "AL"})


def logical_order(text: str) -> list[tuple[str, int]]:
    """Return the characters of a line in the order in which they are read.

    A line with a letter of a right-to-left script runs from right to left as a whole; PaddleX lets the letter
    that stands first on the page decide, which misplaces a Latin word at the end of an Arabic line. A line
    without such a letter stays as it is.

    Args:
        text: the characters from left to right.

    Returns:
        Each character, with mirrored brackets where the page shows them mirrored, and its index in `text`.
    """
    if not any(bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return [(character, index) for index, character in enumerate(text)]
    # bidi.get_display() in its steps, since it does not say where a character came from.
    storage = algorithm.get_empty_storage()
    storage.update(base_level=algorithm.PARAGRAPH_LEVELS["R"], base_dir="R")
    algorithm.get_embedding_levels(text, storage)
    for index, character in enumerate(storage["chars"]):
        character["index"] = index
    for step in (
        algorithm.explicit_embed_and_overrides,
        algorithm.resolve_weak_types,
        algorithm.resolve_neutral_types,
        algorithm.resolve_implicit_levels,
        algorithm.reorder_resolved_levels,
        algorithm.apply_mirroring,
    ):
        step(storage, False)
    return [(character["ch"], character["index"]) for character in storage["chars"]]
