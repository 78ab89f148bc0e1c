"""`kill` and `kill-all` end the chosen sessions only, and report unknown results."""

from __future__ import annotations

import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import valkey

from cli.conftest import Connect, is_alive
from dcs_sessions.emulator import Emulator
from support.command import Cli, wait_until
from support.fake import FakeDcs
from support.scripted import Received, Step, answer, hang_up, reset, silence


def peer_of(client: valkey.Valkey) -> str:
    info: Any = client.client_info()
    return str(info["addr"])


def results(text: str) -> dict[str, tuple[str, str]]:
    """Return the result and the reason of each address."""
    rows = [json.loads(line) for line in text.splitlines()]
    return {row["address"]: (row["result"], row.get("reason", "")) for row in rows}


def sessions(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "peer": f"10.0.0.1:{n}", "name": "w", "age": 100, "idle": 50, **changes}
        for n in range(1, count + 1)
    ]


# On real connections


def test_kill_by_address_ends_that_session_only(cli: Cli, own: Emulator, connect: Connect) -> None:
    victim, other = connect("by-address"), connect("by-address")
    peer = peer_of(victim)
    tried = cli("kill", own.instance_id, peer, "--dry-run")
    assert "by-address" in tried.stdout  # who it is
    assert tried.stdout.endswith("\n1 would end\n")
    assert is_alive(victim)
    done = cli("kill", own.instance_id, peer, "--yes", "-o", "jsonl")
    row = json.loads(done.stdout)
    assert {"result": "ended", "node_id": own.node_ids[0], "address": peer}.items() <= row.items()
    assert row["name"] == "by-address"
    assert not is_alive(victim)
    assert is_alive(other)


@pytest.mark.parametrize("yes", [[], ["--yes"], ["-y", "-q"]], ids=["ask", "yes", "y"])
@pytest.mark.parametrize("dry_run", ["--dry-run", "-n"])
@pytest.mark.parametrize("way", ["address", "filter", "rows"])
def test_dry_run_ends_nothing_whatever_else_is_asked_for(
    cli: Cli, own: Emulator, connect: Connect, way: str, dry_run: str, yes: list[str]
) -> None:
    victim = connect("spared-by-dry-run")
    chosen = {"address": [peer_of(victim)], "filter": ["--name", "spared-by-*"], "rows": ["-"]}
    rows = cli("query", own.instance_id, "--name", "spared-by-*", "-o", "jsonl").stdout
    words = ["kill", own.instance_id, *chosen[way], *yes, dry_run]
    tried = cli(*words, "-o", "jsonl", stdin=rows if way == "rows" else "")
    assert {result for result, _ in results(tried.stdout).values()} == {"would end"}
    assert is_alive(victim)


def test_address_on_another_node_is_not_found(cli: Cli, own: Emulator, connect: Connect) -> None:
    victim = connect("elsewhere")
    words = ("kill", own.instance_id, "--node", own.node_ids[1], peer_of(victim), "--yes")
    assert "not found" in cli(*words, code=6).stdout
    assert is_alive(victim)


def test_addresses_are_read_from_standard_input(cli: Cli, own: Emulator, connect: Connect) -> None:
    victims, other = [connect("by-input") for _ in range(3)], connect("by-input")
    lines = "".join(f"{peer_of(victim)}\n\n" for victim in victims)
    words = ("kill", own.instance_id, "--node", own.node_ids[0], "-")
    assert "add --yes or --dry-run" in cli(*words, stdin=lines, code=2).stderr
    out = cli(*words, "--yes", "-o", "jsonl", stdin=lines).stdout
    assert [result for result, _ in results(out).values()] == ["ended"] * 3
    assert not any(map(is_alive, victims))
    assert is_alive(other)


def test_rows_are_read_from_standard_input(cli: Cli, own: Emulator, connect: Connect) -> None:
    victims = [connect("by-row", 0), connect("by-row", 1)]
    other = connect("not-by-row")
    rows = cli("query", own.instance_id, "--name", "by-row", "-o", "jsonl").stdout
    words = ("kill", own.instance_id, "-", "-o", "jsonl")
    tried = cli(*words, "--dry-run", stdin=rows).stdout
    assert [result for result, _ in results(tried).values()] == ["would end"] * 2
    done = cli(*words, "--yes", stdin=rows)
    assert [result for result, _ in results(done.stdout).values()] == ["ended"] * 2
    assert "2 ended, 0 gone already, 0 spared, 0 unknown" in done.stderr
    assert not any(map(is_alive, victims))
    assert is_alive(other)
    again = cli(*words, "--yes", stdin=rows).stdout
    assert [result for result, _ in results(again).values()] == ["gone"] * 2


