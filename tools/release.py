"""Check that a version can be released, and upload it.

    python -m tools.release check [--tag v0.1.0]
    python -m tools.release notes
    python -m tools.release upload

The version is `info.version` of openapi.yaml; a release is the tag `v` and that version. The index
and the credentials come from the variables of twine: TWINE_REPOSITORY_URL, TWINE_USERNAME, ...
"""

from __future__ import annotations

import argparse
import email
import re
import subprocess
import sys
import tomllib
import zipfile
from typing import TYPE_CHECKING

import readme_renderer.markdown
from packaging.version import InvalidVersion, Version

import hatch_build
from tools import breaking, spec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHANGELOG = spec.ROOT / "CHANGELOG.md"
# What is released has been reviewed: it is on this branch, at best as others have it.
MAINS = ("refs/remotes/origin/main", "refs/heads/main")
ADDRESS = re.compile(r"https://[^\s/?#@]+\.[^\s/?#@]+(?:/[^\s?#]*)?")
# How package indexes say that they have a file of that name: PyPI and devpi, pypiserver, others.
TAKEN = re.compile(r"already exists|\b409\b|File exists", re.IGNORECASE)


def notes(version: str) -> str:
    """Return the notes of a version in CHANGELOG.md, or an empty string."""
    return section(CHANGELOG.read_text(encoding="utf-8"), version)


def section(changelog: str, version: str) -> str:
    """Return the section of a version, or an empty string.

    A date or a name may follow the version.
    """
    heading = rf"^## (?P<bracket>\[)?v?{re.escape(version)}(?(bracket)\])(?:[ \t:][^\n]*)?\n"
    found = re.search(rf"{heading}(?P<text>.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found["text"].strip() if found else ""


def reasons(tag: str) -> Iterator[str]:
    """Yield the reasons why this commit cannot be released."""
    version = spec.load()["info"]["version"]
    if tag and tag != f"v{version}":
        yield f"the tag is {tag}, but info.version in openapi.yaml is {version}"
    try:
        canonical = str(Version(version))
    except InvalidVersion:
        yield f"info.version in openapi.yaml is {version}, which is no version of a Python package"
    else:
        # Files and the index have the canonical form, so nothing would be found by another.
        if canonical != version:
            yield f"info.version in openapi.yaml is {version}: write {canonical}"
    changed = breaking.git("status", "--porcelain")
    if changed is None:
        yield "this is no git clone"
        return
    if changed:
        yield f"these files are not committed:\n{changed}"
    branch = next((name for name in MAINS if breaking.git("rev-parse", "--verify", name)), None)
    if branch is None:
        yield f"there is no branch {' or '.join(MAINS)} to release from: fetch it"
    elif breaking.git("merge-base", "--is-ancestor", "HEAD", branch) is None:
        yield f"this commit is not on {branch}: merge it and push it first"
    yield from unfilled()
    # Headings and comments alone say nothing.
    if not re.sub(
        r"<!--.*?-->|^#[^\n]*$", "", notes(version), flags=re.MULTILINE | re.DOTALL
    ).strip():
        yield f"CHANGELOG.md has no section '## {version}', or an empty one"
    # The last release, this commit's own not counted.
    here = breaking.git("tag", "--points-at", "HEAD", "--list", f"v{version}")
    last = breaking.git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*", "HEAD^")
    if not here:
        last = breaking.git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*")
    if last and breaking.read_base(last)["info"]["version"] == version:
        text = breaking.git("show", f"{last}:{spec.SPEC.name}")
        if text != spec.SPEC.read_text(encoding="utf-8").strip():
            yield f"openapi.yaml has changed since {last}, and info.version is still {version}"
        else:
            yield f"{version} was released as {last}: raise info.version in openapi.yaml"
    elif not here and breaking.git("tag", "--list", f"v{version}"):
        yield f"the tag v{version} is on another commit"


def unfilled() -> Iterator[str]:
    """Return the settings that only the publisher can fill in, and has not."""
    project = tomllib.loads((spec.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    examples = ("https://github.com/OWNER/NAME", "https://OWNER.github.io/NAME")
    names = ("source", "documentation")
    for name, value, example in zip(names, hatch_build.addresses(project), examples, strict=True):
        where = f'write {name} = "{example}" into [tool.dcs-sessions] of pyproject.toml'
        if not value:
            yield f"nobody has said where the {name} is: {where}, with your own address"
        elif not ADDRESS.fullmatch(value) or "OWNER" in value:
            yield f"{value} is no address of the {name}: {where}, with your own address"


def dead_links(wheel: Path) -> list[str]:
    """Return the links of a wheel's description that are broken on the page of an index.

    Raises:
        ValueError: If an index could not show the description.
    """
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        text = str(email.message_from_bytes(archive.read(name)).get_payload(decode=False))
    page = readme_renderer.markdown.render(text)
    if not page:
        raise ValueError("the README cannot be shown on an index")
    targets: list[str] = re.findall(r'\b(?:href|src|srcset)="([^"]*)"', page)
    # A heading has an empty link to itself.
    return [each for each in targets if not re.match(r"https?://|mailto:|#user-content-", each)]


def unlicensed(wheel: Path) -> list[str]:
    """Return the files of a wheel that are not in git, and have no licence beside ours.

    The licences of `x.html` are in `x.licenses.txt`.
    """
    tracked = set((breaking.git("ls-files") or "").splitlines())
    ours = {name.partition("/")[2] for name in tracked if name.startswith(("src/", "generated/"))}
    # What pyproject.toml puts there.
    ours |= {"dcs_sessions/openapi.yaml", "dcs_sessions/signing-vectors.json"}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        texts = {
            name.partition(".dist-info/licenses/src/")[2]: archive.read(name).strip()
            for name in names
            if ".dist-info/licenses/src/" in name
        }
    return [
        name
        for name in names
        if ".dist-info/" not in name
        and name not in ours
        and not texts.get(f"{name.rpartition('.')[0]}.licenses.txt")
    ]


def upload() -> int:
    """Upload the files of this version in dist/; the result is the exit code."""
    version = spec.load()["info"]["version"]
    files = sorted((spec.ROOT / "dist").glob(f"dcs_sessions-{version}[.-]*"))
    if not files:
        print(f"Refused: dist/ has no files of {version}: run `make build`.", file=sys.stderr)
        return 1
    if dead := [link for file in files if file.suffix == ".whl" for link in dead_links(file)]:
        print(f"Refused: links of the README are dead on an index: {dead}.", file=sys.stderr)
        return 1
    if without := [name for file in files if file.suffix == ".whl" for name in unlicensed(file)]:
        print(f"Refused: the wheel has no licence of {without}.", file=sys.stderr)
        return 1
    # Verbose, for else twine does not show what the index says.
    options = ["--non-interactive", "--disable-progress-bar", "--verbose"]
    twine = [sys.executable, "-m", "twine", "upload", *options]
    run = subprocess.run([*twine, *map(str, files)], capture_output=True, text=True, check=False)
    print(run.stdout, end="")
    print(run.stderr, end="", file=sys.stderr)
    if run.returncode and TAKEN.search(run.stdout + run.stderr):
        print(f"Refused: the index has {version} already.", file=sys.stderr)
    return run.returncode


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["check", "notes", "upload"])
    parser.add_argument("--tag", default="", help="tag that is to be the version")
    arguments = parser.parse_args()
    if arguments.what == "upload":
        return upload()
    if arguments.what == "notes":
        print(notes(spec.load()["info"]["version"]))
        return 0
    found = list(reasons(arguments.tag))
    for reason in found:
        print(f"Refused: {reason}.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
