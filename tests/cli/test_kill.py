"""`kill` and `kill-all`: what was meant is ended, nothing else, and what is unknown is said."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
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
    """Give what became of each address, and why."""
    rows = [json.loads(line) for line in text.splitlines()]
    return {row["address"]: (row["result"], row.get("reason", "")) for row in rows}


def sessions(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "peer": f"10.0.0.1:{n}", "name": "w", "age": 100, "idle": 50, **changes}
        for n in range(1, count + 1)
    ]


# On real connections


def test_by_address(cli: Cli, own: Emulator, connect: Connect) -> None:
    victim, other = connect("by-address"), connect("by-address")
    peer = peer_of(victim)
    node = ("--node", own.node_ids[0])
    assert "would end" in cli("kill", own.instance_id, *node, peer, "--dry-run").stdout
    assert is_alive(victim)
    done = cli("kill", own.instance_id, *node, peer, "--yes", "-o", "jsonl")
    assert json.loads(done.stdout) == {
        "result": "ended",
        "node_id": own.node_ids[0],
        "address": peer,
    }
    assert not is_alive(victim)
    assert is_alive(other)


def test_addresses_from_standard_input(cli: Cli, own: Emulator, connect: Connect) -> None:
    victims, other = [connect("by-input") for _ in range(3)], connect("by-input")
    lines = "".join(f"{peer_of(victim)}\n\n" for victim in victims)
    words = ("kill", own.instance_id, "--node", own.node_ids[0], "-")
    assert "nobody is there to be asked" in cli(*words, stdin=lines, code=2).stderr
    out = cli(*words, "--yes", "-o", "jsonl", stdin=lines).stdout
    assert [result for result, _ in results(out).values()] == ["ended"] * 3
    assert not any(map(is_alive, victims))
    assert is_alive(other)


def test_by_filter(cli: Cli, own: Emulator, connect: Connect) -> None:
    victims = [connect("by-filter-a"), connect("by-filter-b", 1)]
    other = connect("not-by-filter")
    done = cli("kill", own.instance_id, "--name", "by-filter-*", stdin="y\n")
    assert done.stdout.count("ended") == 2
    assert "by-filter-a" in done.stderr  # shown before it asks
    assert "End these 2 sessions?" in done.stderr
    assert not any(map(is_alive, victims))
    assert is_alive(other)


@pytest.mark.parametrize("said", ["n\n", "\n", ""])
def test_saying_no(said: str, cli: Cli, own: Emulator, connect: Connect) -> None:
    client = connect("no")
    done = cli("kill", own.instance_id, "--name", "no", stdin=said, code=1)
    assert done.stdout == ""
    assert done.stderr.endswith("Nothing was done.\n")
    assert is_alive(client)


def test_nothing_fits(cli: Cli, own: Emulator) -> None:
    done = cli("kill", own.instance_id, "--name", "nobody", "--yes")
    assert "No session fits" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--node", "n"),
        ("1.2.3.4:5",),
        ("1.2.3.4:5", "--node", "a", "--node", "b"),
        ("1.2.3.4:5", "--node", "a", "--name", "x"),
        ("--min-idle", "soon"),
    ],
)
def test_wrong_use(words: tuple[str, ...], fake: FakeDcs, fake_cli: Cli) -> None:
    done = fake_cli("kill", "i", "--yes", *words, code=2)
    assert done.stderr.count("\n") == 2
    assert fake.received == []


# What changes between the choice and the end

BEFORE = {"id": "1", "peer": "10.0.0.1:1", "name": "w", "age": 100, "idle": 50}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ([], "it is gone already"),
        ([{**BEFORE, "id": "9"}], "somebody else has its address now"),
        ([{**BEFORE, "age": 1}], "somebody else has its address now"),
        ([{**BEFORE, "idle": 0}], "it no longer fits"),
        ([BEFORE, {**BEFORE, "id": "9"}], "somebody else has its address now"),
    ],
)
def test_an_address_that_has_changed_hands_is_spared(
    now: list[dict[str, Any]], reason: str, fake: FakeDcs, fake_cli: Cli
) -> None:
    safe = {**BEFORE, "id": "2", "peer": "10.0.0.1:2"}
    fake.lists["n1"] = [[BEFORE, safe], [*now, safe]]
    done = fake_cli("kill", "i", "--min-idle", "10", "--yes", "-o", "jsonl")
    assert results(done.stdout) == {
        "10.0.0.1:1": ("skipped", reason),
        "10.0.0.1:2": ("ended", ""),
    }
    assert fake.killed == [("n1", ["10.0.0.1:2"])]


def test_without_an_id_nobody_is_sure(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[{"peer": "a:1", "name": "w"}, {"peer": "a:2", "name": "w", "age": 7}]]
    done = fake_cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl")
    assert [result for result, _ in results(done.stdout).values()] == ["skipped", "ended"]


def test_a_session_with_the_same_address_that_does_not_fit(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [[BEFORE, {**BEFORE, "id": "2", "idle": 0}, {"idle": 99}]]
    done = fake_cli("kill", "i", "--min-idle", "10", "--yes", "-o", "jsonl", code=6)
    assert results(done.stdout) == {
        "10.0.0.1:1": ("skipped", "a session that does not fit has the same address"),
        "": ("skipped", "it has no address"),
    }
    assert fake.killed == []


def test_the_peer_is_sent_or_else_the_address(fake: FakeDcs, fake_cli: Cli) -> None:
    fake.lists["n1"] = [
        [{"id": "1", "addr": "a:1", "peer": "p:1"}, {"id": "2", "addr": "a:2", "peer": None}]
    ]
    fake_cli("kill", "i", "--addr", "a:*", "--yes")
    assert fake.killed == [("n1", ["p:1", "a:2"])]


# What goes wrong


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[FakeDcs, Cli]]:
    with FakeDcs(n1=[sessions(250)], n2=[sessions(1)]) as fake:
        yield (
            fake,
            Cli(
                tmp_path,
                DCS_SESSIONS_ENDPOINT=fake.endpoint,
                DCS_SESSIONS_TOKEN="t",
                HUAWEICLOUD_SDK_PROJECT_ID="p",
            ),
        )


def at_second_kill(step: Step) -> Any:
    kills = 0

    def first(request: Received) -> Step | None:
        nonlocal kills
        kills += request.path.endswith("/kill")
        return step if kills == 2 and request.path.endswith("/kill") else None

    return first


def test_batches(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    out = cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl").stdout
    assert len(out.splitlines()) == 251
    assert [(node, len(peers)) for node, peers in fake.killed] == [
        ("n1", 100),
        ("n1", 100),
        ("n1", 50),
        ("n2", 1),
    ]


@pytest.mark.parametrize(
    ("step", "result"),
    [
        (reset, "unknown"),
        (hang_up, "unknown"),
        (answer(500, {"error_code": "DCS.5053", "error_msg": "no"}), "unknown"),
        (answer(404, {"error_code": "DCS.3022", "error_msg": "no"}), "refused"),
    ],
)
def test_after_an_error_it_is_said_what_is_known(
    step: Step, result: str, two: tuple[FakeDcs, Cli]
) -> None:
    fake, cli = two
    fake.first = at_second_kill(step)
    done = cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl", code=6)
    found = [json.loads(line)["result"] for line in done.stdout.splitlines()]
    # The node of the error is left alone from then on, the other one is not.
    assert found == ["ended"] * 100 + [result] * 100 + ["skipped"] * 50 + ["ended"]


def test_after_a_refused_login_nothing_more_is_tried(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    refusal = answer(403, {"error_code": "DCS.2007", "error_msg": "no", "request_id": "r-9"})
    fake.first = lambda request: refusal if request.path.endswith("/kill") else None
    done = cli("kill", "i", "--name", "w", "--yes", "-o", "jsonl", code=3)
    found = [json.loads(line)["result"] for line in done.stdout.splitlines()]
    assert found == ["refused"] * 100 + ["skipped"] * 151
    assert "[request r-9]" in done.stderr
    assert len(fake.killed) == 1


def test_what_was_done_is_reported_when_it_is_interrupted(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    fake.first = at_second_kill(silence)
    with cli.start("kill", "i", "--name", "w", "--yes", "-o", "jsonl") as process:
        wait_until(lambda: len(fake.killed) == 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, err.splitlines()[-1]) == (130, "Interrupted.")
    found = [json.loads(line)["result"] for line in out.splitlines()]
    assert found == ["ended"] * 100 + ["unknown"] * 100 + ["skipped"] * 51


def test_a_reader_who_leaves_stops_nothing(two: tuple[FakeDcs, Cli]) -> None:
    fake, cli = two
    with cli.start("kill", "i", "--name", "w", "--yes", "--quiet") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 0
    assert sum(len(peers) for _, peers in fake.killed) == 251


# All of them


def test_all_of_a_node_and_of_the_instance(tmp_path: Path, connect: Connect) -> None:
    with Emulator(nodes=2) as dcs:
        cli = Cli(
            tmp_path,
            DCS_SESSIONS_ENDPOINT=dcs.endpoint,
            DCS_SESSIONS_TOKEN=dcs.token,
            HUAWEICLOUD_SDK_PROJECT_ID=dcs.project_id,
        )
        first, second = connect("a", 0, dcs), connect("b", 1, dcs)
        done = cli("kill-all", dcs.instance_id, stdin="yes\n", code=1)
        assert "This is not the ID of the instance." in done.stderr
        assert is_alive(first)
        done = cli("kill-all", dcs.instance_id, "--node", dcs.node_ids[1], "--yes", "-o", "json")
        assert json.loads(done.stdout)[0]["status"] == "SUCCESS"
        assert not is_alive(second)
        assert is_alive(first)
        cli("kill-all", dcs.instance_id, stdin=f"{dcs.instance_id}\n")
        assert not is_alive(first)
