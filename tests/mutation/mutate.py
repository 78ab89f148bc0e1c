"""`make mutants-client` and `make mutants-emulator`: test the tests with changed source code.

mutmut makes the changes, in a folder for each part, `build/mutants/PART`, and `judge.py` runs the
tests. Results are kept there: a run that was interrupted goes on where it was with `--unjudged`.
Without it, what was not found before is judged again, by the tests as they are now.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from tools import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

SURVIVORS = Path(__file__).with_name("survivors.yaml")
GOAL = 0.92
# The variable that names the file of a plan for `judge.py`.
PLAN = "DCS_SESSIONS_MUTANTS"
# What the tests read besides the source.
COPIED = ("generated", "docs", "examples", "openapi.yaml", "dcs.arazzo.yaml", "README.md")


class Part(NamedTuple):
    """A part of the source that is mutated, and the tests that must find the mutations."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]
    without: tuple[str, ...]
    others: tuple[str, ...] = ()


PARTS = {
    # The sync client is made of the async one, line by line, and all tests run against both.
    "client": Part(
        sources=("_async/*.py", "_auth/*.py", "_transports/*.py", "_[a-z]*.py"),
        tests=("tests/client", "tests/signing", "tests/fuzz", "tests/secrets"),
        without=(
            # They start programs, in which nothing is mutated.
            "--ignore=tests/secrets/test_programs.py",
            # Names, docstrings and the depth of calls are not those of the source under mutation,
            # which imports mutmut, too.
            "--ignore=tests/client/test_public.py",
            "--ignore=tests/client/test_fork.py",
            "--ignore=tests/client/test_import.py",
            "--deselect=tests/client/test_auth.py::test_file_readable_by_others_gives_a_warning",
            # It has 400,000 addresses, whose checks take long where each call is counted.
            "--deselect=tests/client/test_deadlines.py::test_server_that_reads_nothing_ends_at_the_timeout",
        ),
        others=("_cli/*", "_sync/*"),
    ),
    "emulator": Part(
        sources=("emulator/*.py",),
        tests=("tests/emulator",),
        # What it starts as a process is not mutated.
        without=(
            "--ignore=tests/emulator/test_process.py",
            "--ignore=tests/emulator/test_pytest_plugin.py",
            "--deselect=tests/emulator/test_faults.py::test_client_succeeds_despite_faults",
            "--deselect=tests/emulator/test_embedding.py::test_emulator_shares_no_code_with_the_client",
        ),
    ),
}


