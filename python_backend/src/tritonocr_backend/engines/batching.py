"""Run images of many requests and sizes through one engine, in few batches and on all of its streams.

Triton's batcher joins only adjacent requests of equal size. A recognition model accepts lines of any width,
and the `Batcher` joins lines of equal width from all pages.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tritonocr_backend.core.arrays import Image
from tritonocr_backend.engines.base import Engine

MOST_IMAGES = 64
"""Largest batch for an engine without preferred batch sizes."""

Outputs = list[NDArray[Any]]


class Batcher:
    """Runs an engine on the images of several requests at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(engine.streams)
        self._sizes = engine.batch_sizes or range(MOST_IMAGES, 0, -1)

    def infer(self, images: Sequence[Image]) -> list[Outputs | Exception]:
        """Run the network on every image.

        Args:
            images: uint8 [b, H, W, 3] each; H and W may differ between them.

        Returns:
            For each the contract's outputs, or the error that it raises by itself: it harms no other.
        """
        answers: dict[int, Outputs | Exception] = {}
        running = [(group, self._start(group, images)) for group in groups_of_a_size(images)]
        for group, parts in running:
            try:
                outputs = joined([part.result() for part in parts])
                answers |= dict(zip(group, parted(outputs, [len(images[i]) for i in group]), strict=True))
            except Exception as error:  # becomes the result of the request that caused it
                answers |= {i: error if len(group) == 1 else self.infer([images[i]])[0] for i in group}
        return [answers[i] for i in range(len(images))]

    def _start(self, group: list[int], images: Sequence[Image]) -> list[Future[Outputs]]:
        batch = np.concatenate([images[i] for i in group]) if len(group) > 1 else images[group[0]]
        return [self._threads.submit(self._engine.infer, part) for part in split_batch(batch, self._sizes)]


def groups_of_a_size(images: Sequence[Image]) -> list[list[int]]:
    """Return the indices of the images of each size, in descending order of size.

    The largest images take longest, so they start first.
    """
    groups: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, image in enumerate(images):
        groups[image.shape[1:3]].append(number)
    return [groups[size] for size in sorted(groups, key=lambda size: size[0] * size[1], reverse=True)]


def split_batch(image: Image, sizes: Sequence[int]) -> Iterator[Image]:
    """Split a batch into parts of the given sizes, using the largest size that fits each time.

    Args:
        image: uint8 [B, H, W, 3].
        sizes: descending; the last one is 1.
    """
    start = 0
    while start < len(image):
        size = next(size for size in sizes if size <= len(image) - start)
        yield image[start : start + size]
        start += size


def joined(parts: Sequence[Outputs]) -> Outputs:
    """Join the outputs of a batch's parts."""
    return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]


def parted(outputs: Outputs, lengths: Sequence[int]) -> Iterator[Outputs]:
    """Split the outputs of a batch into the outputs of each image."""
    ends = np.cumsum(lengths)[:-1]
    for part in zip(*(np.split(output, ends) for output in outputs), strict=True):
        yield list(part)
