"""Clients of a real Valkey take over each other's ports between any two requests."""

from __future__ import annotations

import contextlib
import math
import random
import select
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest

import dcs_sessions
from dcs_sessions import Outcome, Session
from dcs_sessions._deadline import Deadline
from dcs_sessions._sync import _ending as flow
from dcs_sessions._transports import _exchange
from dcs_sessions._wire import Reply, Request
from dcs_sessions.emulator import Emulator

SEEDS = range(12)
PLACES = 4
THROTTLED = Reply(429, {"retry-after": "0.02"}, b'{"error_code": "APIGW.0308"}')


@dataclass(eq=False)
class Caller:
    """A connection, and whether its end was its own wish."""

    port: int
    name: str
    connection: socket.socket
    left: bool = False

    def leave(self) -> None:
        self.left = True
        self.connection.close()

    def was_ended(self) -> bool:
        """Return whether the server has ended it."""
        if self.left:
            return False
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(100) == b""
        except ConnectionError:
            return True


@dataclass
class Callers:
    """Connections to the nodes of an emulator, from ports that stay."""

    dcs: Emulator
    rng: random.Random
    everybody: list[Caller] = field(default_factory=list)
    # By node and number of the place.
    places: dict[tuple[int, int], Caller] = field(default_factory=dict)

    def arrive(self, node: int, place: int, name: str) -> None:
        """Connect, from the port of whoever was there before."""
        before = self.places.get((node, place))
        if before is not None:
            before.leave()
        url = urlsplit(self.dcs.redis_urls[node])
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # With a reset at the end, the port is free at once.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.bind(("127.0.0.1", before.port if before else 0))
        connection.connect((url.hostname, url.port))
        caller = Caller(connection.getsockname()[1], name, connection)
        self.everybody.append(caller)
        self.places[node, place] = caller
        self.rename(caller, name)

    def close(self) -> None:
        for caller in self.everybody:
            caller.connection.close()

    def rename(self, caller: Caller, name: str) -> None:
        caller.name = name
        caller.connection.sendall(f"CLIENT SETNAME {name}\r\n".encode())
        assert caller.connection.recv(100) == b"+OK\r\n"

    def meddle(self, node: int) -> None:
        """Let something happen to somebody on a node."""
        place = self.rng.randrange(PLACES)
        caller = self.places[node, place]
        what = self.rng.choice(["take over", "take over", "return", "rename", "leave"])
        if caller.was_ended() or (caller.left and what in {"rename", "leave"}):
            return
        if what == "rename":
            self.rename(caller, self.rng.choice(["worker-9", "payments"]))
        elif what == "leave":
            caller.leave()
        else:
            name = "payments" if what == "take over" else caller.name
            self.arrive(node, place, name)


@dataclass
class Meddler:
    """Sends requests, and lets something happen before them, but not after the list was made.

    Whoever comes then cannot be told from whoever was there: the list is the last that is seen.
    """

    callers: Callers
    send: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    killed_last: set[int] = field(default_factory=set)
    active: bool = False

    def __call__(self, request: Request, deadline: Deadline) -> Reply:
        is_kill = request.target.endswith("/kill")
        is_before_the_list = request.method == "POST" or "limit=1&" in request.target
        node = next(
            (
                number
                for number, node_id in enumerate(self.callers.dcs.node_ids)
                if node_id in request.target or node_id in request.body.decode()
            ),
            None,
        )
        fault = ""
        with self.lock:
            if self.active and node is not None:
                if node in self.killed_last or (is_before_the_list and not is_kill):
                    self.callers.meddle(node)
                self.killed_last -= {node}
                if is_kill:
                    self.killed_last.add(node)
                    fault = self.callers.rng.choice(["429", "lost", *[""] * 4])
        if fault == "429":
            return THROTTLED
        reply: Reply = self.send(request, deadline)
        if fault == "lost":
            raise _exchange.broken(request, "lost", may_have_arrived=True)
        return reply


@pytest.fixture(scope="module")
def own() -> Iterator[Emulator]:
    with Emulator(nodes=2) as emulator:
        yield emulator


def is_worker(session: Session) -> bool:
    return str(session.name).startswith("worker")


def run(dcs: Emulator, seed: int) -> list[Outcome]:
    """Choose the workers, let things happen, end them, and check who is gone."""
    callers = Callers(dcs, random.Random(seed))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(
            dcs_sessions.Client(
                endpoint=dcs.endpoint,
                project_id=dcs.project_id,
                auth=dcs_sessions.TokenAuth(dcs.token),
            )
        )
        stack.callback(callers.close)
        for node in range(2):
            for place in range(PLACES):
                callers.arrive(node, place, f"worker-{place}" if place else "payments")
        transport = client._sender.transport
        meddler = Meddler(callers, transport.send)
        stack.enter_context(mock.patch.object(transport, "send", meddler))
        chosen = client.query_sessions(dcs.instance_id).where(is_worker)
        assert len(chosen.sessions) == 6
        by_peer = {
            (dcs.node_ids[node], f"127.0.0.1:{caller.port}"): (caller, caller.name)
            for (node, _), caller in callers.places.items()
        }
        meddler.active = True
        callers.meddle(0)
        callers.meddle(1)
        outcomes = client.end_sessions(dcs.instance_id, chosen, is_worker)
        meddler.active = False
        client.query_sessions(dcs.instance_id)  # what was ended has been noticed after that
        meant = dict(by_peer[outcome.node_id, outcome.address] for outcome in outcomes)
        for caller in callers.everybody:
            if caller.was_ended():
                assert caller in meant, f"{caller} was ended and not meant"
                assert caller.name == meant[caller], f"{caller} had changed"
        for outcome in outcomes:
            caller, _ = by_peer[outcome.node_id, outcome.address]
            ended = caller.was_ended()
            assert not ended or outcome.result in {"ended", "unknown"}, outcome
            assert outcome.result != "ended" or ended or caller.left, outcome
    return outcomes


def run_all(dcs: Emulator) -> list[Outcome]:
    return [outcome for seed in SEEDS for outcome in run(dcs, seed)]


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "_BATCH", 2)


def test_no_other_session_is_ended(own: Emulator) -> None:
    assert {"ended", "gone", "spared", "unknown"} <= {each.result for each in run_all(own)}


def keep_looks(monkeypatch: pytest.MonkeyPatch, *, first: bool) -> None:
    look = flow.Ending._look

    def kept(self: Any, query: Any) -> Any:
        node_id, query.saved_at = query.node_id, math.inf
        looks = self.__dict__.setdefault("looks", {})
        if node_id not in looks:
            of = [node for node, _ in self._choices if node.node_id == node_id]
            looks[node_id] = of[0] if first else look(self, query)
        return looks[node_id]

    monkeypatch.setattr(flow.Ending, "_look", kept)


def retry_after_429(monkeypatch: pytest.MonkeyPatch) -> None:
    run_it = flow.Ending.run

    def retrying(self: Any) -> Any:
        self._once = self._sender
        return run_it(self)

    monkeypatch.setattr(flow.Ending, "run", retrying)


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(lambda patch: keep_looks(patch, first=True), id="no second look"),
        pytest.param(lambda patch: keep_looks(patch, first=False), id="one look for all batches"),
        pytest.param(retry_after_429, id="retry after 429"),
    ],
)
def test_planted_mistake_is_found(
    mistake: Any, own: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    with pytest.raises(AssertionError, match=r"was ended and not meant|had changed"):
        run_all(own)
