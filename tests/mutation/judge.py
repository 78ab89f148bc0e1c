"""A plugin of pytest that judges mutants: the tests are collected once, and each mutant is a fork.

`mutate.py` starts it, in the folder where mutmut has made the mutants, with a plan: the mutants,
the seconds of tests for each, and the files for what is measured and for the verdicts. Of the tests
that call the mutated function, those run first that have found another mutant of it, then those
that have found one of another function of its module, then those that are short and call few other
functions, with the parameters of a test in turns with other tests.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

from mutation.mutate import PLAN, function, read

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import pytest

    Tests = dict[str, dict[str, Any]]

# A test that takes longer by itself is not used: on a busy machine it could end at the time limit,
# and would seem to have found something.
LONGEST = 4.0
# Seconds for the end of a child beyond those of its tests.
GRACE = 60.0
# Seconds for which a test that passes without a mutant is trusted to do so.
TRUSTED = 30.0

_failed = False


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember a failure."""
    global _failed
    _failed = _failed or report.failed


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Judge mutants instead of running the tests."""
    plan = json.loads(Path(os.environ[PLAN]).read_text(encoding="utf-8"))
    if "turn" in plan:
        turn, of = plan["turn"]
        _measure(session.items[turn::of], Path(plan["measured"]))
    else:
        _judge(session.items, plan)
    return True


def _run(item: pytest.Item, following: pytest.Item | None) -> bool:
    """Run a test, and return whether it failed."""
    global _failed
    _failed = False
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return _failed


def _child(task: Callable[[Callable[[Any], None]], None], seconds: float) -> list[Any]:
    """Run a task in a fork, and return what it has reported before it ended or was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            task(lambda value: _write(writing, value))
        finally:
            os._exit(0)
    os.close(writing)
    lines, until = b"", time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([reading], [], [], max(0.0, until - time.monotonic()))
        # A process that the tests have left behind may hold the pipe open.
        if not ready:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            break
        received = os.read(reading, 65536)
        lines += received
        if not received or lines.endswith(b"null\n"):
            break
    os.close(reading)
    os.waitpid(child, 0)
    return [json.loads(line) for line in lines.splitlines()]


def _write(pipe: int, value: Any) -> None:
    os.write(pipe, json.dumps(value).encode() + b"\n")


def _measure(items: list[pytest.Item], file: Path) -> None:
    """Write down how long each test takes, which functions it calls, and whether it passes."""
    with file.open("a", encoding="utf-8") as out:
        for item in items:
            before = set(sys.modules)

            def task(
                report: Callable[[Any], None],
                item: pytest.Item = item,
                before: set[str] = before,
            ) -> None:
                set_mutant_under_test("stats")
                began = time.monotonic()
                failed = _run(item, None)
                seconds = round(time.monotonic() - began, 4)
                called = sorted(state()._stats)
                row = {"test": item.nodeid, "seconds": seconds, "failed": failed, "calls": called}
                report({**row, "imports": [name for name in sys.modules if name not in before]})

            for row in _child(task, 120):
                out.write(json.dumps(row) + "\n")
                _import(row["imports"])
            out.flush()


def _import(modules: Collection[str]) -> None:
    """Import what a test has imported, so that it is not imported again in each fork."""
    if not modules:
        return
    for module in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    gc.collect()
    # A collection in a fork would copy the memory of all that was loaded.
    gc.freeze()


def _judge(items: list[pytest.Item], plan: dict[str, Any]) -> None:
    tests: Tests = {}
    for row in read(Path(plan["measured"])):
        tests[row["test"]] = row
    _import({name for test in tests.values() for name in test["imports"]})
    calling: dict[str, list[pytest.Item]] = {}
    for item in _in_turns([item for item in items if item.nodeid in tests], tests):
        test = tests[item.nodeid]
        if not test["failed"] and test["seconds"] <= LONGEST:
            for called in test["calls"]:
                calling.setdefault(called, []).append(item)
    finders: dict[str, list[pytest.Item]] = {}
    with Path(plan["verdicts"]).open("a", encoding="utf-8") as out:
        for mutant, digest in plan["mutants"].items():
            changed = function(mutant)
            first = finders.setdefault(changed, [])
            of_module = finders.setdefault(changed.rpartition(".")[0], [])
            others = [item for item in calling.get(changed, []) if item not in first]
            rest = [item for item in of_module if item in others]
            rest += [item for item in others if item not in rest]
            began = time.monotonic()
            finder, ended = _find(mutant, [*first, *rest], plan["seconds"])
            if finder is not None:
                for known in (first, of_module):
                    known[:] = [finder, *(item for item in known if item is not finder)]
            verdict = {
                "mutant": mutant,
                "hash": digest,
                "found": finder.nodeid if finder else None,
                "tests": len(first) + len(rest),
                "all": ended,
                "seconds": round(time.monotonic() - began, 3),
            }
            out.write(json.dumps(verdict) + "\n")
            out.flush()


def _in_turns(items: list[pytest.Item], tests: Tests) -> list[pytest.Item]:
    """Return the tests by what they cost; that of one with parameters grows with each of them."""

    def cost(item: pytest.Item) -> float:
        return float(tests[item.nodeid]["seconds"] * len(tests[item.nodeid]["calls"]))

    turns: dict[str, int] = {}
    costs: dict[str, float] = {}
    for item in sorted(items, key=cost):
        name = item.nodeid.partition("[")[0]
        turns[name] = turns.get(name, 0) + 1
        costs[item.nodeid] = cost(item) * turns[name]
    return sorted(items, key=lambda item: costs[item.nodeid])


def _find(mutant: str, items: list[pytest.Item], seconds: float) -> tuple[pytest.Item | None, bool]:
    """Return the test that finds a mutant, and otherwise whether all were run."""
    while True:

        def task(report: Callable[[Any], None], items: list[pytest.Item] = items) -> None:
            set_mutant_under_test(mutant)
            until = time.monotonic() + seconds
            for number, item in enumerate(items):
                report(number)
                if _run(item, _next(items, number)):
                    report("failed")
                    break
                if time.monotonic() > until:
                    report("late")
                    break
            report(None)
            # Nothing that a fixture has started may outlive the fork.
            signal.alarm(20)
            items[0].session._setupstate.teardown_exact(None)

        if not items:
            return None, True
        reported = _child(task, seconds + GRACE)
        if reported[-1] is None and "failed" not in reported:
            return None, "late" not in reported
        # Without the None, the child hung where no time limit of a test reaches it, or it died.
        number = max(value for value in reported if isinstance(value, int))
        if _passes(items[number]):
            return items[number], True
        # It fails without the mutant as well, now: others must find it.
        items = items[number + 1 :]


_passed: dict[str, float] = {}


def _passes(item: pytest.Item) -> bool:
    """Return whether a test passes without a mutant, on a machine that may be busy just now."""
    if time.monotonic() - _passed.get(item.nodeid, -TRUSTED) >= TRUSTED:
        if any(_child(lambda report: report(_run(item, None)), GRACE)):
            return False
        _passed[item.nodeid] = time.monotonic()
    return True


def _next(items: list[pytest.Item], number: int) -> pytest.Item | None:
    return items[number + 1] if number + 1 < len(items) else None
