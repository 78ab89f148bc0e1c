"""generated/ is what openapi.yaml makes, and `make generate` fails rather than make less."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import yaml

import tools.generate
from tools import spec

if TYPE_CHECKING:
    from pathlib import Path

GENERATED = spec.ROOT / "generated" / "dcs_sessions_api"


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run what `make generate` and `make check-generated` run."""
    return subprocess.run(
        [sys.executable, "-m", "tools.generate", *arguments],
        cwd=spec.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def changed_spec(folder: Path, api: spec.Node) -> Path:
    path = folder / "openapi.yaml"
    path.write_text(yaml.safe_dump(api, sort_keys=False), encoding="utf-8")
    return path


def test_generated_is_up_to_date() -> None:
    result = generate("--check")
    assert result.returncode == 0, result.stderr


def test_check_names_what_differs(tmp_path: Path) -> None:
    client = tmp_path / "client"
    shutil.copytree(GENERATED, client)
    (client / "client.py").write_text("# edited\n", encoding="utf-8")
    (client / "errors.py").unlink()
    (client / "api" / "old.py").touch()
    result = generate("--check", "--output", client)
    assert result.returncode == 1
    assert "  extra: api/old.py\n  different: client.py\n  missing: errors.py\n" in result.stderr
    assert "`make generate`" in result.stderr
    assert not (client / "errors.py").exists()


def test_removed_operation_leaves_nothing_behind(tmp_path: Path) -> None:
    client = tmp_path / "client"
    shutil.copytree(GENERATED, client)
    api = spec.load()
    nodes = spec.operations(api)["ShowNodesInformation"].path
    del api["paths"][nodes]
    for name in ("NodeList", "Node", "NodeDimension"):
        del api["components"]["schemas"][name]
    result = generate("--spec", changed_spec(tmp_path, api), "--output", client)
    assert result.returncode == 0, result.stderr
    before = {path.relative_to(GENERATED) for path in GENERATED.rglob("*.py")}
    after = {path.relative_to(client) for path in client.rglob("*.py")}
    assert {path.as_posix() for path in before - after} == {
        "api/nodes/__init__.py",
        "api/nodes/show_nodes_information.py",
        "models/node.py",
        "models/node_dimension.py",
        "models/node_list.py",
    }
    assert after <= before


def test_warning_of_the_generator_fails_and_changes_nothing(tmp_path: Path) -> None:
    client = tmp_path / "client"
    shutil.copytree(GENERATED, client)
    api = spec.load()
    # The generator leaves out an operation whose only media type it does not know.
    content = spec.operations(api)["HangUpClients"].definition["requestBody"]["content"]
    content["application/x-unknown"] = content.pop("application/json")
    result = generate("--spec", changed_spec(tmp_path, api), "--output", client)
    assert result.returncode == 1
    assert "application/x-unknown" in result.stderr
    assert "Nothing made" in result.stderr
    assert (client / "api" / "sessions" / "hang_up_clients.py").exists()


TEMPLATES = [path.relative_to(spec.ROOT).as_posix() for path in tools.generate.TEMPLATES.iterdir()]


def test_provenance_has_the_hashes_of_the_inputs() -> None:
    facts = json.loads((GENERATED / "provenance.json").read_text(encoding="utf-8"))
    assert facts == {
        **{
            name: f"sha256:{hashlib.sha256((spec.ROOT / name).read_bytes()).hexdigest()}"
            for name in ("openapi.yaml", "generator-config.yaml", *TEMPLATES)
        },
        **{tool: version(tool) for tool in ("openapi-python-client", "ruff")},
    }, "run `make generate` and commit generated/"


def test_sync_client_is_checked_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sync = tmp_path / "_sync"
    shutil.copytree(spec.ROOT / "src" / "dcs_sessions" / "_sync", sync)
    monkeypatch.setattr("tools.generate.SYNC", sync)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert tools.generate.main() == 0
    (sync / "_raw.py").write_text("# edited\n", encoding="utf-8")
    assert tools.generate.main() == 1
