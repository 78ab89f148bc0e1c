"""The check of the phrases that CONTRIBUTING.md names under "Style"."""

from __future__ import annotations

import pytest

from tools import spec, style

NAMED = style.phrases((spec.ROOT / style.STYLE).read_text("utf-8"))


@pytest.mark.parametrize("phrase", NAMED)
def test_each_phrase_of_the_page_is_found_with_its_line(phrase: str) -> None:
    planted = phrase.replace("…", "name").replace("↵", "")
    (found,) = (
        hit for hit in style.check("some.py", f"1\n2\n{planted}\n", NAMED) if f'"{phrase}"' in hit
    )
    assert found.startswith("some.py:3: ")


@pytest.mark.parametrize(
    "text",
    [
        "it has\n   to be",
        "    # it has\n    # to be a string",
        "Has to be one",
    ],
)
def test_phrase_is_found_across_lines_and_at_the_start_of_a_sentence(text: str) -> None:
    assert len(style.check("some.py", text, NAMED)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "if value is None:",
        "the chasm has too much",
        "a textbook",
        "def test_answer_is_kept() -> None:",
        "`one` and `two`",
        "```python\ncode\n```",
        "(?:```|~~~).*(?:```)",
        "::: dcs_sessions.Client",
        "part[::2], '::1'",
    ],
)
def test_similar_text_is_not_found(text: str) -> None:
    assert style.check("some.py", text, NAMED) == []


def test_code_in_templates_is_not_found_but_their_text_is() -> None:
    text = "{% if default is none %}\nfalse if it is none\n{{ 'a text' }}\n"
    (found,) = style.check("some.jinja", text, NAMED)
    assert found.startswith("some.jinja:2: ")


def test_rules_of_the_page_do_not_count_but_the_rest_of_it_does() -> None:
    page = (spec.ROOT / style.STYLE).read_text("utf-8")
    assert style.check(style.STYLE, page, NAMED) == []
    (found,) = style.check(style.STYLE, f"{page}\nThis has to stop.\n", NAMED)
    assert found.startswith(f"{style.STYLE}:{page.count(chr(10)) + 2}: ")
