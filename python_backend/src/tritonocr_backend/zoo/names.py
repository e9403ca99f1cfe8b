"""Check the names of models. The name of a model is also the name of its folder."""

from __future__ import annotations

import re

from tritonocr_backend.core.contracts import ADAPTER_MODELS, LINE_BATCHING, PIPELINE_MODELS
from tritonocr_backend.zoo.errors import ModelFormatError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_model_name(name: str) -> str:
    """Return the name of a network if it can be the name of a folder.

    Args:
        name: name under which a network is served or kept in the cache.

    Raises:
        ModelFormatError: the name is a path, contains other characters, or is the name of a stage.
    """
    if not _NAME.fullmatch(name):
        raise ModelFormatError(
            f"name of a model: got {name!r}, expected 1 to 100 letters, digits, '.', '_' and '-', "
            "and a letter or digit first"
        )
    if name in (*PIPELINE_MODELS, *ADAPTER_MODELS, LINE_BATCHING):
        raise ModelFormatError(f"name of a model: {name!r} is the name of a stage; choose another one")
    return name
