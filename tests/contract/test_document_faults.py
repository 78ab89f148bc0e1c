"""Generated faults of the contract are found, and the operators reach all of it."""

from __future__ import annotations

import pytest

from mutation import document
from tools import spec

# As many as take some seconds. `make mutants` judges all, each night.
SAMPLE = 200


def test_sample_of_the_faults_is_found() -> None:
    verdict = document.run(document.sample(SAMPLE, seed=17))
    assert not verdict.amiss(whole=False)


def test_contract_without_a_fault_passes() -> None:
    assert document.judge(spec.load()) is None


def test_operators_reach_every_value_of_the_contract() -> None:
    api = spec.load()
    reached = {tuple(map(str, fault.where)) for fault in document.mutants(api)}
    for path, node in spec.walk(api):
        if path and not isinstance(node, dict):
            # Items of a list are dropped from the list.
            assert path in reached or path[:-1] in reached, path


@pytest.mark.parametrize(
    "fault",
    [
        "ScanClients/description: without",
        "ListClients/deprecated",
        "limit/schema/maximum: 1000 is 1001",
        "X-Auth-Token is gone",
    ],
)
def test_unknown_faults_have_no_reason_to_survive(fault: str) -> None:
    verdict = document.run([])._replace(alive=[fault])
    assert verdict.amiss(whole=False) == [f"survives: {fault}"]


def test_every_survivor_can_be_made_and_has_its_reason() -> None:
    made = {str(fault) for fault in document.mutants(spec.load())}
    for name, reason in document.survivors().items():
        assert name in made
        assert reason.endswith(".")


def test_fault_changes_the_contract_once() -> None:
    api = spec.load()
    for fault in document.sample(50, seed=1):
        assert fault.apply(api) != api or "True" in repr(fault.value), str(fault)
        assert api == spec.load()
