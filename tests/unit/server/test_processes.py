"""Test the name of the model that a process runs, for any order of its arguments."""

from types import SimpleNamespace
from typing import cast

import psutil
import pytest

from tritonocr_backend.server.processes import model_of


@pytest.mark.parametrize(
    ("arguments", "model", "reason"),
    [
        (
            ["stub", "/repo/ocr/1/model.py", "region", "4", "64"],
            "ocr",
            "the command line of the stub in tritonserver 2.51",
        ),
        (
            ["stub", "region", "--model=x", "/a/b/text_crop/1/model.py"],
            "text_crop",
            "another order of the arguments",
        ),
        (["tritonserver", "--model-repository=/repo"], None, "tritonserver itself"),
        (["python", "model.py"], None, "a path without the folder of a model"),
        ([], None, "a zombie has no command line"),
    ],
)
def test_model_of_a_process(arguments: list[str], model: str | None, reason: str) -> None:
    process = cast(psutil.Process, SimpleNamespace(cmdline=lambda: arguments))
    assert model_of(process) == model, reason
