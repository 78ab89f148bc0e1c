"""Make generated/ from openapi.yaml and the sync client of the async one, or check that they are.

Both go the same way: each is made whole in a fresh folder, which then takes the place of the old
one or is compared with it. So nothing stays of what is gone, and a failure changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import unasync

from tools.spec import ROOT, SPEC, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from tools.spec import Node

CONFIG = ROOT / "generator-config.yaml"
# Instead of some of the generator's own; each says what differs.
TEMPLATES = ROOT / "tools" / "templates"
OUTPUT = ROOT / "generated" / "dcs_sessions_api"
PROVENANCE = "provenance.json"

ASYNC = ROOT / "src" / "dcs_sessions" / "_async"
SYNC = ROOT / "src" / "dcs_sessions" / "_sync"
# Besides `await` and its kin, what is called otherwise in the sync client.
_SYNC_NAMES = {
    "AsyncClient": "Client",
    "AsyncEnding": "Ending",
    "AsyncRawClient": "RawClient",
    "AsyncOwnTransport": "OwnTransport",
    "AsyncSender": "Sender",
    "AsyncSideBySide": "SideBySide",
    "AsyncTransport": "Transport",
    "_async": "_sync",
    "_aiohttp": "_h11",
    "_tasks": "_threads",
    "aclose": "close",
    "aclosing": "closing",
    "anext": "next",
}


def provenance(spec: Path) -> str:
    """Return the inputs of a client: hashes of the files and versions of the tools."""
    files = {"openapi.yaml": spec, "generator-config.yaml": CONFIG}
    files |= {path.relative_to(ROOT).as_posix(): path for path in sorted(TEMPLATES.iterdir())}
    facts = {
        name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for name, path in files.items()
    }
    facts |= {tool: version(tool) for tool in ("openapi-python-client", "ruff")}
    return json.dumps(facts, indent=2) + "\n"


def make_sync(output: Path) -> None:
    """Make the sync client, which is the async one without `await`, in a new folder.

    It is formatted by our own rules, since it stands among our own code.
    """
    shutil.copytree(ASYNC, output, ignore=shutil.ignore_patterns("__pycache__"))
    files = [str(path) for path in output.glob("*.py")]
    here = f"{output}{os.sep}"
    unasync.unasync_files(files, [unasync.Rule(here, here, _SYNC_NAMES)])
    for file in output.glob("*.py"):
        text = file.read_text(encoding="utf-8")
        made = f"# Made from _async/{file.name} by `make generate`: do not edit.\n"
        file.write_text(made + text, encoding="utf-8", newline="\n")
    ruff = Path(sys.executable).parent / "ruff"
    for command in (["check", "--fix-only", "--select=F401,I"], ["format"]):
        config = ROOT / "pyproject.toml"
        subprocess.run(
            [ruff, *command, "--quiet", "--no-cache", "--config", config, output],
            check=True,
            stdout=sys.stderr,
        )


def with_ours(api: Node) -> Node:
    """Add the field of a session that the client fills in, and the service does not send."""
    session = api.get("components", {}).get("schemas", {}).get("Session")
    if session is not None:
        session["properties"]["node_id"] = {
            "type": "string",
            "description": "ID of the node that the session is on. The service does not send it.",
        }
    return api


def make(spec: Path, output: Path) -> None:
    """Make a client in a new folder; raise CalledProcessError if a step fails."""
    tools = Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "openapi.json"
        path.write_text(json.dumps(with_ours(load(spec))), encoding="utf-8")
        subprocess.run(
            [
                tools / "openapi-python-client",
                "generate",
                *("--path", path, "--config", CONFIG, "--output-path", output),
                *("--custom-template-path", TEMPLATES),
                "--meta=none",
                "--fail-on-warning",
            ],
            check=True,
            stdout=sys.stderr,
            # The generator calls ruff by its name.
            env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
        )
    hide_secrets(output / "client.py")
    (output / "py.typed").touch()
    # For `dcs-sessions spec --format json`, which has no library for YAML.
    text = json.dumps(load(spec), indent=2, ensure_ascii=False) + "\n"
    (output / "openapi.json").write_text(text, encoding="utf-8", newline="\n")
    (output / PROVENANCE).write_text(provenance(spec), encoding="utf-8", newline="\n")


def hide_secrets(client: Path) -> None:
    """Remove attributes that may contain a token from the repr of the generated clients.

    Raises:
        ValueError: The generator writes another client than it did.
    """
    text = client.read_text(encoding="utf-8")
    for shown, hidden, times in (
        ("    token: str\n", "    token: str = field(repr=False)\n", 1),
        ('alias="headers")', 'alias="headers", repr=False)', 2),
        ('alias="cookies")', 'alias="cookies", repr=False)', 2),
        ('alias="httpx_args")', 'alias="httpx_args", repr=False)', 2),
    ):
        if text.count(shown) != times:
            raise ValueError(f"{client.name} has {shown.strip()!r} not {times} times: see its repr")
        text = text.replace(shown, hidden)
    client.write_text(text, encoding="utf-8", newline="\n")


def differences(fresh: Path, output: Path) -> list[str]:
    """Return a line for each file that differs between two folders."""
    new, old = contents(fresh), contents(output)
    return [
        f"{'missing' if name not in old else 'extra' if name not in new else 'different'}: {name}"
        for name in sorted(new.keys() | old.keys())
        if new.get(name) != old.get(name)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder, without Python's caches."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, only compare")
    parser.add_argument("--spec", type=Path, default=SPEC, help="description to read")
    parser.add_argument("--output", type=Path, help="make only the client, in this folder")
    arguments = parser.parse_args()
    makers: dict[Path, Callable[[Path], None]] = {
        arguments.output or OUTPUT: lambda folder: make(arguments.spec, folder)
    }
    if arguments.output is None:
        makers[SYNC] = make_sync
    with tempfile.TemporaryDirectory() as folder:
        fresh = {output: Path(folder) / output.name for output in makers}
        try:
            for output, maker in makers.items():
                maker(fresh[output])
        except subprocess.CalledProcessError:
            print("Nothing made: a tool failed or warned, see above.", file=sys.stderr)
            return 1
        if not arguments.check:
            for output, made in fresh.items():
                shutil.rmtree(output, ignore_errors=True)
                output.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(made, output)
            return 0
        found = {output: differences(made, output) for output, made in fresh.items()}
    for output, lines in found.items():
        if lines:
            print(f"{output} is not what it is made from:", file=sys.stderr)
            print(*(f"  {line}" for line in lines), sep="\n", file=sys.stderr)
            print("Run `make generate` and commit the difference.", file=sys.stderr)
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
