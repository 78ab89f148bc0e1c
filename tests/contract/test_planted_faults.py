"""Every fault that `make mutants` plants can be planted."""

from __future__ import annotations

import ast
import sys

import pytest

from mutation import contract, mutate, run, server
from tools import spec


@pytest.mark.parametrize("fault", server.faults(), ids=lambda fault: fault.name)
def test_fault_can_be_planted(fault: server.Fault) -> None:
    ast.parse(fault.apply())
    assert fault.tests
    for test in fault.tests:
        assert test == run.SUITE or (spec.ROOT / test).exists()


def test_faults_are_many_and_each_has_its_name() -> None:
    names = [fault.name for fault in server.faults()]
    assert len(names) == len(set(names)) >= 25
    assert len(run.FOUND_BY_SUITE) >= 10
    assert {*run.FOUND_BY_SUITE} <= {fault.name for fault in contract.faults()}


@pytest.mark.parametrize("part", mutate.PARTS.values(), ids=list(mutate.PARTS))
def test_tests_that_are_left_out_exist(part: mutate.Part) -> None:
    for option in part.without:
        path, _, name = option.partition("=")[2].partition("::")
        assert not name or f"\ndef {name}(" in (spec.ROOT / path).read_text("utf-8"), option
        assert (spec.ROOT / path).exists(), option


def test_fault_is_planted() -> None:
    fault = next(fault for fault in server.faults() if fault.name == "no token is 403")
    program = (
        "import mutation.server; from dcs_sessions.emulator import _errors;"
        "print(_errors._TABLE['DCS.1003'][0])"
    )
    good, output = run.run([sys.executable, "-c", program], DCS_SESSIONS_FAULT=fault.name)
    assert (good, output) == (True, "403\n")