def prepare(name: str) -> Path:
    """Create the folder in which a part is mutated."""
    part, folder = PARTS[name], spec.ROOT / "build" / "mutants" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tools").mkdir(exist_ok=True)
    # Without the tools of Node.js, which mutmut would copy.
    tools = [f"tools/{file.name}" for file in (spec.ROOT / "tools").glob("*.*")]
    for source in ("src", "tests", *COPIED, *tools):
        link = folder / source
        link.unlink(missing_ok=True)
        link.symlink_to(spec.ROOT / source)
    settings = {
        "source_paths": ["src"],
        "only_mutate": [f"src/dcs_sessions/{source}" for source in part.sources],
        # A star stands for folders as well.
        "do_not_mutate": [
            f"src/dcs_sessions/{source}" for source in ("*__init__.py", "__main__.py", *part.others)
        ],
        "also_copy": [*COPIED, "tools"],
    }
    project = (spec.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (folder / "pyproject.toml").write_text("\n".join([project, "[tool.mutmut]", *lines, ""]))
    return folder


def generate(folder: Path) -> None:
    """Create the mutants beside a copy of the current tests."""
    for copied in ("tests", "tools", *COPIED):
        if (folder / "mutants" / copied).is_dir():
            shutil.rmtree(folder / "mutants" / copied)
    program = (
        "from mutmut import __main__ as m; from pathlib import Path;"
        "Path('mutants').mkdir(exist_ok=True); m.copy_src_dir(); m.copy_also_copy_files();"
        "m.setup_source_paths(); m.create_mutants(2)"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )


def hashes(folder: Path) -> dict[str, str]:
    """Return all mutants, each with a hash of the function that it changes."""
    found: dict[str, str] = {}
    for file in sorted((folder / "mutants").rglob("*.meta")):
        meta = json.loads(file.read_text(encoding="utf-8"))
        for mutant in meta["exit_code_by_key"]:
            name = function(mutant).rpartition(".")[2]
            found[mutant] = meta["hash_by_function_name"][name]
    return found


def function(mutant: str) -> str:
    """Return the function that a mutant changes."""
    return mutant.rpartition("__mutmut_")[0]


def read(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file that is being written."""
    if file.exists():
        for line in file.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)


def side_by_side(folder: Path, part: Part, plans: list[dict[str, Any]], tests: list[str]) -> None:
    """Run pytest with the plugin, a process for each plan.

    Raises:
        SystemExit: A process failed; the end of what it printed is shown.
    """
    at = folder / "mutants"
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as temporary:
        running = []
        for number, plan in enumerate(plans):
            home = Path(temporary, str(number))
            home.mkdir()
            (home / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
            command = [sys.executable, "-m", "pytest", "-p", "mutation.judge", "--timeout=8"]
            command += ["-p", "no:cacheprovider", "-Wdefault", *part.without, *tests]
            variables = {
                "PYTHONPATH": ":".join(map(str, (at / "src", at / "generated", at, at / "tests"))),
                "TMPDIR": str(home),
                PLAN: str(home / "plan.json"),
            }
            with (home / "log").open("wb") as log:
                process = subprocess.Popen(
                    command, cwd=at, env={**os.environ, **variables}, stdout=log, stderr=log
                )
            running.append((process, home / "log"))
        for process, file in running:
            if process.wait():
                sys.exit(file.read_text(encoding="utf-8", errors="replace")[-3000:])


def measure(folder: Path, part: Part, functions: set[str], processes: int) -> Path:
    """Return a file of which functions each test calls; files of tests that are known are kept."""
    at, cache = folder / "mutants", folder / "measured"
    cache.mkdir(exist_ok=True)
    names, known = "".join(sorted(functions)).encode(), {}
    for test in part.tests:
        for file in sorted((at / test).glob("test_*.py")):
            digest = hashlib.sha256(names + file.read_bytes()).hexdigest()
            known[str(file.relative_to(at))] = cache / f"{digest}.jsonl"
    left_out = {option.partition("=")[2] for option in part.without}
    new = [file for file, kept in known.items() if not kept.exists() and file not in left_out]
    if new:
        out = [folder / f"measured-{number}.jsonl" for number in range(processes)]
        for one in out:
            one.unlink(missing_ok=True)
        plans = [
            {"measured": str(one), "turn": [number, processes]} for number, one in enumerate(out)
        ]
        print(f"measuring {len(new)} files of tests", flush=True)
        side_by_side(folder, part, plans, new)
        rows = [row for one in out for row in read(one)]
        for test in new:
            fitting = [row for row in rows if row["test"].startswith(f"{test}::")]
            text = "".join(json.dumps(row) + "\n" for row in fitting)
            known[test].write_text(text, encoding="utf-8")
        for row in rows:
            if row["failed"]:
                print("fails without a mutant, and is not used:", row["test"])
    combined = folder / "measured.jsonl"
    combined.write_text("".join(one.read_text() for one in known.values() if one.exists()))
    return combined


def listed() -> dict[str, str]:
    """Return patterns of the mutants that may survive, with their reasons."""
    rows: list[dict[str, Any]] = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8")) or []
    return {pattern: row["reason"] for row in rows for pattern in row["mutants"]}


def verdicts(folder: Path, mutants: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Return the newest verdict for each mutant whose function is still the same."""
    return {
        row["mutant"]: row
        for file in sorted(folder.glob("verdicts-*.jsonl"))
        for row in read(file)
        if mutants.get(row["mutant"]) == row["hash"]
    }


def report(name: str, names: list[str], known: dict[str, dict[str, Any]]) -> int:
    """Print the results, and return the exit code."""
    reasons = listed()
    judged = [known[mutant] for mutant in names if mutant in known]
    survivors = [row for row in judged if row["found"] is None]
    allowed = {
        row["mutant"]
        for row in survivors
        if any(fnmatch.fnmatch(row["mutant"], pattern) for pattern in reasons)
    }
    for row in survivors:
        note = "" if row["all"] else " (time was over)"
        print(f"survived {row['tests']:4} tests{note}", end=" ")
        print("(listed)" if row["mutant"] in allowed else "        ", row["mutant"])
    by_module = Counter(function(row["mutant"]).rpartition(".")[0] for row in survivors)
    for module, count in sorted(by_module.items()):
        print(f"{count:5} in {module}")
    found = len(judged) - len(survivors)
    share = found / len(judged) if judged else 0.0
    print(f"{name}: {found} of {len(judged)} found, {share:.1%};", end=" ")
    print(f"{len(allowed)} of the survivors have a reason; {len(names) - len(judged)} not judged.")
    return int(share < GOAL)


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--only", default="*", help="mutants that fit this pattern")
    parser.add_argument("--sample", type=int, help="at most N of them, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard", default="1/1", help="2/5 is the second of five parts")
    parser.add_argument("--unjudged", action="store_true", help="not those that were not found")
    parser.add_argument("--seconds", type=float, default=10.0, help="of tests for each mutant")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--report", action="store_true", help="show what is known, and run nothing")
    options = parser.parse_args()

    part, folder = PARTS[options.part], prepare(options.part)
    if not options.report:
        generate(folder)
    mutants = hashes(folder)
    names = [name for name in mutants if fnmatch.fnmatch(name, options.only)]
    if options.sample is not None:
        names = random.Random(options.seed).sample(names, min(options.sample, len(names)))
    number, _, count = options.shard.partition("/")
    names = names[int(number) - 1 :: int(count)]
    known = verdicts(folder, mutants)
    if not options.report:
        measured = measure(folder, part, {function(one) for one in mutants}, options.processes)
        wanted = [
            name
            for name in names
            if name not in known or (not options.unjudged and known[name]["found"] is None)
        ]
        print(f"judging {len(wanted)} mutants", flush=True)
        # The newest last: verdicts are read in this order.
        stamp = f"{len(list(folder.glob('verdicts-*.jsonl'))):06}"
        plans = [
            {
                "measured": str(measured),
                "seconds": options.seconds,
                "verdicts": str(folder / f"verdicts-{stamp}-{turn}.jsonl"),
                "mutants": {name: mutants[name] for name in wanted[turn :: options.processes]},
            }
            for turn in range(options.processes)
        ]
        if wanted:
            side_by_side(
                folder, part, plans, [test for test in part.tests if (spec.ROOT / test).is_dir()]
            )
        known = verdicts(folder, mutants)
    return report(options.part, names, known)


if __name__ == "__main__":
    sys.exit(main())
