"""YAML as data: what stands for more than it is, or for code, is refused."""

import pytest

from tritonocr_backend.zoo.yaml_text import MOST_VALUES, YamlProblem, parse

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 9)
)
"""A billion values in half a kilobyte; an error's message that shows them would fill the memory."""


class TestAliases:
    @pytest.mark.parametrize(
        ("text", "keep_lines"),
        [
            pytest.param(LAUGHS, False, id="of aliases"),
            pytest.param(LAUGHS, True, id="of aliases, with lines"),
            pytest.param("a: &a [*a]", False, id="leading back"),
        ],
    )
    def test_that_have_no_measure_are_refused(self, text: str, keep_lines: bool) -> None:
        with pytest.raises(YamlProblem, match=f"its aliases make more than {MOST_VALUES} values of it"):
            parse(text, keep_lines=keep_lines)

    @pytest.mark.parametrize("keep_lines", [False, True])
    def test_are_read(self, keep_lines: bool) -> None:
        """PaddleX's own exports have some."""
        assert parse("a: &a [1, 2]\nb: *a\nc: {d: *a}", keep_lines=keep_lines)["c"]["d"] == [1, 2]


def test_a_large_dictionary_is_read() -> None:
    lines = "\n".join(f"- '{number}'" for number in range(20_000))
    assert len(parse(lines)) == 20_000


def test_what_is_nested_without_end_is_refused() -> None:
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
def test_code_is_refused(text: str) -> None:
    with pytest.raises(YamlProblem):
        parse(text)
