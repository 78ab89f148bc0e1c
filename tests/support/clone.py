"""A copy of the repository, as of the working tree, that tests may commit to and build in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import spec


class Clone:
    """A git repository with the files of this one, in which commands run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        names = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=spec.ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, names.split("\0")):
            if (spec.ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(spec.ROOT / name, root / name)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("A copy")

    def run(
        self, *command: str | Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
        )

    def python(
        self, *arguments: str | Path, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, *arguments, env=env)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=A test", "-c", "user.email=test@example.com", "-c", "gc.auto=0")
        run = self.run("git", *who, "-c", "commit.gpgsign=false", *arguments)
        assert run.returncode == 0, run.stderr

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        (self.root / name).write_text(text.replace(old, new, 1), encoding="utf-8", newline="\n")

    def prepare(self, version: str) -> None:
        """Commit all that a release of a version needs."""
        old = spec.load(self.root / "openapi.yaml")["info"]["version"]
        self.edit("openapi.yaml", f"\n  version: {old}\n", f"\n  version: {version}\n")
        for name in ("source", "documentation"):
            self.write_address(name, f"https://{name}.example/us/dcs-sessions")
        self.edit("CHANGELOG.md", "\n## ", f"\n## {version}\n\nWhat is new.\n\n## ")
        self.commit(f"Release {version}")

    def write_address(self, name: str, value: str) -> None:
        """Set the address of the source or the documentation."""
        file = self.root / "pyproject.toml"
        text = file.read_text(encoding="utf-8")
        text, count = re.subn(
            rf'(?s)(\[tool\.dcs-sessions\][^\[]*?\n{name} = )"[^"]*"', rf'\1"{value}"', text
        )
        assert count == 1
        file.write_text(text, encoding="utf-8", newline="\n")

    def build(self, output: Path) -> None:
        run = self.python(
            *("-m", "build", "--no-isolation", "--outdir", output),
            env={"SOURCE_DATE_EPOCH": "1700000000"},
        )
        assert run.returncode == 0, run.stdout + run.stderr
