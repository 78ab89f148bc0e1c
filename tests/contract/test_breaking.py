"""`make breaking` finds what breaks others, and only that."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from mutation import contract as mutants
from mutation.contract import Mutant
from tools import breaking, spec
from tools.breaking import Break

if TYPE_CHECKING:
    from pathlib import Path

BREAKING = [fault for fault in mutants.faults() if fault.breaks]
HARMLESS = mutants.harmless()
MUTANTS = [*BREAKING, *HARMLESS]


def named(mutant: Mutant) -> str:
    return mutant.name


Breaks = Callable[[Mutant], set[Break]]


@pytest.fixture(scope="module")
def breaks() -> Breaks:
    """A function that returns the breaks of a mutant.

    Redocly compares all mutants at once, for it takes most of its time to start: the paths of each
    begin with its number, and so do the names of its operations.
    """
    api = spec.load()
    changed = [mutant.apply(api) for mutant in MUTANTS]
    pairs = [breaking.differing(breaking.flat(api), breaking.flat(each)) for each in changed]
    # The rest of a document is not that of one mutant, and where paths or methods change, Redocly
    # looks for the most similar one in the whole document.
    alone = [_outline(base) != _outline(new) for base, new in pairs]
    found: list[set[Break]] = [
        set(breaking.redocly(*pair)) if lonely else set()
        for pair, lonely in zip(pairs, alone, strict=True)
    ]
    both = [
        pairs[0][side]
        | {
            "paths": {
                f"/{number}{path}": {
                    method: operation | {"operationId": f"{number} {operation['operationId']}"}
                    for method, operation in item.items()
                }
                for number, pair in enumerate(pairs)
                if not alone[number]
                for path, item in pair[side]["paths"].items()
            }
        }
        for side in (0, 1)
    ]
    for each in breaking.redocly(both[0], both[1]):
        number, _, name = each.operation.partition(" ")
        found[int(number)].add(each._replace(operation=name))

    def breaks_of(mutant: Mutant) -> set[Break]:
        number = MUTANTS.index(mutant)
        return {*found[number], *breaking.others(api, changed[number])}

    return breaks_of


def _outline(api: spec.Node) -> spec.Node:
    return api | {"paths": {path: list(item) for path, item in api["paths"].items()}}


@pytest.mark.node
@pytest.mark.parametrize("fault", BREAKING, ids=named)
def test_fault_is_found(fault: Mutant, breaks: Breaks) -> None:
    found = breaks(fault)
    assert fault.breaks in {each.who for each in found}
    assert {each.operation for each in found} <= {*spec.operations(spec.load()), breaking.ALL}


@pytest.mark.node
@pytest.mark.parametrize("change", HARMLESS, ids=named)
def test_harmless_change_is_accepted(change: Mutant, breaks: Breaks) -> None:
    assert not breaks(change)


@pytest.mark.node
@pytest.mark.parametrize("number", [0, len(BREAKING) // 2, -1])
def test_mutants_that_are_compared_at_once_have_the_same_breaks(
    number: int, breaks: Breaks
) -> None:
    api = spec.load()
    assert breaks(BREAKING[number]) == set(breaking.breaks(api, BREAKING[number].apply(api)))


@pytest.mark.parametrize("mutant", [*mutants.faults(), *mutants.harmless()], ids=named)
def test_mutant_changes_the_contract(mutant: Mutant) -> None:
    api = spec.load()
    assert mutant.apply(api) != api
    assert api == spec.load()


def test_mutants_are_many_and_each_has_its_name() -> None:
    names = [mutant.name for mutant in [*mutants.faults(), *mutants.harmless()]]
    assert len(names) == len(set(names))
    assert len(BREAKING) >= 25


def test_only_its_first_level_is_seen_of_a_schema_within_itself() -> None:
    api = spec.load()
    job = api["components"]["schemas"]["Job"]
    job["properties"]["parent"] = {"$ref": "#/components/schemas/Job"}
    answer = breaking.flat(api)["paths"]["/v2/{project_id}/jobs/{job_id}"]["get"]["responses"][
        "200"
    ]
    properties = answer["content"]["application/json"]["schema"]["properties"]
    assert properties["parent"] == {}
    assert properties["job_id"]["type"] == "string"


# The command


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.breaking", *arguments],
        cwd=spec.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def write(path: Path, api: spec.Node) -> Path:
    path.write_text(json.dumps(api), encoding="utf-8")
    return path


@pytest.mark.node
@pytest.mark.parametrize(
    ("before", "after", "code"),
    [("0.1.0", "0.1.9", 1), ("0.1.0", "0.2.0", 0), ("1.4.2", "1.5.0", 1), ("1.4.2", "2.0.0", 0)],
)
def test_break_needs_its_version(before: str, after: str, code: int, tmp_path: Path) -> None:
    version = "info.version"
    old = Mutant("", set={version: before}).apply(spec.load())
    new = Mutant("", set={version: after}, remove=["ScanClients.responses.404"]).apply(spec.load())
    files = [write(tmp_path / "old.json", old), write(tmp_path / "new.json", new)]
    result = command("--base", files[0], "--spec", files[1])
    assert result.returncode == code, result.stderr
    assert "breaks readers of ScanClients: Response `404` was removed." in result.stdout
    assert ("info.version must be" in result.stderr) == bool(code)


def test_missing_base_is_named() -> None:
    result = command("--base", "no-such-release")
    assert result.returncode == 2
    assert "no-such-release is no file, and no revision" in result.stderr
    assert "Traceback" not in result.stderr


# The last release


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits, of which the first brings an operation."""
    monkeypatch.setattr(spec, "ROOT", tmp_path)
    for name in ("author", "committer"):
        monkeypatch.setenv(f"GIT_{name.upper()}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{name.upper()}_EMAIL", "somebody@example.org")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "operationId: ScanClients")
    commit(tmp_path, "operationId: ScanClients # changed")
    return tmp_path


def git(folder: Path, *arguments: str) -> str:
    run = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return run.stdout.strip()


def commit(folder: Path, text: str) -> None:
    (folder / "openapi.yaml").write_text(text, encoding="utf-8")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "Change")


def test_base_before_the_first_release_is_the_first_operation(clone: Path) -> None:
    assert breaking.last_release() == git(clone, "rev-parse", "--short", "HEAD^")


def test_base_is_the_last_tag(clone: Path) -> None:
    git(clone, "tag", "v0.1.0")
    commit(clone, "more")
    git(clone, "tag", "other")
    assert breaking.last_release() == "v0.1.0"


def test_base_of_a_released_commit_is_the_tag_before(clone: Path) -> None:
    git(clone, "tag", "v0.1.0")
    commit(clone, "more")
    git(clone, "tag", "v0.2.0")
    assert breaking.last_release() == "v0.1.0"


def test_shallow_clone_is_no_base(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(clone, "clone", "--quiet", "--depth=1", f"file://{clone}", "shallow")
    monkeypatch.setattr(spec, "ROOT", clone / "shallow")
    with pytest.raises(breaking.NoBaseError, match="not the whole history"):
        breaking.last_release()


def test_folder_without_history_is_no_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "ROOT", tmp_path)
    with pytest.raises(breaking.NoBaseError, match="no clone"):
        breaking.last_release()
