"""The generated files in git agree with the table of options."""

import pytest
from generated_files import FILES, ROOT


@pytest.mark.parametrize("name", FILES)
def test_the_file_is_up_to_date(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert text == FILES[name](text), "run `make generate`"
