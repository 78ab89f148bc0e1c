"""The README on a package index: every kind of link works there."""

from __future__ import annotations

import re

import pytest
import readme_renderer.markdown
from hypothesis import given
from hypothesis import strategies as st

import hatch_build

SOURCE = "https://forge.example/us/dcs"
PATHS = st.from_regex(r"(\./)?[a-z]{1,8}(/[a-z-]{1,8}){0,2}(\.(md|png|svg|yaml))?", fullmatch=True)
TARGETS = st.one_of(
    PATHS,
    st.tuples(PATHS, st.just("#a-part")).map("".join),
    st.just("#a-part"),
    st.sampled_from(["https://a.example/x", "http://b.example", "mailto:a@b.example"]),
)
FORMS = st.sampled_from(
    [
        "[text]({})",
        "[`code`](<{}>)",
        '[text]({} "A title")',
        "[text](\n{})",
        "![image]({})",
        "[![badge]({})](docs/x.md)",
        "[text][1]\n\n[1]: {}",
        "[text][]\n\n[text]: <{}>",
        '<a href="{}">text</a>',
        "<img src='{}'>",
        '<img alt="" src="{}">',
        "- [text]({}), and [another](LICENSE)",
        "| a |\n|---|\n| [text]({}) |",
        "> [text]({})",
    ]
)


@given(st.lists(st.tuples(FORMS, TARGETS), min_size=1, max_size=4))
def test_no_link_is_relative(links: list[tuple[str, str]]) -> None:
    # Definitions of links hold for the whole text, so each has a number of its own.
    parts = [
        form.replace("[1]", f"[{at}]").replace("[text][]\n\n[text]", f"[t{at}][]\n\n[t{at}]")
        for at, (form, _) in enumerate(links)
    ]
    text = "\n\n".join(part.format(target) for part, (_, target) in zip(parts, links, strict=True))
    page = readme_renderer.markdown.render(hatch_build.absolute(text, SOURCE, "1.2.3"))
    assert page is not None
    found = re.findall(r'\b(?:href|src)="([^"]*)"', page)
    assert len(found) >= len(links)
    for target in found:
        assert re.match(r"https?://|mailto:", target), page


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a](docs/a.md#b)", f"[a]({SOURCE}/blob/v1.2.3/docs/a.md#b)"),
        ("[a](#b)", f"[a]({SOURCE}/blob/v1.2.3/README.md#b)"),
        ("![a](docs/a.svg)", f"![a]({SOURCE}/raw/v1.2.3/docs/a.svg)"),
        ("`[a](b)` and [a](b)", f"`[a](b)` and [a]({SOURCE}/blob/v1.2.3/b)"),
        ("```md\n[a](b)\n```\n", "```md\n[a](b)\n```\n"),
        ("x = session[a](b)", f"x = session[a]({SOURCE}/blob/v1.2.3/b)"),
    ],
)
def test_relative_link_becomes_the_file_of_the_version(before: str, after: str) -> None:
    assert hatch_build.absolute(before, SOURCE, "1.2.3") == after
