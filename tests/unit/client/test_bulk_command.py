"""`tritonocr bulk` where Ray is not installed, and its options."""

import subprocess
import sys

import pytest

from tritonocr import InvalidInputError
from tritonocr.cli._bulk import parsed_option


def test_without_ray_it_says_what_to_install() -> None:
    """And loads nothing of it before."""
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from tritonocr.cli import main; sys.argv = ['tritonocr', 'bulk', 'in', '--output', 'out']; main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert 'pip install "tritonocr[ray]"' in run.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use_doc_unwarping=False", ("use_doc_unwarping", False)),
        ("max_pages=20", ("max_pages", 20)),
        ("text_det_thresh=0", ("text_det_thresh", 0.0)),  # 0 means 0
        ("lang=en", ("lang", "en")),
    ],
)
def test_an_option_has_its_own_type(text: str, expected: tuple[str, object]) -> None:
    """The values follow the table of options."""
    assert parsed_option(text) == expected


@pytest.mark.parametrize("text", ["max_pages", "pages=3", "max_pages=many", "use_doc_unwarping=0"])
def test_a_wrong_option_is_named(text: str) -> None:
    """With what was expected."""
    with pytest.raises(InvalidInputError, match=r"--option.*expected"):
        parsed_option(text)