def test_session_that_is_named_several_times_is_ended_once(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [sessions(2)]
    # All within a second, for the ages stay the same.
    fake.times = [f"2026-01-01 00:00:00.{number}00" for number in range(10)]
    rows = [fake_cli("query", "i", "-o", "jsonl").stdout for _ in range(2)]
    rows[1] = rows[1].splitlines(keepends=True)[0]
    words = ("kill", "i", "--yes", "-o", "jsonl", "-")
    done = fake_cli(*words, stdin="".join([*rows, "10.0.0.1:1\n10.0.0.1:2\n"]))
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr.endswith("2 ended, 0 gone already, 0 spared, 0 unknown\n")
    assert sorted(one for _, peers in fake.killed for one in peers) == ["10.0.0.1:1", "10.0.0.1:2"]


def test_kill_by_filter_ends_matching_sessions_only(
    cli: Cli, own: Emulator, connect: Connect
) -> None:
    victims = [connect("by-filter-a"), connect("by-filter-b", 1)]
    other = connect("not-by-filter")
    done = cli("kill", own.instance_id, "--name", "by-filter-*", stdin="y\n")
    assert done.stdout == "2 ended, 0 gone already, 0 spared, 0 unknown\n"
    assert "by-filter-a" in done.stderr  # shown before it asks
    assert "End these 2 sessions?" in done.stderr
    assert not any(map(is_alive, victims))
    assert is_alive(other)


@pytest.mark.parametrize("said", ["n\n", "\n", ""])
def test_answer_no_ends_nothing(said: str, cli: Cli, own: Emulator, connect: Connect) -> None:
    client = connect("no")
    done = cli("kill", own.instance_id, "--name", "no", stdin=said, code=1)
    assert done.stdout == ""
    assert done.stderr.endswith("Nothing was done.\n")
    assert is_alive(client)


def test_no_matching_session_ends_nothing(cli: Cli, own: Emulator) -> None:
    done = cli("kill", own.instance_id, "--name", "nobody", "--yes")
    assert "No session matches" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--node", "n"),
        ("1.2.3.4:5", "--node", "a", "--name", "x"),
        ("1.2.3.4",),
        ("1.2.3.4:",),
        ("1.2.3.4:0",),
        ("1.2.3.4:65536",),
        ("1.2.3.4:٣",),
        ("1.2.3:4",),
        ("127.0.0.*:1",),
        ("garbage:99999999",),
        ("2001:db8::1:6379",),
        ("[2001:db8::1]",),
        ("[1.2.3.4]:5",),
        ("1.2.3.4:5 1.2.3.4:6",),
        ("--min-idle", "soon"),
    ],
)
def test_usage_errors_give_exit_code_2(
    words: tuple[str, ...], fake: FakeDcs, fake_cli: Cli
) -> None:
    done = fake_cli("kill", "i", "--yes", *words, code=2)
    assert done.stderr.count("\n") == 2
    assert fake.received == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("# a comment", "'# a comment' is not an address as ip:port or [ip6]:port, nor a row"),
        ("[", "'[' is not an address"),
        ("\xff\x00", "is not an address"),
        ("{", "the row is not JSON"),
        ("{}", "the row has no node_id, list_time, age, peer"),
        ('{"peer": "1.2.3.4:5"}', "the row has no node_id, list_time, age"),
        ('{"node_id": 1, "list_time": "t", "age": 1, "peer": "p"}', "must be strings"),
        ('{"node_id": "x", "list_time": "t", "age": 1, "peer": "p"}', "is not among --node"),
    ],
)
def test_invalid_line_of_standard_input_is_named(
    line: str, problem: str, fake: FakeDcs, fake_cli: Cli
) -> None:
    lines = f"1.2.3.4:5\n\n{line}\n1.2.3.4:6\n"
    done = fake_cli("kill", "i", "--node", "n1", "-", "--yes", stdin=lines, code=2)
    assert done.stderr.startswith("dcs-sessions: line 3 of standard input: ")
    assert problem in done.stderr
    assert done.stderr.count("\n") == 2
    assert fake.received == []


