"""Print the distributions, megabytes and import time of the package and its peers.

Each is installed into a fresh environment, for which pip asks its index. Nothing else is measured
with a network: tests/client/test_import.py holds the rest.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final, NamedTuple

from tools.spec import ROOT

_ROUNDS: Final = 11
# Goals for the package alone: distributions, itself included; MB; time of a client against httpx.
_MOST: Final = (17, 25.0, 1.1)


class Row(NamedTuple):
    """The size and the import time of one installation."""

    name: str
    distributions: int
    megabytes: float
    seconds: float
    httpx: float


def measure(name: str, requirement: str, imported: str, folder: Path) -> Row:
    """Install a requirement into a new environment, and measure it."""
    venv.create(folder, with_pip=False)
    scripts = "Scripts" if sys.platform == "win32" else "bin"
    python = folder / scripts / "python"
    constraints = ("--constraint", ROOT / "constraints.txt")
    install = ("install", "--quiet", "--no-compile", *constraints, requirement)
    subprocess.run([sys.executable, "-m", "pip", "--python", folder, *install], check=True)
    packages = next(folder.rglob("site-packages"))
    size = sum(path.stat().st_size for path in packages.rglob("*") if path.is_file())
    count = len(list(packages.glob("*.dist-info")))
    return Row(name, count, size / 1e6, *_seconds(python, imported, "import httpx"))


def _seconds(python: Path, *programs: str) -> list[float]:
    """Return the processor time of each program, in turns, and without that of Python itself."""
    times: dict[str, list[float]] = {program: [] for program in ("pass", *programs)}
    for _ in range(_ROUNDS):
        for program, found in times.items():
            found.append(_once(python, program))
    return [statistics.median(times[program]) for program in programs]


def _once(python: Path, program: str) -> float:
    before = os.times()
    run = subprocess.run([python, "-c", program], stderr=subprocess.DEVNULL)
    after = os.times()
    if run.returncode:
        return float("nan")
    used = (after.children_user, after.children_system)
    return sum(used) - before.children_user - before.children_system


def _ratio(row: Row) -> str:
    """Return the time against that of httpx, where that is in the same environment."""
    return "" if math.isnan(row.httpx) else f"{row.seconds / row.httpx:.2f}x"


def main() -> int:
    """Print the table; the result is the exit code."""
    ours = "from dcs_sessions import Client"
    contenders = [
        ("dcs-sessions", str(ROOT), ours),
        ("dcs-sessions[cli]", f"{ROOT}[cli]", ours),
        ("dcs-sessions[emulator]", f"{ROOT}[emulator]", ours),
        ("httpx", "httpx", "import httpx"),
        ("openai", "openai", "from openai import OpenAI"),
        (
            "huaweicloudsdkdcs",
            "huaweicloudsdkdcs",
            "from huaweicloudsdkdcs.v2 import DcsClient",
        ),
    ]
    print(f"{'':24} {'distributions':>13} {'MB':>6} {'import ms':>10} {'of httpx':>9}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, contender in enumerate(contenders):
            row = measure(*contender, Path(folder) / str(number))
            rows.append(row)
            print(
                f"{row.name:24} {row.distributions:13} {row.megabytes:6.1f}"
                f" {row.seconds * 1000:10.0f} {_ratio(row):>9}",
                flush=True,
            )
    base = rows[0]
    found = (base.distributions, base.megabytes, base.seconds / base.httpx)
    missed = [
        f"{value:.3g} > {most}" for value, most in zip(found, _MOST, strict=True) if value > most
    ]
    if missed:
        print("Missed for the package alone:", ", ".join(missed), file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
