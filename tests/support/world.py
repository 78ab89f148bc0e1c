"""A simulated DCS in virtual time, in which anything may happen between two requests.

It carries requests out itself, in the place of a transport, and knows what the client cannot know:
who is really behind an address. What it checks, it checks when a request to end sessions comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import parse_qs, urlsplit

from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import Outcome, QueryResult, Session
from dcs_sessions._deadline import Deadline
from dcs_sessions._transports import _exchange
from dcs_sessions._wire import Reply, Request
from support.virtual import Clock, Loop

Draw = Callable[[st.SearchStrategy[Any]], Any]

NODES = ("n1", "n2")
ADDRESSES = tuple(f"10.0.0.1:{port}" for port in (1, 2, 3, 4))
NAMES = ("worker-1", "worker-2", "payments")
USERS = ("default", "ops")
# Seconds that a server takes to start again, with IDs from 1.
RESTART = 60.0


@dataclass(eq=False)
class Connection:
    """The true state of a session."""

    id: int
    address: str
    name: str
    user: str
    born: float
    cmd: str = "get"
    killed: bool = False


@dataclass(eq=False)
class Listing:
    """A stored list: its sessions, and how the service shows them."""

    made_at: float
    time: str
    rows: list[dict[str, Any]]
    connections: list[Connection]


@dataclass(eq=False)
class Server:
    """A node."""

    connections: list[Connection] = field(default_factory=list)
    next_id: int = 1
    chosen: list[Connection] = field(default_factory=list)
    listing: Listing | None = None
    # The query that is running: when it ends, and what it will show if that was taken already.
    ends_at: float = math.inf
    job: str = ""
    early: Listing | None = None
    # What the client has been shown since it last tried to end something here.
    shown: Listing | None = None
    shown_at: float = -math.inf
    tried_at: float = -math.inf


def fits(session: Session) -> bool:
    """Return whether a session matches: the filter of all runs."""
    return str(session.name).startswith("worker") and session.cmd == "get"


# What may happen between two requests: to an address of a node.
PLACES = st.tuples(st.sampled_from(NODES), st.sampled_from(ADDRESSES), st.sampled_from(NAMES))
EVENTS = st.tuples(
    st.sampled_from(
        [
            *("arrive", "leave", "take-over", "take-over", "return", "rename", "other-user"),
            *("busy", "share", "scan", "wait"),
        ]
    ),
    PLACES,
)
# How a request fares; of most of them, nothing is to be told.
KILL_FAULTS = st.sampled_from(
    ("",) * 8
    + ("429", "429 soon", "429 later", "lost", "lost", "not sent", "500", "503", "400", "413")
    + ("busy", "403")
)
READ_FAULTS = st.sampled_from(("",) * 40 + ("slow", "slow", "429", "503", "500", "lost"))


class World:
    """The instance, its clients, and the results of requests.

    Args:
        draw: Decides everything that is left open.
    """

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.clock = Clock()
        self.servers = {node: Server() for node in NODES}
        self.has_ids: bool = draw(st.booleans())
        # No source says of which moment of a query a list is, nor which one it bears, nor how.
        self.is_early: bool = draw(st.booleans())
        self.bears_end: bool = draw(st.booleans())
        self.whole_seconds: bool = draw(st.booleans())
        self.most_addresses: int = draw(st.sampled_from((1, 2, 1000)))
        # In how many of eight moments something happens.
        self.liveliness: int = draw(st.sampled_from((0, 1, 1, 2, 6)))
        self.is_asleep = False
        self.began = 0.0
        self.jobs = 0
        # Who was chosen, by the session that the client has seen.
        self.chosen: dict[int, Connection] = {}
        self.seen: dict[Connection, Session] = {}
        self.confirmed: set[tuple[str, str]] = set()
        self.lost: set[tuple[str, str]] = set()
        for node in NODES:
            for address in ADDRESSES:
                if draw(st.integers(0, 3)):
                    age = draw(st.sampled_from((0, 2, 5, 5, 8, 5000)))
                    self.arrive(node, address, draw(st.sampled_from(NAMES)), age)

    # What clients do

    def arrive(self, node: str, address: str, name: str, age: float = 0) -> None:
        server = self.servers[node]
        user = USERS[len(name) % 2]
        born = self.clock.now - age
        server.connections.append(Connection(server.next_id, address, name, user, born))
        server.next_id += 1

    def happen(self, kind: str, place: tuple[str, str, str]) -> None:
        """Let something happen to an address of a node."""
        node, address, name = place
        server = self.servers[node]
        there = [one for one in server.connections if one.address == address]
        if kind == "wait":
            self.clock.now += 0.7
        elif kind == "scan":
            self.scan(server)
        elif kind == "restart":
            self.clock.now += RESTART
            server.connections.clear()
            server.next_id = 1
            self.arrive(node, address, name)
        elif kind == "arrive":
            if not there:
                self.arrive(node, address, name)
        elif kind == "share":
            if len(there) == 1:
                self.arrive(node, address, name, 40)
        elif there:
            one = there[0]
            if kind in {"leave", "take-over", "return"}:
                server.connections = [each for each in server.connections if each not in there]
            if kind == "take-over":
                self.arrive(node, address, name)
            elif kind == "return":
                self.arrive(node, address, one.name)
            elif kind == "rename":
                one.name = name
            elif kind == "other-user":
                one.user = USERS[one.user == USERS[0]]
            elif kind == "busy":
                one.cmd = "blpop" if one.cmd == "get" else "get"

    def step(self) -> None:
        """Let time pass, and then let clients act."""
        self.finish_scans()
        if self.draw(st.integers(0, 7)) < self.liveliness:
            self.happen(*self.draw(EVENTS))
            self.finish_scans()

    # Lists

    def scan(self, server: Server) -> bool:
        """Start to query a node, unless somebody does already."""
        if server.ends_at < math.inf:
            return False
        server.ends_at = self.clock.now + self.draw(st.sampled_from((0.0, 0.2, 0.2, 4.0)))
        server.early = self.list_now(server) if self.is_early else None
        return True

    def list_now(self, server: Server) -> Listing:
        now = self.clock.now
        rows: list[dict[str, Any]] = []
        for one in server.connections:
            row = {
                "id": str(one.id),
                "addr": one.address,
                "peer": one.address,
                "name": one.name,
                "user": one.user,
                "cmd": one.cmd,
                "age": math.floor(now) - math.floor(one.born),
            }
            if not self.has_ids:
                del row["id"]
            rows.append(row)
        return Listing(now, self.write(now), rows, list(server.connections))

    def write(self, moment: float) -> str:
        stamp = datetime.fromtimestamp(1_700_000_000 + moment, UTC)
        if self.whole_seconds:
            return stamp.strftime("%Y-%m-%d %H:%M:%S")
        return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def finish_scans(self) -> None:
        for server in self.servers.values():
            if server.ends_at <= self.clock.now:
                listing = server.early or self.list_now(server)
                if self.bears_end:
                    listing.time = self.write(self.clock.now)
                server.listing, server.early, server.ends_at = listing, None, math.inf
                server.job = ""

    # Requests

    async def send(self, request: Request, deadline: Deadline) -> Reply:
        """Answer a request, in the place of a transport."""
        target = urlsplit(request.target)
        is_kill = target.path.endswith("/kill")
        body = json.loads(request.body) if request.body else {}
        if is_kill:
            self.check(body["node_id"], body["client_addrs"])
        self.step()
        fault = "" if self.is_asleep else self.draw(KILL_FAULTS if is_kill else READ_FAULTS)
        await asyncio.sleep(5.0 if fault == "slow" else 0.05)
        self.step()
        if deadline.remaining() <= 0 or fault == "not sent":
            raise _exchange.broken(request, "no way", may_have_arrived=False)
        reply = _FAULTS.get(fault) or self.carry_out(request, target.path, target.query, body)
        if fault == "lost" or reply.status in {500, 503}:
            if fault != "lost" and is_kill and self.draw(st.booleans()):
                self.carry_out(request, target.path, target.query, body)
            if is_kill:
                self.lost |= {(body["node_id"], address) for address in body["client_addrs"]}
        await asyncio.sleep(0.05)
        if is_kill:
            self.servers[body["node_id"]].tried_at = self.clock.now
        elif "limit" in target.query:
            node = parse_qs(target.query)["node_id"][0]
            self.servers[node].shown_at = self.clock.now
        if fault == "lost":
            raise _exchange.broken(request, "gone", may_have_arrived=True)
        if is_kill and reply.status == 204:
            self.confirmed |= {(body["node_id"], address) for address in body["client_addrs"]}
        return reply

    def carry_out(self, request: Request, path: str, query: str, body: Any) -> Reply:
        if path.endswith("/logical-nodes"):
            nodes = [{"node_id": node, "node_role": "redis-server"} for node in NODES]
            return reply(200, {"instance_id": "i", "total": len(nodes), "nodes": nodes})
        if "/jobs/" in path:
            job = path.rpartition("/")[2]
            running = any(job == server.job for server in self.servers.values())
            return reply(200, {"job_id": job, "status": "RUNNING" if running else "SUCCESS"})
        if path.endswith("/kill"):
            return self.kill(body["node_id"], body["client_addrs"])
        if request.method == "POST":
            if not self.scan(self.servers[body["node_id"]]):
                return _FAULTS["busy"]
            self.jobs += 1
            self.servers[body["node_id"]].job = str(self.jobs)
            return reply(200, {"job_id": str(self.jobs)})
        options = {name: values[0] for name, values in parse_qs(query).items()}
        server = self.servers[options["node_id"]]
        if server.listing is None:
            return _FAULTS["500"]
        server.shown = server.listing
        first, limit = int(options["offset"]), int(options["limit"])
        rows = server.listing.rows
        page = {"time": server.listing.time, "count": len(rows)}
        return reply(200, {**page, "clients": rows[first : first + limit]})

    def kill(self, node: str, addresses: list[str]) -> Reply:
        if len(addresses) > self.most_addresses:
            return _FAULTS["413"] if self.has_ids else _FAULTS["400"]
        server = self.servers[node]
        for one in server.connections:
            one.killed = one.killed or one.address in addresses
        server.connections = [one for one in server.connections if not one.killed]
        return reply(204, None)

    # What must be true

    def check(self, node: str, addresses: list[str]) -> None:
        """Check a request to end sessions when it is sent."""
        server = self.servers[node]
        listing = server.shown
        assert listing is not None, "nobody has looked"
        assert listing.made_at >= self.began, "the look is older than the wish"
        assert listing.made_at >= server.tried_at, "the look is older than the last request"
        assert self.clock.now - server.shown_at < 0.01, "time has passed since the look"
        for address in addresses:
            here = [
                (row, one)
                for row, one in zip(listing.rows, listing.connections, strict=True)
                if one.address == address
            ]
            assert len(here) == 1, f"{address} was seen {len(here)} times"
            row, one = here[0]
            assert one in server.chosen, f"{address} was somebody else's"
            assert fits(Session.from_dict(row)), f"{address} did not fit"
            was = self.seen[one].name, self.seen[one].user
            assert (row["name"], row["user"]) == was, f"{address} had changed"

    def check_report(self, chosen: QueryResult, outcomes: list[Outcome]) -> None:
        """Check the final report."""
        assert [outcome.session for outcome in outcomes] == chosen.sessions
        for outcome in outcomes:
            key = outcome.node_id, outcome.address
            result = outcome.result
            one = self.chosen[id(outcome.session)]
            assert result in {"ended", "unknown"} or not one.killed, outcome
            assert result != "ended" or key in self.confirmed, outcome
            assert result != "ended" or one not in self.servers[key[0]].connections, outcome
            assert result != "unknown" or key in self.lost, outcome
            assert (result == "ended") or outcome.reason, outcome

    # A run

    @contextlib.contextmanager
    def client(self) -> Iterator[dcs_sessions.AsyncClient]:
        """Make a client whose requests come here, in virtual time."""
        with (
            mock.patch("dcs_sessions._transports._aiohttp.AsyncConnections", return_value=self),
            mock.patch("time.monotonic", self.clock.monotonic),
        ):
            yield dcs_sessions.AsyncClient(
                endpoint="http://127.0.0.1",
                project_id="p",
                auth=dcs_sessions.TokenAuth("t"),
                timeout=100,
            )

    def choose(self, found: QueryResult) -> QueryResult:
        """Choose sessions with the filter, and record which they really are."""
        chosen = found.where(fits)
        for node in found.nodes:
            server = self.servers[node.node_id]
            if node.sessions and server.shown is not None:
                for session, one in zip(node.sessions, server.shown.connections, strict=True):
                    if fits(session):
                        self.chosen[id(session)] = one
                        self.seen[one] = session
                        server.chosen.append(one)
        return chosen

    def run(self) -> list[Outcome]:
        """Choose sessions, wait for a confirmation, end them, and check the result."""
        with self.client() as client, asyncio.Runner(loop_factory=self.loop) as runner:
            return runner.run(self._run(client))

    def loop(self) -> asyncio.AbstractEventLoop:
        return Loop(self.clock)

    async def _run(self, client: dcs_sessions.AsyncClient) -> list[Outcome]:
        self.is_asleep = True
        found = await client.query_sessions("i")
        chosen = self.choose(found)
        self.is_asleep = False
        if not self.draw(st.integers(0, 7)):
            self.happen("restart", self.draw(PLACES))
        for _ in range(self.draw(st.integers(0, 3))):
            self.step()
            await asyncio.sleep(self.draw(st.sampled_from((0.1, 2.0, 10.0, 600.0))))
        self.began = self.clock.now
        told: dict[int, Outcome] = {}
        outcomes = await client.end_sessions(
            "i",
            chosen,
            fits,
            on_outcome=lambda outcome: told.update({id(outcome.session): outcome}),
            timeout=self.draw(st.sampled_from((20.0, 2000.0))),
        )
        self.check_report(chosen, outcomes)
        assert all(told.get(id(each.session), each) is each for each in outcomes)
        return outcomes


def reply(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    raw = b"" if body is None else json.dumps(body).encode()
    return Reply(status, headers or {}, raw)


def _failure(status: int, code: str, headers: dict[str, str] | None = None) -> Reply:
    return reply(status, {"error_code": code, "error_msg": "no"}, headers)


_FAULTS = {
    "429": _failure(429, "APIGW.0308"),
    "429 soon": _failure(429, "APIGW.0308", {"retry-after": "2"}),
    "429 later": _failure(429, "APIGW.0308", {"retry-after": "3600"}),
    "500": _failure(500, "DCS.5000"),
    "503": _failure(503, "APIGW.0201"),
    "400": _failure(400, "DCS.4800"),
    "413": _failure(413, "APIGW.0201"),
    "busy": _failure(400, "DCS.4957"),
    "403": _failure(403, "DCS.2007"),
}
