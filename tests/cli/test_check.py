"""`check`, and messages about the network and missing permissions."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import valkey

from dcs_sessions import _errors
from dcs_sessions._cli import _failures
from dcs_sessions.emulator import READONLY_TOKEN, Emulator
from support.command import Cli
from support.fake import FakeDcs
from support.scripted import answer


def test_inactive_node_gives_exit_code_6(tmp_path: Path) -> None:
    with Emulator(nodes=2) as dcs:
        cli = Cli(
            tmp_path,
            DCS_SESSIONS_ENDPOINT=dcs.endpoint,
            DCS_SESSIONS_TOKEN=dcs.token,
            HUAWEICLOUD_SDK_PROJECT_ID=dcs.project_id,
        )
        assert cli("check", "dcs-emulator").stdout.endswith("Result:      good\n")
        with valkey.Valkey.from_url(dcs.redis_urls[1]) as server:
            server.shutdown(nosave=True)
        lines = cli("check", "dcs-emulator", code=6).stdout.splitlines()
    assert f"             node {dcs.node_ids[1]} is Inactive" in lines
    assert lines[-1] == (
        "Result:      1 nodes are not active: their sessions cannot be seen or ended"
    )


def test_check_reports_whether_ending_is_allowed(cli: Cli, own: Emulator) -> None:
    assert "Ending:      allowed\n" in cli("check", own.instance_id).stdout
    lines = cli.with_env(DCS_SESSIONS_TOKEN=READONLY_TOKEN)("check", own.instance_id).stdout
    *_, ending, result = lines.splitlines()
    assert ending.startswith("Ending:      not allowed: 403 DCS.2007 Policy does not allow dcs:")
    assert result == "Result:      good for listing; ending sessions is not allowed"


@pytest.mark.parametrize(
    ("status", "body", "is_dcs"),
    [
        (200, {"job_id": "j", "status": "SUCCESS"}, True),
        (400, {"error_code": "DCS.4022", "error_msg": "no such job"}, True),
        (404, {"error_code": "DCS.3022", "error_msg": "no such job"}, True),
        (404, {"error_code": "111400118", "error_msg": "no such job"}, True),
        (404, b"Not Found", False),
        (404, b"", False),
        (404, {}, False),
        (404, {"detail": "Not Found"}, False),
        (404, {"error_code": "APIGW.0101", "error_msg": "no such API"}, False),
        (400, b"<html>Bad Request</html>", False),
        (200, b"<html>Welcome</html>", False),
        (418, {"error_code": "DCS.1", "error_msg": "?"}, False),
        (500, {"error_code": "DCS.5000", "error_msg": "?"}, False),
    ],
)
def test_only_a_response_of_dcs_is_good(
    fake: FakeDcs, fake_cli: Cli, status: int, body: object, is_dcs: bool
) -> None:
    fake.first = lambda _: answer(status, body)
    done = fake_cli.run("check", "--timeout", "1")
    assert ("Result:      good\n" in done.stdout) is is_dcs
    assert (done.returncode == 0) is is_dcs
    assert ("Accepted:    yes\n" in done.stdout) is is_dcs


def test_check_of_the_permission_ends_no_session(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = lambda request: (
        answer(500, {"error_code": "DCS.5000", "error_msg": "x"})
        if request.path.endswith("/kill")
        else None
    )
    assert "Ending:      not known\n" in fake_cli("check", "i").stdout
    assert fake.killed == [("0" * 32, ["192.0.2.1:1"])]


def test_missing_credentials_are_reported(cli: Cli) -> None:
    proxy = {"HTTP_PROXY": "http://127.0.0.1:1", "NO_PROXY": ""}
    bare = cli.with_env(DCS_SESSIONS_TOKEN=None, **proxy)
    done = bare("check", "--timeout", "1", code=2)
    assert done.stdout.startswith(
        "Credentials: none in the environment, nor in ~/.huaweicloud/credentials\n"
    )
    assert "***" not in done.stdout


def test_check_does_not_advise_to_run_check(cli: Cli) -> None:
    done = cli.with_env(DCS_SESSIONS_ENDPOINT=None)("check", code=2)
    assert done.stderr.splitlines()[1] == (
        "Correct what is missing or wrong above, and run it again."
    )
    assert "dcs-sessions check" not in done.stderr
    assert (
        "dcs-sessions check"
        in cli.with_env(DCS_SESSIONS_ENDPOINT=None)("nodes", "i", code=2).stderr
    )


PROXY = "http://127.0.0.1:9"


@pytest.mark.parametrize("command", [("check",), ("nodes", "i"), ("query", "i")])
def test_proxy_in_use_is_named(cli: Cli, command: tuple[str, ...]) -> None:
    through = cli.with_env(
        DCS_SESSIONS_ENDPOINT=None,
        DCS_SESSIONS_REGION="cn-north-4",
        HTTPS_PROXY="http://somebody:secret@127.0.0.1:9",
    )
    done = through(*command, "--timeout", "1", code=1)
    assert "http://***@127.0.0.1:9" in done.stderr
    assert ("Proxy:       http://***@127.0.0.1:9" in done.stdout) is (command == ("check",))
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("https://bob:pa/ssw0rd1@host", "https://***@host"),
        ("https://bob:p@ss//w0rd1@host/v2", "https://***@host/v2"),
        ("https://bob:p'a ss\"w0rd1@host", "https://***@host"),
        ("bob:ssw0rd1@host", "***@host"),
    ],
)
def test_password_in_an_endpoint_is_not_printed(cli: Cli, endpoint: str, shown: str) -> None:
    done = cli("check", "--endpoint", endpoint, code=2)
    assert f"Endpoint:    {shown}  (from --endpoint)\n" in done.stdout
    assert "w0rd1" not in done.stdout + done.stderr


def test_no_proxy_is_named_where_none_is_used(cli: Cli, own: Emulator) -> None:
    through = cli.with_env(HTTP_PROXY=PROXY, NO_PROXY="127.0.0.1")
    assert "Proxy:" not in through("check").stdout
    port = urlsplit(own.endpoint).port
    assert port != 9


def test_misspelt_region_gets_a_suggestion(cli: Cli) -> None:
    nowhere = cli.with_env(DCS_SESSIONS_ENDPOINT=None, HTTPS_PROXY=PROXY)
    done = nowhere("check", "--region", "cn-nroth-4", "--timeout", "1", code=1)
    assert "not in the list of regions; did you mean cn-north-4?" in done.stdout
    for command in (("check",), ("nodes", "i")):
        done = nowhere(*command, "--region", "cn-nroth-4", "--timeout", "1", code=1)
        assert done.stderr.splitlines()[1] == "Check the region: did you mean cn-north-4?"
    done = nowhere("check", "--region", "xx-new-1", "--timeout", "1", code=1)
    assert "did you mean" not in done.stdout


def test_advice_names_the_permission_that_is_missing(fake: FakeDcs, fake_cli: Cli) -> None:
    message = "Policy does not allow dcs:instance:get to be performed."
    fake.first = lambda _: answer(403, {"error_code": "DCS.2007", "error_msg": message})
    done = fake_cli("nodes", "i", code=3)
    assert done.stderr.splitlines()[1] == "Ask for the permission dcs:instance:get."
    assert "clients" not in done.stderr


def test_no_advice_of_the_command_line_names_an_argument_of_python() -> None:
    """Also not advice that is added to the library later."""
    by_code = [_errors.ApiError("x", error_code=code) for code in _errors._ADVICE]
    constants = [
        _errors.ConfigurationError("x", advice=value)
        for name, value in vars(_errors).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str)
    ]
    assert len(by_code) > 10
    assert len(constants) >= 3
    for error in [*by_code, *constants]:
        advice = _failures.what_to_do(error)
        assert not re.search(r"\w=(?!\w)|=True|\(\)", advice), advice
        assert error.advice is not None
        assert error.advice not in _failures.what_happened(error)


def test_no_error_of_the_library_is_reported_as_a_bug() -> None:
    """Also not one that is added later: each kind has an exit code and advice of its own."""
    kinds = {kind for kind in vars(_errors).values() if isinstance(kind, type)}
    kinds = {kind for kind in kinds if issubclass(kind, _errors.DcsSessionsError)}
    kinds.remove(_errors.DcsSessionsError)
    assert len(kinds) > 10
    known = tuple(kind for kind, _, _ in _failures._KINDS)
    assert {kind.__name__ for kind in kinds if not issubclass(kind, known)} == set()
