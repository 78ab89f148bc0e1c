"""`make mutants`: plant faults in the contract and the emulator, which the tests must find."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml
from rich.console import Console
from rich.table import Table

from mutation import contract, server
from tools import spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SERVER_TESTS = ["tests/emulator"]
SUITE = "suite"
SUITE_EXAMPLES = "20"
WORKERS = 2
SECONDS = 300

# These faults of the contract are found by `make contract` alone, from what the faithful emulator
# answers. Others are not to be seen from outside, such as an example that is wrong: all that the
# operators of document.py make are found by the tests.
FOUND_BY_SUITE = (
    "a method changes",
    "a path changes",
    "the largest limit is one more",
    "the smallest limit is one less",
    "node_id is optional",
    "clean_cache is a string",
    "neither node_id nor kill_all_nodes is needed",
    "the items of a list change their type",
    "a status is dropped",
    "throttling is not documented",
    "success has another status",
    "an error has another media type",
    "a header is a number",
    "an answer has another media type",
    "job_id is an integer",
    "job_id is called id",
    "count is a string",
    "a session is text",
    "the sessions are an object",
    "a field of a session changes its type",
    "multi cannot be -1",
    "the port of a node is a number",
    "a field of the errors is renamed",
    "the details of an error cannot be null",
    "a link takes another ID of the node",
)


class Result(NamedTuple):
    """The test that found a fault, if any, and the time it took."""

    name: str
    caught_by: str | None
    seconds: float


class BrokenRunError(Exception):
    """A run failed without a failing test, which proves nothing about a fault."""

    def __init__(self, output: str) -> None:
        super().__init__("\n".join(output.strip().splitlines()[-20:]))


def run(line: Sequence[str], **variables: str) -> tuple[bool, str]:
    """Run a command in the root folder. Return whether it succeeded, and its output."""
    path = os.pathsep.join([str(spec.ROOT), str(spec.ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path, **variables}
    # A group of its own, so that what it has started does not stay when it hangs.
    process = subprocess.Popen(
        line,
        cwd=spec.ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        return False, "it hangs"
    return process.returncode == 0, output


def pytest(*options: str, **variables: str) -> str | None:
    """Run tests until one fails, and return its name."""
    line = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *options]
    good, output = run(line, **variables)
    if good:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(\S+)", output, re.MULTILINE)
    if failed is None:
        raise BrokenRunError(output)
    return failed[1]


def suite(emulator: str = "", **variables: str) -> str | None:
    """Run a short `make contract`, and return the faults that it reports."""
    with tempfile.TemporaryDirectory() as reports:
        line = [sys.executable, "-m", "tools.contract", "--max-examples", SUITE_EXAMPLES]
        line += ["--reports", reports, *(["--emulator", emulator] if emulator else [])]
        good, output = run([*line, "--", "--no-shrink", "--max-failures", "1"], **variables)
    if good:
        return None
    found = re.search(r"^\s*- (ST\d+ .*)$", output, re.MULTILINE)
    said = found or re.search(r"^(?:FAULT|Error): (.*)$", output, re.MULTILINE)
    if said is None:
        raise BrokenRunError(output)
    return f"make contract: {said[1]}"


def contract_fault(fault: contract.Mutant | None) -> str | None:
    """Plant a fault in the contract, if any. Return the faults that `make contract` reports."""
    api = spec.load() if fault is None else fault.apply(spec.load())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "openapi.yaml")
        path.write_text(yaml.safe_dump(api, sort_keys=False, allow_unicode=True))
        return suite(DCS_SESSIONS_SPEC=str(path))


def server_fault(fault: server.Fault) -> str | None:
    """Plant a fault in the emulator. Return the test that finds it, trying the named ones first."""
    command = shlex.join([sys.executable, "-m", "mutation.server", "emulator"])
    planted = {"DCS_SESSIONS_FAULT": fault.name}
    named = [test for test in fault.tests if test != SUITE]
    caught = None
    if SUITE in fault.tests:
        caught = suite(command, **planted)
    for tests in (named, SERVER_TESTS):
        caught = caught or (pytest("-p", "mutation.server", *tests, **planted) if tests else None)
    return caught or suite(command, **planted)


def timed(name: str, find: Callable[[], str | None]) -> Result:
    """Plant one fault, and measure the time."""
    start = time.monotonic()
    try:
        caught = find()
    except BrokenRunError as error:
        print(f"\n{name}: no test has failed, and yet the run has:\n{error}", file=sys.stderr)
        caught = None
    result = Result(name, caught, time.monotonic() - start)
    print("." if caught else "S", end="", flush=True)
    return result


def faithful() -> list[str]:
    """Return the tests that fail although no fault was planted."""
    checks = {
        "make contract": lambda: contract_fault(None),
        "the tests of the emulator": lambda: pytest(*SERVER_TESTS),
    }
    with ThreadPoolExecutor(WORKERS) as pool:
        failures = list(pool.map(lambda check: check(), checks.values()))
    return [f"{name}: {why}" for name, why in zip(checks, failures, strict=True) if why]


def show(title: str, results: Sequence[Result]) -> int:
    """Print which test found each fault, and return the number of survivors."""
    table = Table("fault", "caught by", "s", title=title, title_justify="left")
    for name, caught, seconds in results:
        table.add_row(name, caught or "SURVIVED", f"{seconds:.1f}")
    console = Console(width=150)
    print()
    console.print(table)
    survivors = sum(result.caught_by is None for result in results)
    print(f"{title}: {len(results) - survivors} of {len(results)} caught.\n", flush=True)
    return survivors


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", default="", help="faults whose name contains this")
    only = parser.parse_args().only

    failures = faithful()
    if failures:
        print("Without any fault, this fails already:", *failures, sep="\n  ", file=sys.stderr)
        return 2
    print("Without any fault, everything passes.", flush=True)

    def asked(name: str) -> bool:
        return only in name

    survivors = Counter[str]()
    with ThreadPoolExecutor(WORKERS) as pool:

        def plant(title: str, jobs: dict[str, Callable[[], str | None]]) -> None:
            chosen = {name: job for name, job in jobs.items() if asked(name)}
            survivors[title] = show(title, list(pool.map(timed, chosen, chosen.values())))

        faults = {fault.name: fault for fault in contract.faults()}
        plant(
            "Faults in the contract, found by the emulator's answers alone",
            {name: partial(contract_fault, faults[name]) for name in FOUND_BY_SUITE},
        )
        plant(
            "Faults in the emulator",
            {fault.name: partial(server_fault, fault) for fault in server.faults()},
        )
    return 1 if survivors.total() else 0


if __name__ == "__main__":
    sys.exit(main())
