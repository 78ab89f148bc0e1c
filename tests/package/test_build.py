"""`make build` packages the sources, the contract and the licence, reproducibly."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
import readme_renderer.markdown

import hatch_build
from support.clone import Clone
from tools import release, spec

VERSION = spec.load()["info"]["version"]
PACKAGES = ("src/dcs_sessions", "generated/dcs_sessions_api")
PAGE = "dcs_sessions/emulator/page.html"
LICENSES = "src/dcs_sessions/emulator/page.licenses.txt"


def make_page(clone: Clone) -> Path:
    """Write a placeholder for the page, which needs Node.js to build."""
    page = clone.root / "src" / PAGE
    page.touch()
    (clone.root / LICENSES).write_text("Apache License")
    return page


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist of the working tree."""
    root = tmp_path_factory.mktemp("clone")
    output = tmp_path_factory.mktemp("dist")
    clone = Clone(root)
    make_page(clone)
    clone.build(output)
    return output


def wheel(folder: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(folder / f"dcs_sessions-{VERSION}-py3-none-any.whl")


def sources() -> set[str]:
    """The files of both packages that git has, and the page that is made."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES],
        cwd=spec.ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    return {f"src/{PAGE}", *(name for name in names if (spec.ROOT / name).is_file())}


def test_wheel_has_both_packages_and_nothing_else(built: Path) -> None:
    with wheel(built) as archive:
        names = set(archive.namelist())
        contract = archive.read("dcs_sessions/openapi.yaml")
    info = f"dcs_sessions-{VERSION}.dist-info"
    packaged = {name.split("/", 1)[1] for name in sources()}
    assert names == packaged | {
        "dcs_sessions/openapi.yaml",
        "dcs_sessions/signing-vectors.json",
        *(f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
        *(f"{info}/licenses/{name}" for name in ("LICENSE", LICENSES)),
    }
    assert {"dcs_sessions/py.typed", "dcs_sessions_api/py.typed"} <= names
    assert contract == spec.SPEC.read_bytes()


def test_sdist_has_what_the_wheel_is_made_of(built: Path) -> None:
    with tarfile.open(built / f"dcs_sessions-{VERSION}.tar.gz") as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert names == sources() | {
        "tests/data/signing-vectors.json",
        *("openapi.yaml", "LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml"),
        *("hatch_build.py", LICENSES),
        *("PKG-INFO", ".gitignore"),  # hatchling's: what it is, and what it left out
    }


def metadata_of(folder: Path) -> Message:
    with wheel(folder) as archive:
        return message_from_bytes(archive.read(f"dcs_sessions-{VERSION}.dist-info/METADATA"))


def test_metadata_is_of_a_version_that_the_publish_action_can_read(built: Path) -> None:
    with tarfile.open(built / f"dcs_sessions-{VERSION}.tar.gz") as archive:
        file = archive.extractfile(f"dcs_sessions-{VERSION}/PKG-INFO")
        assert file is not None
        source = message_from_bytes(file.read())
    # The newest that packaging 25.0 knows; `make test-publish` asks that version itself.
    pins = (spec.ROOT / "tools" / "publish-action.txt").read_text(encoding="utf-8")
    assert "\npackaging==25.0\n" in pins
    assert source["Metadata-Version"] == metadata_of(built)["Metadata-Version"] == "2.4"


def test_metadata_has_version_licence_and_extras(built: Path) -> None:
    metadata = metadata_of(built)
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0 AND BSD-3-Clause AND MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "emulator" in (metadata.get_all("Provides-Extra") or [])


def test_missing_addresses_are_left_out(built: Path) -> None:
    project = tomllib.loads((spec.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if any(hatch_build.addresses(project)):
        pytest.skip("they are filled in")
    assert metadata_of(built)["Project-URL"] is None


def test_addresses_stand_in_one_place_and_lead_everywhere(clone: Clone, tmp_path: Path) -> None:
    clone.write_address("source", "https://forge.example/us/dcs/")
    clone.write_address("documentation", "https://docs.example/dcs")
    make_page(clone)
    clone.build(tmp_path / "dist")
    metadata = metadata_of(tmp_path / "dist")
    files = f"https://forge.example/us/dcs/blob/v{VERSION}"
    assert metadata.get_all("Project-URL") == [
        "Documentation, https://docs.example/dcs",
        "Source, https://forge.example/us/dcs",
        "Issues, https://forge.example/us/dcs/issues",
        f"Changelog, {files}/CHANGELOG.md",
    ]
    assert release.dead_links(next((tmp_path / "dist").glob("*.whl"))) == []
    page = readme_renderer.markdown.render(str(metadata.get_payload()))
    assert page is not None
    targets = re.findall(rf'="{files}/([^"#]+)', page)
    assert len(targets) > 5
    for target in targets:
        assert (spec.ROOT / target).exists(), target


def test_build_is_reproducible(built: Path, clone: Clone, tmp_path: Path) -> None:
    make_page(clone).chmod(0o600)
    clone.build(tmp_path / "again")
    first = {path.name: path.read_bytes() for path in built.iterdir()}
    again = {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()}
    assert first.keys() == again.keys()
    assert first == again


@pytest.mark.parametrize(
    ("check", "files"),
    [("check-wheel-contents", "*.whl"), ("twine check --strict", "*"), ("pydistcheck", "*")],
)
def test_packages_pass_the_checks(check: str, files: str, built: Path) -> None:
    program, *options = check.split()
    tool = Path(sys.executable).with_name(program)
    command: list[str | Path] = [tool, *options, *sorted(built.glob(files))]
    run = subprocess.run(command, cwd=spec.ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
