"""Test that dictionaries are read without loss, for all characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tritonocr_backend.zoo import dictionary
from tritonocr_backend.zoo.errors import ModelFormatError

# A line may contain all characters except the two that end lines.
CHARACTERS = st.lists(
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), min_size=1
)


@given(CHARACTERS, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_a_written_dictionary_is_read_unchanged(
    characters: list[str], line_end: str, ends_with_one: bool
) -> None:
    text = line_end.join(characters) + (line_end if ends_with_one else "")
    assert dictionary.parse(text) == tuple(characters)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("　", "ideographic space, first line of the PP-OCRv5 dictionary"),
        (" ", "str.splitlines ends lines here"),
        ("\x85", "str.splitlines ends lines here"),
        (" ", "a space is a character"),
    ],
)
def test_white_space_is_kept(line: str, reason: str) -> None:
    assert dictionary.parse(f"a\n{line}\nb\n") == ("a", line, "b"), reason


def test_a_lost_space_is_appended() -> None:
    assert dictionary.parse("a\nb", lacks_space=True) == ("a", "b", " ")


def test_a_network_needs_two_classes_more_than_its_dictionary() -> None:
    dictionary.check("abc", 5)
    with pytest.raises(ModelFormatError, match=r"3 lines needs 5 classes .*, the network has 6"):
        dictionary.check("abc", 6)
