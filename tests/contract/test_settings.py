"""Each setting of schemathesis.toml changes what is found, and the hooks hide no fault."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dcs_sessions.emulator import Emulator, Fault
from tools import contract_schemathesis, spec

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(180)

SETTINGS = (spec.ROOT / "schemathesis.toml").read_text(encoding="utf-8")


def without(setting: str) -> str:
    """Return the settings without one of them, and without its table if that becomes empty."""
    assert SETTINGS.count(setting) == 1, setting
    return SETTINGS.replace(setting, "")


def run(
    dcs: Emulator, folder: Path, settings: str, *options: str, token: str = ""
) -> tuple[bool, int]:
    """Run schemathesis. Return whether it finds nothing, and how many requests it sends."""
    config = folder / "schemathesis.toml"
    config.write_text(settings, encoding="utf-8")
    noted = folder / "seen"
    noted.unlink(missing_ok=True)
    variables = contract_schemathesis.environment(
        {
            "HUAWEICLOUD_SDK_PROJECT_ID": dcs.project_id,
            "DCS_SESSIONS_INSTANCE": dcs.instance_id,
            "DCS_SESSIONS_NODE": dcs.node_ids[0],
            "DCS_SESSIONS_TOKEN": token or dcs.token,
            "HUAWEICLOUD_SDK_AK": "",
        },
        noted,
        may_kill=True,
    )
    clean = contract_schemathesis.schemathesis_run(
        dcs.endpoint, variables, folder, *options, config=config
    )
    return clean, len(contract_schemathesis.read(noted))


def only(name: str, mode: str, phase: str = "coverage") -> list[str]:
    """Return the options for one operation in one phase."""
    return ["--include-operation-id", name, "--mode", mode, "--phases", phase]


ACCEPTED = '[checks.positive_data_acceptance]\nexpected-statuses = ["200"]\n'
REJECTED = '[checks.negative_data_rejection]\nexpected-statuses = ["400"]\n'
ENDED = '[operations.checks.positive_data_acceptance]\nexpected-statuses = ["204"]\n'


@pytest.mark.settings
def test_valid_requests_must_succeed(tmp_path: Path) -> None:
    # With a higher probability, a warning would report it as well.
    lost = Fault(status=404, operation="ListInstances", probability=0.2)
    options = only("ListInstances", "positive")
    with Emulator(faults=[lost], seed=1) as dcs:
        options += ["--checks", "positive_data_acceptance"]
        assert not run(dcs, tmp_path, SETTINGS, *options)[0]
        assert run(dcs, tmp_path, without(ACCEPTED), *options)[0]


@pytest.mark.settings
def test_invalid_requests_must_get_400(tmp_path: Path) -> None:
    lost = Fault(status=404, operation="HangUpClients")
    options = [*only("HangUpClients", "negative"), "--checks", "negative_data_rejection"]
    with Emulator(faults=[lost]) as dcs:
        assert not run(dcs, tmp_path, SETTINGS, *options)[0]
        assert run(dcs, tmp_path, without(REJECTED), *options)[0]


@pytest.mark.settings
def test_kills_must_answer_204(tmp_path: Path) -> None:
    options = only("HangUpClients", "positive")
    with Emulator() as dcs:
        assert run(dcs, tmp_path, SETTINGS, *options)[0]
        assert not run(dcs, tmp_path, without(ENDED), *options)[0]


@pytest.mark.settings
def test_repeated_parameters_are_sent(tmp_path: Path) -> None:
    options = only("ListInstances", "negative")
    setting = "generate-duplicate-query-parameters = true\n"
    with Emulator() as dcs:
        assert (
            run(dcs, tmp_path, SETTINGS, *options)[1]
            > run(dcs, tmp_path, without(setting), *options)[1]
        )


@pytest.mark.settings
def test_warnings_are_failures(tmp_path: Path) -> None:
    # A token without rights gets 403 throughout, which is no finding but a warning.
    options = [*only("ShowInstance", "positive"), "--checks", "not_a_server_error"]
    with Emulator() as dcs:
        token = dcs.noaccess_token
        assert not run(dcs, tmp_path, SETTINGS, *options, token=token)[0]
        assert run(dcs, tmp_path, without("[warnings]\nfail-on = true\n"), *options, token=token)[0]


def test_hook_leaves_alone_what_the_server_has_given_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "DCS_SESSIONS_ALLOW_KILL": "0",
        "DCS_SESSIONS_SEEN": str(tmp_path / "seen"),
        "DCS_SESSIONS_NODE": "n" * 32,
        "DCS_SESSIONS_TOKEN": "t",
    }.items():
        monkeypatch.setenv(name, value)
    from tools import contract_hooks  # it reads the environment

    known = contract_hooks.Known({"DCS_SESSIONS_NODE": "node"})
    other = "79653bcbd0e5c104fefedd188aa372d6"
    known.learn("ShowNodesInformation", {"nodes": [{"logical_node_id": other, "db": "0"}]})
    for sent, becomes in ((other, other), ("node", "node"), ("made up", "node"), ("0", "node")):
        body = {"node_id": sent}
        known.put(body, "node_id", known.node)
        assert body == {"node_id": becomes}


def test_answers_are_identified_and_tried_with_both_logins() -> None:
    answers = [
        contract_schemathesis.Answer("ListClients", "200", "token", "a"),
        contract_schemathesis.Answer("ListClients", "400", "signature", "-"),
        contract_schemathesis.Answer("ScanClients", "200", "signature", "a"),
    ]
    assert contract_schemathesis.unidentified(answers) == [
        "ListClients answered 200 with the request ID a",
        "ListClients answered 400 with the request ID -",
        "ScanClients answered 200 with the request ID a",
    ]
    amiss = contract_schemathesis.untried(answers)
    assert "ListClients never succeeded with a signature" in amiss
    assert "ScanClients never succeeded with a token" in amiss
    assert "ListClients never succeeded with a token" not in amiss


def test_every_check_of_an_operation_is_of_one_that_exists() -> None:
    named = re.findall(r'include-operation-id = "(\w+)"', SETTINGS)
    assert set(named) <= set(spec.operations(spec.load()))
