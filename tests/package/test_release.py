"""Reasons for which `make publish` refuses a release."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.clone import Clone
from tools import release

VERSION = "7.0.0"


@pytest.fixture
def ready(clone: Clone) -> Clone:
    """A repository that can be released as it is."""
    clone.prepare(VERSION)
    return clone


def refusal(clone: Clone, *arguments: str) -> str:
    run = clone.python("-m", "tools.release", "check", *arguments)
    assert run.returncode == (1 if run.stderr else 0), run.stderr
    return run.stderr


def test_complete_version_can_be_released(ready: Clone) -> None:
    assert refusal(ready) == ""
    ready.git("tag", f"v{VERSION}")
    assert refusal(ready, "--tag", f"v{VERSION}") == ""


def test_uncommitted_changes_are_refused(ready: Clone) -> None:
    (ready.root / "README.md").write_text("Changed.")
    (ready.root / "src" / "new.py").touch()
    assert "not committed:\n M README.md\n?? src/new.py" in refusal(ready).replace("\nM ", "\n M ")


def test_released_version_is_refused(ready: Clone) -> None:
    ready.git("tag", f"v{VERSION}")
    ready.edit("README.md", "dcs-sessions", "the same")
    ready.commit("A change")
    assert refusal(ready) == (
        f"Refused: {VERSION} was released as v{VERSION}: raise info.version in openapi.yaml.\n"
    )


def test_changed_contract_with_the_same_version_is_refused(ready: Clone) -> None:
    ready.git("tag", f"v{VERSION}")
    ready.edit("openapi.yaml", "title: DCS sessions", "title: DCS client sessions")
    ready.commit("A change")
    assert refusal(ready) == (
        f"Refused: openapi.yaml has changed since v{VERSION}, "
        f"and info.version is still {VERSION}.\n"
    )
    ready.prepare("7.0.1")
    assert refusal(ready) == ""


def test_changelog_without_the_version_is_refused(clone: Clone) -> None:
    clone.edit("openapi.yaml", "\n  version: ", f"\n  version: {VERSION} # ")
    clone.commit("A version")
    assert f"CHANGELOG.md has no section '## {VERSION}'" in refusal(clone)


def test_tag_of_another_version_is_refused(ready: Clone) -> None:
    assert f"the tag is v1.2.3, but info.version in openapi.yaml is {VERSION}" in refusal(
        ready, "--tag", "v1.2.3"
    )


def test_notes_are_the_section_of_the_version(ready: Clone) -> None:
    assert ready.python("-m", "tools.release", "notes").stdout == "What is new.\n"


# What people write behind the version: dates, names, nothing.
BEHIND = st.one_of(
    st.sampled_from(["", " ", " (2026-11-24)", " - 2026-11-24", ": the first", "\t2026-11-24"]),
    st.text(st.characters(exclude_categories=["C", "Z"])).map(" {}".format),
)
VERSIONS = st.from_regex(r"[1-9]?[0-9]\.[0-9]\.[0-9]", fullmatch=True)
AROUND = st.sampled_from(["{}", "[{}]", "v{}", "[v{}]"])
TEXTS = st.lists(st.sampled_from(["What is new.", "- A line", "### Fixed", ""]), max_size=5)


@given(st.lists(st.tuples(VERSIONS, AROUND, BEHIND, TEXTS), unique_by=lambda each: each[0]))
def test_section_is_found_whatever_its_heading_looks_like(
    sections: list[tuple[str, str, str, list[str]]],
) -> None:
    written = "# Changelog\n\nVersions.\n\n## Unreleased (99.0.0)\n\nMore.\n" + "".join(
        f"\n## {around.format(version)}{behind}\n\n" + "\n".join(lines) + "\n"
        for version, around, behind, lines in sections
    )
    for version, _, _, lines in sections:
        assert release.section(written, version) == "\n".join(lines).strip()
    for version in ("99.0.0", "5.5.50", "5.5"):
        assert release.section(written, version) == ""


@pytest.mark.parametrize(
    "heading", ["## 7.0.0.1", "## 7.0.0rc1", "## 17.0.0", "### 7.0.0", "7.0.0"]
)
def test_heading_of_another_subject_is_not_a_version(heading: str) -> None:
    assert release.section(f"{heading}\n\nText.\n", VERSION) == ""


@pytest.mark.parametrize("text", ["", "\n\n", "### Fixed\n", "<!-- To do\n-->\n"])
def test_empty_section_is_refused(text: str, clone: Clone) -> None:
    clone.edit("CHANGELOG.md", "\n## ", f"\n## {VERSION}\n\n{text}\n## ")
    clone.edit("openapi.yaml", "\n  version: ", f"\n  version: {VERSION} # ")
    clone.commit("A version")
    assert f"CHANGELOG.md has no section '## {VERSION}'" in refusal(clone)


def test_commit_that_is_not_on_main_is_refused(ready: Clone) -> None:
    ready.git("switch", "--quiet", "--create", "side")
    assert refusal(ready) == ""  # the same commit
    ready.edit("README.md", "dcs-sessions", "the same")
    ready.commit("A change")
    ready.git("tag", f"v{VERSION}")
    assert refusal(ready, "--tag", f"v{VERSION}") == (
        "Refused: this commit is not on refs/heads/main: merge it and push it first.\n"
    )
    # What only this clone has on its main has been seen by nobody.
    ready.git("remote", "add", "origin", str(ready.root))
    ready.git("fetch", "--quiet", "origin", "main")
    ready.git("switch", "--quiet", "main")
    ready.git("merge", "--quiet", "side")
    assert "not on refs/remotes/origin/main" in refusal(ready)
    ready.git("fetch", "--quiet", "origin")
    assert refusal(ready) == ""


def test_clone_without_main_is_refused(ready: Clone) -> None:
    ready.git("branch", "--move", "main", "side")
    assert "there is no branch refs/remotes/origin/main or refs/heads/main" in refusal(ready)


@pytest.mark.parametrize(
    ("version", "what"),
    [
        ("7.0.0-rc.1", "7.0.0-rc.1: write 7.0.0rc1"),
        ("7.0.0-final", "7.0.0-final, which is no version of a Python package"),
    ],
)
def test_version_that_an_index_would_change_is_refused(
    version: str, what: str, clone: Clone
) -> None:
    clone.prepare(version)
    assert f"Refused: info.version in openapi.yaml is {what}.\n" in refusal(clone)


def test_upload_without_files_is_refused(ready: Clone) -> None:
    run = ready.python("-m", "tools.release", "upload")
    assert run.returncode == 1
    assert run.stderr == f"Refused: dist/ has no files of {VERSION}: run `make build`.\n"


def test_publish_checks_everything_before_it_uploads(clone: Clone) -> None:
    run = clone.run("make", "--dry-run", "--assume-old", ".venv/.ready", "publish")
    assert run.returncode == 0, run.stderr
    tools = r"tools\.(generate --check|breaking_python|breaking|release \w+)"
    steps = re.findall(rf"{tools}|bin/(mypy|pyright|ruff check)|-m (build)", run.stdout)
    found = ["".join(step) for step in steps]
    assert found[0] == found[-2] == "release check"
    assert found[-1] == "release upload"
    assert found[1] == "generate --check"
    assert set(found) >= {"mypy", "pyright", "ruff check", "breaking", "breaking_python", "build"}


@pytest.mark.parametrize("name", ["source", "documentation"])
@pytest.mark.parametrize(
    "value",
    ["", "http://docs.example/x", "docs.example", "https://github.com/OWNER/NAME", "https:// x.y"],
)
def test_missing_address_is_refused(name: str, value: str, ready: Clone) -> None:
    ready.write_address(name, value)
    ready.commit("An address")
    told = refusal(ready)
    assert told.count("Refused") == 1
    assert (value or f"nobody has said where the {name} is") in told
    assert f'write {name} = "https://' in told
    assert "into [tool.dcs-sessions] of pyproject.toml" in told


def test_upload_of_a_readme_with_a_dead_link_is_refused(ready: Clone) -> None:
    # Nothing here makes such a link absolute.
    with (ready.root / "README.md").open("a", encoding="utf-8") as file:
        file.write("\n<a\nhref=docs/index.md>More</a>\n")
    ready.commit("A link")
    ready.build(ready.root / "dist")
    run = ready.python("-m", "tools.release", "upload")
    assert run.returncode == 1
    assert "Refused: links of the README are dead on an index: ['docs/index.md']." in run.stderr


def test_upload_of_files_without_a_licence_is_refused(ready: Clone) -> None:
    for name in ("page.html", "theirs.js"):
        (ready.root / "src" / "dcs_sessions" / "emulator" / name).touch()
    (ready.root / "src" / "dcs_sessions" / "emulator" / "page.licenses.txt").touch()
    ready.build(ready.root / "dist")
    run = ready.python("-m", "tools.release", "upload")
    assert run.returncode == 1
    assert run.stderr == (
        "Refused: the wheel has no licence of "
        "['dcs_sessions/emulator/page.html', 'dcs_sessions/emulator/theirs.js'].\n"
    )
