"""Make the Python client in generated/ from openapi.yaml, or check that it is what would be made.

Both go the same way: the client is made whole in a fresh folder, which then takes the place of the
old one or is compared with it. So nothing stays of an operation that is gone, and a failure
changes nothing.
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

from tools.spec import ROOT, SPEC

CONFIG = ROOT / "generator-config.yaml"
OUTPUT = ROOT / "generated" / "dcs_sessions_api"
PROVENANCE = "provenance.json"


def provenance(spec: Path) -> str:
    """What a client is made from: the hashes of the files and the versions of the tools."""
    files = {"openapi.yaml": spec, "generator-config.yaml": CONFIG}
    facts = {
        name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
        for name, path in files.items()
    }
    facts |= {tool: version(tool) for tool in ("openapi-python-client", "ruff")}
    return json.dumps(facts, indent=2) + "\n"


def make(spec: Path, output: Path) -> None:
    """Make a client in a folder that does not exist; CalledProcessError if anything is amiss."""
    tools = Path(sys.executable).parent
    subprocess.run(
        [
            tools / "openapi-python-client",
            "generate",
            *("--path", spec, "--config", CONFIG, "--output-path", output),
            "--meta=none",
            "--fail-on-warning",
        ],
        check=True,
        stdout=sys.stderr,
        # The generator calls ruff by its name.
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )
    (output / "py.typed").touch()
    (output / PROVENANCE).write_text(provenance(spec), encoding="utf-8", newline="\n")


def differences(fresh: Path, output: Path) -> list[str]:
    """One line for each file that is not the same in both folders."""
    new, old = contents(fresh), contents(output)
    return [
        f"{'missing' if name not in old else 'extra' if name not in new else 'different'}: {name}"
        for name in sorted(new.keys() | old.keys())
        if new.get(name) != old.get(name)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, without what Python caches there."""
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
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the client")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "client"
        try:
            make(arguments.spec, fresh)
        except subprocess.CalledProcessError:
            print("No client made: the generator failed or warned, see above.", file=sys.stderr)
            return 1
        if not arguments.check:
            shutil.rmtree(arguments.output, ignore_errors=True)
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(fresh, arguments.output)
            return 0
        found = differences(fresh, arguments.output)
    if found:
        print(f"{arguments.output} is not what {arguments.spec.name} makes:", file=sys.stderr)
        print(*(f"  {line}" for line in found), sep="\n", file=sys.stderr)
        print("Run `make generate` and commit generated/.", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