@pytest.mark.parametrize("lines", ["", "\n \n"])
def test_empty_standard_input_ends_nothing(lines: str, fake: FakeDcs, fake_cli: Cli) -> None:
    done = fake_cli("kill", "i", "-", "--yes", stdin=lines)
    assert "No sessions on standard input" in done.stderr
    assert fake.received == []


# Who is behind an address


def test_unknown_address_is_reported_as_not_found(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [sessions(1)]
    words = ("kill", "i", "10.0.0.1:1", "10.0.0.1:2", "--yes", "-o", "jsonl")
    done = fake_cli(*words, code=6)
    assert results(done.stdout) == {
        "10.0.0.1:1": ("ended", ""),
        "10.0.0.1:2": ("not found", "no session has this address"),
    }
    assert fake.killed == [("n1", ["10.0.0.1:1"])]


def test_equal_notations_of_an_address_are_one_session(fake: FakeDcs, fake_cli: Cli) -> None:
    six = {"id": "1", "addr": "198.19.0.1:7", "peer": "[2001:db8::1]:5", "name": "six", "age": 9}
    fake.lists["n1"] = [[six]]
    for address in ("[2001:DB8:0::1]:5", "198.19.0.1:7"):
        words = ("kill", "i", address, "[2001:db8::1]:5", "--yes", "-o", "jsonl")
        assert results(fake_cli(*words).stdout) == {"[2001:db8::1]:5": ("ended", "")}
    assert fake.killed == [("n1", ["[2001:db8::1]:5"])] * 2


def test_address_on_several_nodes_needs_a_node(tmp_path: Path) -> None:
    with FakeDcs(a=[sessions(1)], b=[sessions(1)]) as fake:
        cli = cli_for(fake, tmp_path)
        done = cli("kill", "i", "10.0.0.1:1", "--yes", code=2)
        assert "10.0.0.1:1 is on several nodes: choose one of --node a --node b" in done.stderr
        assert fake.killed == []
        cli("kill", "i", "10.0.0.1:1", "--node", "b", "--yes")
        assert fake.killed == [("b", ["10.0.0.1:1"])]


def test_address_of_several_sessions_is_refused(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[*sessions(1), *sessions(1, id="9")]]
    done = fake_cli("kill", "i", "10.0.0.1:1", "--yes", code=6)
    assert "several sessions have the address" in done.stdout
    assert fake.killed == []


# What changes between the choice and the end

BEFORE = {"id": "1", "peer": "10.0.0.1:1", "name": "w", "user": "u", "age": 100, "idle": 50}
OTHER = "another session has its address now"


@pytest.mark.parametrize(
    ("now", "result", "reason"),
    [
        ([], "gone", "it is gone already"),
        ([{**BEFORE, "id": "9"}], "spared", OTHER),
        ([{**BEFORE, "age": 1}], "spared", OTHER),
        ([{**BEFORE, "age": 200}], "spared", OTHER),
        ([{**BEFORE, "name": "x"}], "spared", "its name has changed"),
        ([{**BEFORE, "user": "x"}], "spared", "its user has changed"),
        ([{**BEFORE, "idle": 0}], "spared", "it no longer matches"),
    ],
)
def test_session_that_took_over_an_address_is_spared(
    now: list[dict[str, Any]], result: str, reason: str, fake: FakeDcs, fake_cli: Cli
) -> None:
    safe = {**BEFORE, "id": "2", "peer": "10.0.0.1:2"}
    fake.lists["n1"] = [[BEFORE, safe], [*now, safe]]
    done = fake_cli("kill", "i", "--min-idle", "10", "--yes", "-o", "jsonl")
    assert results(done.stdout) == {"10.0.0.1:1": (result, reason), "10.0.0.1:2": ("ended", "")}
    assert fake.killed == [("n1", ["10.0.0.1:2"])]


@pytest.mark.parametrize(
    ("now", "is_missed"),
    [
        ([BEFORE, {**BEFORE, "id": "9"}], True),
        ([{**BEFORE, "id": None}], True),
        ([{**BEFORE, "age": None}], True),
        ([{**BEFORE, "name": None}], False),
    ],
)
def test_session_that_may_have_changed_is_spared(
    now: list[dict[str, Any]], is_missed: bool, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.lists["n1"] = [[BEFORE], now]
    done = fake_cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl", code=6 if is_missed else 0)
    assert results(done.stdout)["10.0.0.1:1"][0] == "spared"
    assert fake.killed == []


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({}, "ended"),
        ({"age": 702}, "ended"),
        ({"age": 110}, "spared"),
        ({"age": 100}, "spared"),
        ({"age": 710}, "spared"),
        ({"id": "9"}, "spared"),
        ({"name": "x"}, "spared"),
        ({"user": "x"}, "spared"),
    ],
)
def test_row_is_compared_with_the_current_list(
    changes: dict[str, Any], result: str, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.times = ["2026-11-24T10:10:00.000Z"]
    row = {"node_id": "n1", "list_time": "2026-11-24T10:00:00.000Z", **BEFORE}
    fake.lists["n1"] = [[{**BEFORE, "age": 700, **changes}]]
    words = ("kill", "i", "-", "--yes", "-o", "jsonl")
    done = fake_cli(*words, stdin=json.dumps(row))
    assert results(done.stdout)["10.0.0.1:1"][0] == result
    assert len(fake.killed) == (result == "ended")


def test_session_without_id_is_ended_only_if_its_age_proves_it(
    fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.times = [f"2026-11-24T10:10:00.{number}00Z" for number in range(3)]
    rows = [{"peer": f"a:{age}", "name": "w", "age": age} for age in (0, 3, 7)]
    fake.lists["n1"] = [[{"peer": "a", "name": "w"}, *rows]]
    done = fake_cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl", code=6)
    assert [result for result, _ in results(done.stdout).values()] == ["spared"] * 3 + ["ended"]


def test_session_that_no_longer_matches_is_spared(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[BEFORE, {**BEFORE, "id": "2", "idle": 0}, {"idle": 99}]]
    done = fake_cli("kill", "i", "--min-idle", "10", "--yes", "-o", "jsonl", code=6)
    assert results(done.stdout) == {
        "10.0.0.1:1": ("spared", "several sessions have its address"),
        "": ("spared", "it has no address"),
    }
    assert fake.killed == []


def test_peer_is_sent_or_else_the_address(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [
        [
            {"id": "1", "addr": "a:1", "peer": "p:1", "age": 1},
            {"id": "2", "addr": "a:2", "peer": None, "age": 1},
        ]
    ]
    fake_cli("kill", "i", "--addr", "a:*", "--yes")
    assert fake.killed == [("n1", ["p:1", "a:2"])]


def test_throttled_kill_queries_the_node_again(fake: FakeDcs, fake_cli: Cli) -> None:
    stranger = {**BEFORE, "id": "9", "name": "payments", "age": 0}
    fake.lists["n1"] = [[BEFORE], [BEFORE], [stranger]]
    fake.first = at_kill(1, answer(429, {"error_code": "APIGW.0308"}, {"Retry-After": "1"}))
    done = fake_cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl")
    assert results(done.stdout) == {"10.0.0.1:1": ("spared", OTHER)}
    assert fake.killed == [("n1", ["10.0.0.1:1"])]  # the one that was refused


# What goes wrong


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[FakeDcs, Cli]]:
    with FakeDcs(n1=[sessions(2500)], n2=[sessions(1)]) as fake:
        fake.growing = True
        yield fake, cli_for(fake, tmp_path)


def cli_for(dcs: FakeDcs | Emulator, home: Path) -> Cli:
    token, project_id = ("t", "p") if isinstance(dcs, FakeDcs) else (dcs.token, dcs.project_id)
    return Cli(
        home,
        DCS_SESSIONS_ENDPOINT=dcs.endpoint,
        DCS_SESSIONS_TOKEN=token,
        HUAWEICLOUD_SDK_PROJECT_ID=project_id,
    )


def at_kill(number: int, step: Step, node: str = "n1") -> Any:
    """Answer that request to end sessions of a node with a step."""
    kills = 0

    def first(request: Received) -> Step | None:
        nonlocal kills
        if not request.path.endswith("/kill") or request.json["node_id"] != node:
            return None
        kills += 1
        return step if kills == number else None

    return first


def test_sessions_are_ended_in_batches_of_1000(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    out = cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl").stdout
    assert len(out.splitlines()) == 2501
    sent = sorted((node, len(peers)) for node, peers in fake.killed)
    assert sent == [("n1", 500), ("n1", 1000), ("n1", 1000), ("n2", 1)]
    assert fake.scans == {"n1": 1 + 3, "n2": 1 + 1}


@pytest.mark.parametrize(
    "step", [answer(413), answer(400, {"error_code": "DCS.4800", "error_msg": "client_addrs"})]
)
def test_batch_that_is_too_large_is_halved(step: Step, two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    fake.first = at_kill(1, step)
    cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl")
    sent = [len(peers) for node, peers in fake.killed if node == "n1"]
    assert sent == [1000, 500, 500, 500, 500, 500]
    assert fake.scans["n1"] == 1 + 6


@pytest.mark.parametrize(
    ("step", "result"),
    [
        (reset, "unknown"),
        (hang_up, "unknown"),
        (answer(500, {"error_code": "DCS.5053", "error_msg": "no"}), "unknown"),
        (answer(503), "unknown"),
        (answer(418), "unknown"),
        (answer(404, {"error_code": "DCS.3022", "error_msg": "no"}), "refused"),
        (answer(400, {"error_code": "DCS.3053", "error_msg": "no"}), "refused"),
        (answer(429, {"error_code": "APIGW.0308"}, {"Retry-After": "9999"}), "refused"),
    ],
)
def test_results_are_reported_after_an_error(
    step: Step, result: str, two: tuple[FakeDcs, Cli]
) -> None:
    fake, cli = two
    fake.first = at_kill(2, step)
    done = cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl", code=6)
    found = [json.loads(line)["result"] for line in done.stdout.splitlines()]
    # The node of the error is left alone from then on, the other one is not.
    assert found == ["ended"] * 1000 + [result] * 1000 + ["stopped"] * 500 + ["ended"]
    counts = {"ended": 1001, "gone already": 0, "spared": 0, "unknown": 0, "stopped": 500}
    counts[result] = 1000
    for words, count in counts.items():
        assert f"{count:,} {words}" in done.stderr


def test_sessions_that_may_have_been_ended_are_no_failure(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [
        [{"id": "1", "addr": "a:1", "peer": "a:1", "name": "w", "user": "u", "age": 9}]
    ]
    fake.growing = True
    fake.first = lambda request: hang_up if request.path.endswith("/kill") else None
    done = fake_cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl", code=6)
    assert json.loads(done.stdout)["result"] == "unknown"


def test_refused_login_stops_all_requests(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    refusal = answer(403, {"error_code": "DCS.2007", "error_msg": "no", "request_id": "r-9"})
    fake.first = lambda request: refusal if request.path.endswith("/kill") else None
    done = cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl", code=3)
    found = [json.loads(line)["result"] for line in done.stdout.splitlines()]
    assert set(found[:1000]) | set(found[2500:]) <= {"refused", "stopped"}
    assert found[1000:2500] == ["stopped"] * 1500
    assert "[request r-9]" in done.stderr
    assert len(fake.killed) <= 2  # one of each node


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (signal.SIGINT, "Interrupted."),
        (signal.SIGTERM, "Ended by SIGTERM."),
        (signal.SIGHUP, "Ended by SIGHUP."),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "table"])
def test_results_are_reported_after_a_signal(
    number: signal.Signals, said: str, form: str, two: tuple[FakeDcs, Cli]
) -> None:
    fake, cli = two
    fake.first = at_kill(2, silence)
    with cli.start("kill", "i", "--name", "w", "--yes", "-o", form) as process:
        wait_until(
            lambda: (
                [node for node, _ in fake.killed]
                in (["n1", "n2", "n1"], ["n2", "n1", "n1"], ["n1", "n1", "n2"])
            )
        )
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert err.splitlines()[-1] == said
    total = "1,001 ended, 0 gone already, 0 spared, 1,000 unknown, 500 stopped"
    if form == "jsonl":
        found = [json.loads(line)["result"] for line in out.splitlines()]
        assert found == ["ended"] * 1000 + ["unknown"] * 1000 + ["stopped"] * 500 + ["ended"]
        assert err.splitlines()[-2] == total
    else:
        assert out.splitlines()[-1] == total


def test_ignored_signal_stays_ignored(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    begun, goes_on = threading.Event(), threading.Event()

    def wait(connection: socket.socket, request: Received) -> None:
        begun.set()
        goes_on.wait(30)
        answer(204, headers={"Content-Length": "0"})(connection, request)

    fake.first = at_kill(1, wait)
    ignoring = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)}
    with cli.start("kill", "i", "--name", "w", "--yes", **ignoring) as process:
        assert begun.wait(30)
        process.send_signal(signal.SIGHUP)
        goes_on.set()
        out, _ = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "2,501 ended, 0 gone already, 0 spared, 0 unknown\n")


def test_closed_stdout_does_not_stop_a_kill(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    with cli.start("kill", "i", "--name", "w", "--yes", "--quiet") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 0
    assert sum(len(peers) for _, peers in fake.killed) == 2501


def test_closed_stderr_does_not_stop_a_kill(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    fake.first = at_kill(2, answer(500))
    with cli.start("kill", "i", "--name", "w", "--yes") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stderr.close()
        assert process.stdout.read().splitlines()[-1].startswith("1,001 ended")
        assert process.wait(30) == 6


# All of them


def test_kill_all_ends_the_sessions_of_a_node_or_the_instance(
    tmp_path: Path, connect: Connect
) -> None:
    with Emulator(nodes=2) as dcs:
        cli = cli_for(dcs, tmp_path)
        first, second = connect("a", 0, dcs), connect("b", 1, dcs)
        done = cli("kill-all", dcs.instance_id, stdin="yes\n", code=1)
        assert "This ends all 2 sessions. Type the ID or the name of the instance" in done.stderr
        assert "That is neither the ID nor the name of the instance." in done.stderr
        assert is_alive(first)
        done = cli("kill-all", dcs.instance_id, "--node", dcs.node_ids[1], "--yes", "-o", "json")
        (row,) = json.loads(done.stdout)
        assert {"node_id": dcs.node_ids[1], "result": "ended", "sessions": 1}.items() <= row.items()
        assert row["status"] == "SUCCESS"
        assert not is_alive(second)
        assert is_alive(first)
        cli("kill-all", dcs.instance_id, stdin=f"{dcs.instance_id}\n")
        assert not is_alive(first)


TYPED = ["", " ", "yes", "Y", "i", " i ", "I", "shop", "sho", "None"]


@pytest.mark.parametrize("name", ["shop", "", " ", None, "missing", "refused"])
@pytest.mark.parametrize("typed", TYPED)
def test_kill_all_goes_on_only_for_the_id_or_the_name(
    fake: FakeDcs, fake_cli: Cli, name: str | None, typed: str
) -> None:
    fake.lists["n1"] = [sessions(2)]
    if name not in {"missing", "refused"}:
        fake.instance["name"] = name
    if name == "refused":
        fake.first = lambda request: (
            answer(403, {}) if request.path.endswith("/instances/i") else None
        )
    right = typed.strip() in {"i", *(["shop"] if name == "shop" else [])}
    done = fake_cli.run("kill-all", "i", stdin=f"{typed}\n")
    assert any(request.path.endswith("/kill-all") for request in fake.received) is right
    assert done.returncode == (0 if right else 1)


@pytest.mark.parametrize("typed", [*TYPED, "y", "n", "no", "yess", "ye", "true"])
def test_kill_goes_on_only_for_yes(fake: FakeDcs, fake_cli: Cli, typed: str) -> None:
    fake.lists["n1"] = [sessions(1)]
    right = typed.strip().lower() in {"y", "yes"}
    done = fake_cli.run("kill", "i", "--name", "w", stdin=f"{typed}\n")
    assert bool(fake.killed) is right
    assert done.returncode == (0 if right else 1)


def job(status: str) -> Callable[[Received], Step | None]:
    """Let the job of kill-all come to this; those of queries succeed."""
    asked = False

    def first(request: Received) -> Step | None:
        nonlocal asked
        asked = asked or request.path.endswith("/kill-all")
        if not asked or "/jobs/" not in request.path:
            return None
        asked = False
        return answer(200, {"job_id": "j", "status": status, "fail_reason": "no luck"})

    return first


@pytest.mark.parametrize(
    ("now", "result", "left"),
    [(sessions(3), "not ended", 3), (sessions(1), "partly ended", 1), ([], "ended", 0)],
)
def test_kill_all_reports_a_failed_job(
    now: list[dict[str, Any]], result: str, left: int, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.lists["n1"] = [sessions(3), now]
    fake.first = job("FAIL")
    done = fake_cli("kill-all", "i", "--yes", "-o", "json", code=1)
    (row,) = json.loads(done.stdout)
    assert (row["result"], row["sessions"], row["left"]) == (result, 3, left)
    assert "no luck" in row["reason"]


def changed(change: Callable[[dict[str, Any]], object]) -> list[dict[str, Any]]:
    rows = sessions(3)
    for row in rows:
        change(row)
    return rows


@pytest.mark.parametrize(
    ("before", "now", "left"),
    [
        (sessions(3), sessions(3), 3),
        (sessions(3), sessions(3, name="renamed"), 3),
        (sessions(3), sessions(3, user="other"), 3),
        (sessions(3), changed(lambda row: row.pop("age")), 3),
        (sessions(3), changed(lambda row: row.pop("id")), 3),
        (sessions(3, peer="/tmp/a.sock"), sessions(3, peer="/tmp/a.sock"), 3),
        (sessions(3, peer="/tmp/a.sock"), sessions(1, peer="/tmp/a.sock"), 1),
        (changed(lambda row: row.pop("peer")), changed(lambda row: row.pop("peer")), 3),
        (sessions(3), changed(lambda row: row.update(id=f"9{row['id']}")), 0),
        (sessions(3), [], 0),
        (sessions(3), sessions(1), 1),
    ],
)
def test_only_sessions_that_are_certainly_gone_count_as_ended(
    fake: FakeDcs,
    fake_cli: Cli,
    before: list[dict[str, Any]],
    now: list[dict[str, Any]],
    left: int,
) -> None:
    fake.lists["n1"] = [before, now]
    fake.first = lambda request: answer(500) if request.path.endswith("/kill-all") else None
    done = fake_cli("kill-all", "i", "--yes", "-o", "json", code=1)
    (row,) = json.loads(done.stdout)
    assert row["left"] == left
    assert row["result"] == {0: "ended", 3: "not ended"}.get(left, "partly ended")


@pytest.mark.parametrize(
    ("step", "result", "code"),
    [
        (answer(403, {"error_code": "DCS.2007"}), "refused", 3),
        (answer(400, {"error_code": "DCS.3053"}), "refused", 1),
        (answer(500, {"error_code": "DCS.5053"}), "not ended", 1),
        (reset, "not ended", 1),
    ],
)
def test_kill_all_reports_a_failed_request(
    step: Step, result: str, code: int, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.lists["n1"] = [sessions(3)]
    fake.first = lambda request: step if request.path.endswith("/kill-all") else None
    done = fake_cli("kill-all", "i", "--yes", "-o", "json", code=code)
    assert [row["result"] for row in json.loads(done.stdout)] == [result]
    assert sum(request.path.endswith("/kill-all") for request in fake.received) == 1


def test_kill_all_reports_a_dead_node(tmp_path: Path) -> None:
    with FakeDcs(a=[sessions(3)], b=[[]]) as fake:
        dead = answer(500, {"error_code": "DCS.5053", "error_msg": "no"})

        def first(request: Received) -> Step | None:
            if request.path.endswith("/kill-all"):
                return dead
            is_b = request.method == "POST" and request.json["node_id"] == "b"
            return dead if is_b else None

        fake.first = first
        done = cli_for(fake, tmp_path)("kill-all", "i", "--yes", "-o", "json", code=1)
    a, b = json.loads(done.stdout)
    assert (a["node_id"], a["result"], a["sessions"], a["left"]) == ("a", "not ended", 3, 3)
    assert (b["node_id"], b["result"]) == ("b", "unknown")
    assert "500 DCS.5053" in b["reason"]


def test_kill_all_reports_that_no_node_answers(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.first = lambda request: answer(500) if request.method == "POST" else None
    done = fake_cli("kill-all", "i", "--yes", "-o", "json", code=1)
    (row,) = json.loads(done.stdout)
    assert row["result"] == "not ended"
    assert row["reason"].startswith("nothing was sent: ")
    assert not any(request.path.endswith("/kill-all") for request in fake.received)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_kill_all_reports_after_a_signal(
    number: signal.Signals, fake: FakeDcs, fake_cli: Cli
) -> None:
    fake.lists["n1"] = [sessions(3)]
    fake.first = lambda request: silence if request.path.endswith("/kill-all") else None
    with fake_cli.start("kill-all", "i", "--yes", "-o", "json") as process:
        wait_until(lambda: any(each.path.endswith("/kill-all") for each in fake.received))
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert [row["result"] for row in json.loads(out)] == ["unknown"]
