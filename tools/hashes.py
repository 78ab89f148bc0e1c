"""Write release-requirements.txt: what constraints.txt pins, with the hashes of the files.

    python -m tools.hashes

Releases are built from these files and no others. They are wheels for Linux on x86-64 and the
versions of Python in `PYTHONS`, the first of which builds releases; the others are for those who
build one again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.spec import ROOT

CONSTRAINTS = ROOT / "constraints.txt"
OUTPUT = ROOT / "release-requirements.txt"
PYTHONS = ("3.12.9", "3.11.9")
PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in (39, 34, 28, 27, 24, 17, 12, 5)),
    *(f"manylinux{name}_x86_64" for name in ("2014", "2010", "1")),
    "linux_x86_64",
)
HEAD = """\
# What builds releases, by `make setup-release`: constraints.txt with the hashes of the files.
# Made by `python -m tools.hashes`; do not edit.
"""


def pinned() -> dict[str, str]:
    """Return the version of each package in constraints.txt."""
    found = re.findall(r"^([\w.-]+)==(\S+)", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


def hashes(python: str, pins: dict[str, str]) -> dict[str, str]:
    """Return the hash of the file that pip would install for each package."""
    with tempfile.TemporaryDirectory() as folder:
        wanted, report = Path(folder, "wanted.txt"), Path(folder, "report.json")
        wanted.write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--no-deps"),
                *("--ignore-installed", "--only-binary", ":all:", "--python-version", python),
                *(option for name in PLATFORMS for option in ("--platform", name)),
                *("--target", folder, "--report", report, "--requirement", wanted),
            ],
            check=True,
        )
        installs = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {
        re.sub(r"[-_.]+", "-", each["metadata"]["name"]).lower(): each["download_info"][
            "archive_info"
        ]["hashes"]["sha256"]
        for each in installs
    }


def main() -> None:
    """Write the file."""
    pins = pinned()
    of = [hashes(python, pins) for python in PYTHONS]
    lines = [HEAD]
    for name, version in pins.items():
        key = re.sub(r"[-_.]+", "-", name).lower()
        # In order, so that the file stays the same while nothing changes.
        found = dict.fromkeys(each[key] for each in of)
        parts = [f"{name}=={version}", *(f"    --hash=sha256:{each}" for each in found)]
        lines.append(" \\\n".join(parts) + "\n")
    OUTPUT.write_text("".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
