"""Type checkers find misspelt names, and accept the documentation's examples."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest

import dcs_sessions
import dcs_sessions.emulator
import dcs_sessions_api.models

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Kept from run to run, since most of the work is the types of Python and of other packages. Each
# worker has its own, so that none reads what another is writing.
CACHE = ROOT / "build" / "mypy" / os.environ.get("PYTEST_XDIST_WORKER", "main")
# Names that a block uses without defining them.
BEFORE = """\
INSTANCE_ID = NODE_ID = PROJECT_ID = ACCESS_KEY = SECRET_KEY = ENDPOINT = TOKEN = CA_FILE = ""
client = dcs_sessions.Client.from_env()
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages as they are installed."""
    folder = tmp_path_factory.mktemp("site")
    for package in ("src/dcs_sessions", "generated/dcs_sessions_api"):
        shutil.copytree(
            ROOT / package,
            folder / Path(package).name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    return folder


def mypy(site: Path, *files: Path) -> set[tuple[str, int]]:
    """Return file and line of each error of `mypy --strict`."""
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-error-summary",
            "--config-file=",
            f"--cache-dir={CACHE}",
            *files,
        ],
        cwd=files[0].parent,
        env={**os.environ, "MYPYPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert not run.stderr, run.stderr
    found = re.findall(r"^(.+?):(\d+): error: (.+)$", run.stdout, re.MULTILINE)
    return {(Path(file).name, int(line)) for file, line, _ in found}


def pyright(site: Path, *files: Path) -> set[tuple[str, int]]:
    """Return file and line of each error of pyright in strict mode."""
    config = files[0].parent / "pyrightconfig.json"
    # valkey, which two examples talk to, has only half of its types.
    config.write_text(json.dumps({"typeCheckingMode": "strict", "reportUnknownMemberType": False}))
    run = subprocess.run(
        [
            Path(sys.executable).with_name("pyright"),
            "--outputjson",
            *("--pythonpath", sys.executable),
            *("--project", config),
        ],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    return {
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1)
        for found in json.loads(run.stdout)["generalDiagnostics"]
        if found["severity"] == "error"
    }


CHECKERS = pytest.mark.parametrize("check", [mypy, pyright])


def misspelt(name: str) -> list[str]:
    """Return misspellings of a name: characters swapped, missing or doubled."""
    middle = len(name) // 2
    swapped = name[: middle - 1] + name[middle] + name[middle - 1] + name[middle + 1 :]
    return [
        wrong
        for wrong in (swapped, name[:-1], f"{name}s", name.lower(), name.upper())
        if wrong != name and wrong.isidentifier()
    ]


@CHECKERS
def test_every_misspelt_name_is_found(check: object, site: Path, tmp_path: Path) -> None:
    lines = ["import dcs_sessions, dcs_sessions.emulator, dcs_sessions_api.models", ""]
    for module in (dcs_sessions, dcs_sessions.emulator, dcs_sessions_api.models):
        names = set(module.__all__)
        lines += [
            f"print({module.__name__}.{wrong})"
            for name in sorted(names)
            for wrong in misspelt(name)
            if wrong not in names and find_spec(f"{module.__name__}.{wrong}") is None
        ]
    assert len(lines) > 200
    file = tmp_path / "wrong.py"
    file.write_text("\n".join(lines) + "\n")
    assert callable(check)
    assert check(site, file) == {("wrong.py", number) for number in range(3, len(lines) + 1)}


@CHECKERS
def test_every_name_is_known(check: object, site: Path, tmp_path: Path) -> None:
    lines = ["import dcs_sessions, dcs_sessions.emulator, dcs_sessions_api.models"]
    for module in (dcs_sessions, dcs_sessions.emulator, dcs_sessions_api.models):
        lines += [f"print({module.__name__}.{name})" for name in module.__all__]
    file = tmp_path / "right.py"
    file.write_text("\n".join(lines) + "\n")
    assert callable(check)
    assert check(site, file) == set()


@CHECKERS
def test_blocks_of_the_documentation_are_typed(check: object, site: Path, tmp_path: Path) -> None:
    files: list[Path] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        before = BEFORE
        for match in BLOCK.finditer(text):
            line = text[: match.start(2)].count("\n") + 1
            name = page.relative_to(ROOT).with_suffix("").as_posix().replace("/", "_")
            file = tmp_path / f"{name.replace('-', '_')}_{line}.py"
            code = textwrap.dedent(match[2])
            code = code.replace("import dcs_sessions\n", "")
            file.write_text(f"import dcs_sessions\n{before}{code}", encoding="utf-8")
            if page.stem == "tutorial":  # whose blocks go on from each other
                before += code
            files.append(file)
    assert len(files) > 10
    assert callable(check)
    assert check(site, *files) == set()


def test_all_types_are_complete(site: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [
            Path(sys.executable).with_name("pyright"),
            *("--verifytypes", "dcs_sessions", "--ignoreexternal"),
        ],
        cwd=tmp_path,
        # For this, it asks the first python of the path, whatever --pythonpath says.
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(site),
        },
        capture_output=True,
        text=True,
    )
    assert "Type completeness score: 100%" in run.stdout, run.stdout
