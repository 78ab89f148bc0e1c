"""Ending of sessions: node by node, batch by batch, each right after a query.

Edited in `_async/_ending.py`; `_sync/_ending.py` is made from it by `make generate`.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import attrs

from dcs_sessions import _ending
from dcs_sessions._async._query import PAGE_SIZE, NodeQuery
from dcs_sessions._async._raw import AsyncRawClient
from dcs_sessions._deadline import Deadline
from dcs_sessions._ending import Outcome, address_of
from dcs_sessions._errors import REFUSALS, DcsSessionsError
from dcs_sessions._options import Retry, result_of
from dcs_sessions._transports._tasks import AsyncSideBySide, sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dcs_sessions._async._query import Limits
    from dcs_sessions._async._sending import AsyncSender
    from dcs_sessions._ending import Result
    from dcs_sessions._results import NodeSessions, QueryResult
    from dcs_sessions_api.models import Session

    # A session, and the list it was chosen from.
    _Choice = tuple[NodeSessions, Session]

# Initial number of addresses of one request. No source names the maximum.
_BATCH: Final = 1000
# A list is too old to end several sessions when its sessions have been compared for longer.
_SECONDS_UNTIL_STALE: Final = 1.0
# A request that has not left by then, for want of credentials or a connection, needs a new list.
_SECONDS_TO_SEND: Final = 2.0
# Seconds that a list may be older than the calls take that lead to it and to the request.
_SECONDS_UNTIL_OLD: Final = 4.0
# Maximum number of lists in a row that are too old.
_LOOKS: Final = 3
_TOO_OLD: Final = "the list of its node was too old before a request could be sent"
_NOT_YET: Final = "stopped before its turn"


class AsyncEnding:
    """One call of `end_sessions`.

    Args:
        sender: Sender of the requests.
        instance_id: ID of the instance.
        chosen: The sessions to end, by node.
        fits: Returns whether a session still matches; None for any that is the same.
        tell: Called with each outcome.
        limits: Deadline of the whole operation.
    """

    def __init__(
        self,
        sender: AsyncSender,
        instance_id: str,
        chosen: QueryResult,
        fits: Callable[[Session], bool] | None,
        tell: Callable[[Outcome], None] | None,
        limits: Limits,
    ) -> None:
        self._sender = sender
        self._options = sender.options
        self._raw = AsyncRawClient(sender)
        # A request that ends sessions is never sent twice: other clients may have the addresses
        # then.
        once = attrs.evolve(sender.options, retry=Retry(attempts=1))
        self._once = sender.with_options(once)
        self._instance_id = instance_id
        self._choices = [(node, session) for node in chosen.nodes for session in node.sessions]
        self._fits = fits
        self._tell = tell
        self._limits = limits
        self._is_stopped = False
        # The sync client has a thread for each node. It guards the step from "not stopped" to
        # "being sent", and the reporting of outcomes.
        self._lock = threading.Lock()
        self._outcomes = {
            id(session): Outcome(node.node_id, session, "stopped", _NOT_YET, missed=True)
            for node, session in self._choices
        }

    async def run(self) -> list[Outcome]:
        """End the sessions, and return the outcome of each."""
        by_node: dict[str, list[_Choice]] = {}
        for choice in self._choices:
            by_node.setdefault(choice[0].node_id, []).append(choice)
        nodes = list(by_node.values())
        self._ahead = max(1, self._options.concurrency // max(1, len(nodes)))
        try:
            if len(nodes) == 1:
                await self._end_on(nodes[0])
            elif nodes and await self._is_let_in(nodes[0][0][0].node_id):
                work = AsyncSideBySide(self._end_on, iter(nodes), lambda: self._options.concurrency)
                async with work as done:
                    try:
                        async for _ in done:
                            pass
                    finally:
                        self._stop()
        finally:
            self._stop()
        return [self._outcomes[id(session)] for _, session in self._choices]

    async def _is_let_in(self, node_id: str) -> bool:
        """Query one node before all others, so that wrong credentials are refused once.

        Five failures lock a key.
        """
        if self._sender.is_accepted():
            return True
        try:
            await self._query(node_id).look()
        except REFUSALS as error:
            self._settle(self._choices, "stopped", str(error), error)
            return False
        except DcsSessionsError:
            pass  # it is queried later
        return True

    async def _end_on(self, choices: list[_Choice]) -> None:
        """End the sessions of one node."""
        node_id = choices[0][0].node_id
        waiting = choices
        most = _BATCH
        failures = old = 0
        while waiting and not self._is_stopped:
            query = self._query(node_id)
            try:
                look = await self._look(query)
            except DcsSessionsError as error:
                if isinstance(error, REFUSALS):
                    self._stop()
                reason = f"its node could not be queried: {error}"
                self._settle(waiting, "stopped", reason, error)
                return
            batch, waiting = self._spare(waiting, look, most)
            if not batch or not self._is_begun(batch):
                return
            took = time.monotonic() - look.read_at
            if took > _SECONDS_UNTIL_STALE and len(batch) > 1:
                # The functions of the caller are slow, and addresses may have been taken over
                # meanwhile.
                most = max(1, int(len(batch) * _SECONDS_UNTIL_STALE / 2 / took))
                self._settle(batch, "stopped", _NOT_YET)
                waiting = [*batch, *waiting]
                continue
            # Retries, throttling, or another node's outcomes may have taken long.
            if time.monotonic() - query.saved_at > self._good_for(query, look):
                old += 1
                waiting = [*batch, *waiting]
                self._settle(waiting, "stopped", _NOT_YET if old < _LOOKS else _TOO_OLD)
                if old == _LOOKS:
                    return
                continue
            try:
                await self._send(node_id, batch)
            except DcsSessionsError as error:
                pause: float | None = 0.0
                if _ending.is_too_large(error) and len(batch) > 1:
                    most = len(batch) // 2
                else:
                    failures += 1
                    pause = self._pause(error, failures)
                if pause is None:
                    self._give_up(batch, error)
                    return
                self._settle(batch, "stopped", _NOT_YET)
                waiting = [*batch, *waiting]
                await sleep(pause)
            else:
                self._settle(batch, "ended")
                failures = old = 0

    @staticmethod
    def _good_for(query: NodeQuery, look: NodeSessions) -> float:
        """Return the seconds for which a list may be used, from when it was saved."""
        pages = len(look.sessions) // PAGE_SIZE
        return _SECONDS_UNTIL_OLD + query.lag * (4 + pages)

    async def _look(self, query: NodeQuery) -> NodeSessions:
        """Query a node."""
        found = await query.collect(lambda: self._ahead)
        if found.error is not None:
            raise found.error  # the missing part may have another session with the address
        return found

    def _query(self, node_id: str) -> NodeQuery:
        return NodeQuery(self._raw, self._instance_id, node_id, self._limits, joins=False)

    def _spare(
        self, choices: list[_Choice], look: NodeSessions, most: int
    ) -> tuple[list[_Choice], list[_Choice]]:
        """Return up to `most` sessions that may be ended, and those not looked at.

        The others are reported.
        """
        found = _ending.by_address(look.sessions)
        batch: list[_Choice] = []
        for number, (chosen, session) in enumerate(choices):
            if len(batch) == most:
                return batch, choices[number:]
            same_address = found.get(address_of(session), ())
            outcome = _ending.judge(chosen, session, look, same_address, self._fits)
            if outcome is None:
                batch.append((chosen, session))
            else:
                self._set([outcome])
        return batch, []

    def _is_begun(self, batch: Iterable[_Choice]) -> bool:
        """Note that a request is sent; return False if sending has been stopped."""
        sent = [
            Outcome(chosen.node_id, session, "unknown", "no response", missed=True)
            for chosen, session in batch
        ]
        with self._lock:
            if self._is_stopped or self._limits.deadline.remaining() <= 0:
                return False
            self._note(sent)
        return True

    async def _send(self, node_id: str, batch: Iterable[_Choice]) -> None:
        addresses = dict.fromkeys(address_of(session) for _, session in batch)
        sender = attrs.evolve(self._once, fresh=Deadline(_SECONDS_TO_SEND))
        await AsyncRawClient(sender).kill_sessions(
            self._instance_id, node_id, list(addresses), **self._limits.options()
        )

    def _pause(self, error: DcsSessionsError, failures: int) -> float | None:
        """Return the seconds to wait before the next query, or None to give up."""
        pause = _ending.seconds_until_next_look(self._options.retry, error, failures)
        return pause if pause is not None and pause < self._limits.deadline.remaining() else None

    def _give_up(self, batch: Iterable[_Choice], error: DcsSessionsError) -> None:
        """Report the result of the last request, which stops the node."""
        if isinstance(error, REFUSALS):
            self._stop()  # it also stops the other nodes, since five failures lock a key
        result: Result = "refused" if _ending.is_refusal(error) else "unknown"
        self._settle(batch, result, str(error), error)

    def _stop(self) -> None:
        """Stop sending."""
        with self._lock:
            self._is_stopped = True

    def _settle(
        self,
        choices: Iterable[_Choice],
        result: Result,
        reason: str = "",
        error: DcsSessionsError | None = None,
    ) -> None:
        missed = result != "ended"
        self._set(
            Outcome(chosen.node_id, session, result, reason, missed, error)
            for chosen, session in choices
        )

    def _set(self, outcomes: Iterable[Outcome]) -> None:
        with self._lock:
            self._note(outcomes)

    def _note(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._outcomes[id(outcome.session)] = outcome
            if self._tell is not None:
                result_of("on_outcome", self._tell, outcome)
