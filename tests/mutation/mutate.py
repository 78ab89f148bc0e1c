"""`make mutants-client` and `make mutants-emulator`: test the tests with changed source code.

mutmut makes the changes, in a folder for each part, `build/mutants/PART`. There it keeps its
results, so a run that was interrupted goes on where it was, and the next judges what has changed.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tools import spec

SURVIVORS = Path(__file__).with_name("survivors.yaml")
# What mutmut writes where the tests have found a mutant, or could not end.
FOUND = (1, 3, 24, 36, 152, 255, -24, -9, -11)


GOAL = 0.92


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
        tests=("tests/client", "tests/signing", "tests/typing"),
        # Names, docstrings and the depth of calls are not those of the source under mutation.
        without=(
            "--ignore=tests/client/test_public.py",
            "--ignore=tests/client/test_fork.py",
            "--deselect=tests/client/test_auth.py::test_file_readable_by_others_gives_a_warning",
        ),
        others=("_cli/*", "_sync/*"),
    ),
    "emulator": Part(
        sources=("emulator/*.py",),
        tests=("tests/emulator",),
        # What it starts as a process is not mutated, and what takes long finds nothing else.
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
    for source in ("src", "generated", "tests", "openapi.yaml", "dcs.arazzo.yaml", *tools):
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
        "also_copy": ["generated", "tools", "openapi.yaml", "dcs.arazzo.yaml"],
        "pytest_add_cli_args": ["--timeout=60", "-Wdefault", *part.without],
        "pytest_add_cli_args_test_selection": [
            test for test in part.tests if (spec.ROOT / test).is_dir()
        ],
        "use_git_change_detection": False,
        "timeout_multiplier": 4.0,
        "timeout_constant": 20.0,
    }
    project = (spec.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (folder / "pyproject.toml").write_text("\n".join([project, "[tool.mutmut]", *lines, ""]))
    return folder


def verdicts(folder: Path) -> dict[str, int | None]:
    """Return all mutants with mutmut's results."""
    found: dict[str, int | None] = {}
    for meta in sorted((folder / "mutants").rglob("*.meta")):
        found |= json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"]
    return found


def generate(folder: Path) -> None:
    """Create the mutants beside a copy of the current tests."""
    for copied in ("tests", "generated", "tools"):
        shutil.rmtree(folder / "mutants" / copied, ignore_errors=True)
    program = (
        "from mutmut import __main__ as m; from pathlib import Path;"
        "Path('mutants').mkdir(exist_ok=True); m.copy_src_dir(); m.copy_also_copy_files();"
        "m.setup_source_paths(); m.create_mutants(2)"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )


def listed() -> dict[str, str]:
    """Return patterns of the mutants that may survive, with their reasons."""
    rows: list[dict[str, Any]] = yaml.safe_load(SURVIVORS.read_text(encoding="utf-8")) or []
    return {pattern: row["reason"] for row in rows for pattern in row["mutants"]}


def report(name: str, found: dict[str, int | None]) -> int:
    """Print the results, and return the exit code."""
    reasons = listed()
    survivors = [
        mutant for mutant, verdict in found.items() if verdict is not None and verdict not in FOUND
    ]
    allowed = [one for one in survivors if any(fnmatch.fnmatch(one, row) for row in reasons)]
    judged = sum(verdict is not None for verdict in found.values())
    for mutant in survivors:
        print("survived", "(listed)" if mutant in allowed else "        ", mutant)
    by_module = Counter(mutant.rpartition(".")[0] for mutant in survivors)
    for module, count in sorted(by_module.items()):
        print(f"{count:5} in {module}")
    share = (judged - len(survivors)) / judged if judged else 0.0
    print(f"{name}: {judged - len(survivors)} of {judged} found, {share:.1%};", end=" ")
    print(f"{len(allowed)} of the survivors have a reason; {len(found) - judged} not judged yet.")
    return int(share < GOAL)


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--only", default="*", help="mutants that fit this pattern")
    parser.add_argument("--sample", type=int, help="at most N of them, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard", default="1/1", help="2/5 is the second of five parts")
    parser.add_argument("--report", action="store_true", help="show what is known, and run nothing")
    options = parser.parse_args()

    folder = prepare(options.part)
    if not options.report:
        generate(folder)
    names = [name for name in verdicts(folder) if fnmatch.fnmatch(name, options.only)]
    if options.sample is not None:
        names = random.Random(options.seed).sample(names, min(options.sample, len(names)))
    number, _, count = options.shard.partition("/")
    names = names[int(number) - 1 :: int(count)]
    if not options.report:
        command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "2"]
        result = subprocess.run([*command, *names], cwd=folder, check=False)
        if result.returncode:
            return result.returncode
    found = verdicts(folder)
    return report(options.part, {name: found[name] for name in names})


if __name__ == "__main__":
    sys.exit(main())
