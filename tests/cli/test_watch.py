"""Sessions that `query --watch` shows as new or gone, compared with a model."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from dcs_sessions import ApiTimeoutError
from dcs_sessions._cli._watch import _head, _Watcher

NODES = ("a", "b", "c")
# The sessions of each node, or None if it cannot be read; None if no node can. A node that is
# missing has left the instance.
Step = dict[str, set[int] | None] | None
steps = st.lists(
    st.none() | st.dictionaries(st.sampled_from(NODES), st.none() | st.sets(st.integers(0, 3))),
    max_size=6,
)


def test_instance_without_nodes_is_watched() -> None:
    lists: Any = SimpleNamespace(nodes=[], failures=[])
    look = _Watcher(lambda _: (lists, [])).look()
    assert _head(look) == "0 sessions, list of -"


@given(steps)
@example([{"a": {1}, "b": {2}, "c": set()}, {"a": None, "b": {3}, "c": {1}}, None])
@example([{"a": {1}, "b": {2}}, {"a": {1}}, {"a": {1}, "b": {2}}])
@example([None, {"a": {1}, "b": None, "c": None}, {"a": {1}, "b": {1}, "c": {1}}])
def test_only_sessions_of_a_list_that_was_read_come_and_go(steps: list[Step]) -> None:
    turns = iter(steps)

    def read(_: object) -> tuple[Any, list[dict[str, Any]]]:
        step = next(turns)
        if step is None:
            raise ApiTimeoutError("no answer")
        whole = {node_id: ids for node_id, ids in step.items() if ids is not None}
        rows = [
            {"node_id": node_id, "id": str(number), "addr": "1.2.3.4:5"}
            for node_id, ids in whole.items()
            for number in ids
        ]
        failures = [(one, ApiTimeoutError("no answer")) for one in step if one not in whole]
        nodes = [SimpleNamespace(node_id=one) for one in whole]
        return SimpleNamespace(nodes=nodes, failures=failures), rows

    watcher = _Watcher(read)
    known: dict[str, set[int]] = {}
    first = True
    for step in steps:
        look = watcher.look()
        read_now = {node: ids for node, ids in (step or {}).items() if ids is not None}
        before = {(node, str(one)) for node, ids in known.items() for one in ids}
        if step is not None:
            known = {node: ids for node, ids in known.items() if node in step} | read_now
        after = {(node, str(one)) for node, ids in known.items() for one in ids}
        assert {(row["node_id"], row["id"]) for row in look.rows} == after
        assert {key[:2] for key in look.came} == (set() if first else after - before)
        went = {(row["node_id"], row["id"]) for row in look.went}
        assert went == (set() if first else before - after)
        assert (look.lists is None) is (step is None)
        assert bool(look.remarks) is (step is None)
        assert look.first is first
        first = first and step is None
