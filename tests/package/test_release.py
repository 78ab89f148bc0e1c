"""What `make publish` refuses, and why."""

from __future__ import annotations

import pytest

from support.clone import Clone

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


def test_nothing_stands_in_the_way(ready: Clone) -> None:
    assert refusal(ready) == ""
    ready.git("tag", f"v{VERSION}")
    assert refusal(ready, "--tag", f"v{VERSION}") == ""


def test_a_dirty_tree(ready: Clone) -> None:
    (ready.root / "README.md").write_text("Changed.")
    (ready.root / "src" / "new.py").touch()
    assert "not committed:\n M README.md\n?? src/new.py" in refusal(ready).replace("\nM ", "\n M ")


def test_a_version_that_was_released(ready: Clone) -> None:
    ready.git("tag", f"v{VERSION}")
    ready.edit("README.md", "dcs-sessions", "the same")
    ready.commit("A change")
    assert refusal(ready) == (
        f"Refused: {VERSION} was released as v{VERSION}: raise info.version in openapi.yaml.\n"
    )


def test_a_contract_that_has_changed_without_its_version(ready: Clone) -> None:
    ready.git("tag", f"v{VERSION}")
    ready.edit("openapi.yaml", "title: DCS sessions", "title: DCS client sessions")
    ready.commit("A change")
    assert refusal(ready) == (
        f"Refused: openapi.yaml has changed since v{VERSION}, "
        f"and info.version is still {VERSION}.\n"
    )
    ready.prepare("7.0.1")
    assert refusal(ready) == ""


def test_a_changelog_without_the_version(clone: Clone) -> None:
    clone.edit("openapi.yaml", "\n  version: ", f"\n  version: {VERSION} # ")
    clone.commit("A version")
    assert f"CHANGELOG.md has no section '## {VERSION}'" in refusal(clone)


def test_a_tag_of_another_version(ready: Clone) -> None:
    assert f"the tag is v1.2.3, but info.version in openapi.yaml is {VERSION}" in refusal(
        ready, "--tag", "v1.2.3"
    )


def test_the_notes_of_a_release(ready: Clone) -> None:
    assert ready.python("-m", "tools.release", "notes").stdout == "What is new.\n"
