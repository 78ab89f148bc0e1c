"""`make flakes`: run the tests repeatedly, in conditions that show which of them are unreliable.

    python tests/flakes.py [--times 1] [--only NAME] [paths and options of pytest ...]

Each condition uses a random order; its seed reproduces it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parent.parent
BUSY = [sys.executable, "-c", "while True: pass"]
# Seconds for which processes stand still, as on a busy machine, and seconds between two pauses.
PAUSES = (0.2, 0.8)
BETWEEN_PAUSES = (0.5, 3.0)
# Name -> what stands before the command, variables, and how many processes use the processor.
CONDITIONS: dict[str, tuple[list[str], dict[str, str], int]] = {
    "as it is": ([], {}, 0),
    "beside two busy cores": ([], {}, 2),
    "on one core": (["taskset", "--cpu-list", "0"], {}, 0),
    "in Shanghai": ([], {"TZ": "Asia/Shanghai"}, 0),
    "without a language": ([], {"LANG": "C", "LC_ALL": "C"}, 0),
    "with cold caches": ([], {"PYTHONDONTWRITEBYTECODE": "1"}, 0),
    "with pauses": ([], {}, 0),
    "with pauses at the worst moment": ([], {"DCS_SESSIONS_SHORT": "1"}, 0),
}


def pytest_configure() -> None:
    """Let short timeouts pass before the call begins, as when the process stands still then."""
    short = float(os.environ.get("DCS_SESSIONS_SHORT", "0"))
    if not short:
        return
    from dcs_sessions._deadline import Deadline

    begin = Deadline.__init__

    def begin_and_pause(self: Deadline, seconds: float) -> None:
        begin(self, seconds)
        if seconds < short:
            time.sleep(seconds + 0.01)

    Deadline.__init__ = begin_and_pause  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests in a random order, file by file, so that fixtures of a file are made once."""
    seed = os.environ.get("DCS_SESSIONS_ORDER")
    if seed:
        dice = random.Random(seed)
        files = sorted({str(item.path) for item in items})
        dice.shuffle(files)
        at = {file: number for number, file in enumerate(files)}
        dice.shuffle(items)
        items.sort(key=lambda item: at[str(item.path)])


def descendants(process: int) -> list[int]:
    """Return the processes that a process has started, and those that they have started."""
    found = []
    for file in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, file.read_text().split()):
                found += [child, *descendants(child)]
    return found


def pause(run: subprocess.Popen[bytes], seed: str) -> None:
    """Stop processes of a run for a moment, again and again until it ends."""
    dice = random.Random(seed)
    while run.poll() is None:
        time.sleep(dice.uniform(*BETWEEN_PAUSES))
        for process in dice.sample(found := descendants(run.pid), min(2, len(found))):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
                try:
                    time.sleep(dice.uniform(*PAUSES))
                finally:
                    os.kill(process, signal.SIGCONT)


def run(condition: str, seed: str, arguments: list[str]) -> int:
    """Run the tests once."""
    before, variables, busy = CONDITIONS[condition]
    if condition == "with cold caches":
        for folder in (".pytest_cache", ".hypothesis"):
            shutil.rmtree(ROOT / folder, ignore_errors=True)
    environment = {**os.environ, **variables, "DCS_SESSIONS_ORDER": seed}
    environment["PYTHONPATH"] = str(ROOT / "tests")
    others = [subprocess.Popen(BUSY) for _ in range(busy)]
    try:
        command = [*before, sys.executable, "-m", "pytest", "-q", "-p", "flakes", *arguments]
        with subprocess.Popen(command, cwd=ROOT, env=environment) as tests:
            if condition == "with pauses":
                pause(tests, seed)
            return tests.wait()
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--only", choices=CONDITIONS)
    options, arguments = parser.parse_known_args()
    failed = 0
    for number in range(options.times):
        for condition in [options.only] if options.only else CONDITIONS:
            seed, began = f"{options.seed}-{number}", time.monotonic()
            code = run(condition, seed, arguments or ["--numprocesses", "auto"])
            failed += code != 0
            took = time.monotonic() - began
            print(f"== {condition}, order {seed}: exit {code} after {took:.0f} s", flush=True)
    print(f"{failed} runs failed.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
