"""Test that YAML is read as data: exponential aliases and code are rejected."""

import pytest

from tritonocr_backend.zoo.yaml_text import MOST_VALUES, YamlProblem, parse

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
"""A billion values in half a kilobyte. An error message that contains them would fill the memory."""


class TestAliases:
    @pytest.mark.parametrize(
        ("text", "keep_lines"),
        [
            pytest.param(LAUGHS, False, id="exponential aliases"),
            pytest.param(LAUGHS, True, id="exponential aliases, with lines"),
            pytest.param("a: &a [*a]", False, id="cycle"),
        ],
    )
    def test_unbounded_aliases_are_rejected(self, text: str, keep_lines: bool) -> None:
        with pytest.raises(YamlProblem, match=f"its aliases expand to more than {MOST_VALUES} values"):
            parse(text, keep_lines=keep_lines)

    @pytest.mark.parametrize("keep_lines", [False, True])
    def test_ordinary_aliases_are_read(self, keep_lines: bool) -> None:
        """PaddleX's exports contain aliases."""
        assert parse("a: &a [1, 2]\nb: *a\nc: {d: *a}", keep_lines=keep_lines)["c"]["d"] == [1, 2]


def test_a_large_dictionary_is_read() -> None:
    lines = "\n".join(f"- '{number}'" for number in range(20_000))
    assert len(parse(lines)) == 20_000


def test_deeply_nested_text_is_rejected() -> None:
    with pytest.raises(YamlProblem, match="nested too deeply"):
        parse("[" * 3000 + "]" * 3000)


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system [exit]",
        "!!python/name:os.system",
        "a: !!python/object/new:type [x, [], {}]",
    ],
)
def test_code_is_rejected(text: str) -> None:
    with pytest.raises(YamlProblem):
        parse(text)
