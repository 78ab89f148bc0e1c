"""Models as programs use them: mappings that copy, pickle and become JSON."""

from __future__ import annotations

import copy
import datetime
import json
import multiprocessing
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import attrs
import orjson
import pytest
import valkey
from hypothesis import given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import (
    UNSET,
    Job,
    Node,
    NodeSessions,
    QueryResult,
    Session,
    SessionPage,
    TokenAuth,
    Unset,
)
from dcs_sessions.emulator import Emulator
from dcs_sessions_api import models
from dcs_sessions_api.types import Model, utc

MODELS = [kind for name in models.__all__ if isinstance(kind := getattr(models, name), type)]
VALUES = st.none() | st.booleans() | st.integers() | st.text()
NAMES = st.sampled_from(sorted(Session._names)) | st.text()
SESSIONS = st.dictionaries(NAMES, VALUES).map(Session.from_dict)

COPIES: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *(
        lambda value, protocol=protocol: pickle.loads(pickle.dumps(value, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ),
]


@pytest.mark.parametrize("duplicate", COPIES)
def test_copy_of_unset_is_unset(duplicate: Callable[[Any], Any]) -> None:
    assert duplicate(UNSET) is UNSET
    assert duplicate([{"a": UNSET}]) == [{"a": UNSET}]
    assert duplicate(Unset) is Unset


def test_unset_is_shown_by_its_name_and_is_false() -> None:
    assert (repr(UNSET), str(UNSET), f"{UNSET}") == ("UNSET", "UNSET", "UNSET")
    assert not UNSET
    assert isinstance(UNSET, Unset)
    assert "name=UNSET" in repr(Session())


def _without_peer(session: Session) -> tuple[bool, Session]:
    return session.peer is UNSET, session


def test_session_goes_through_a_process_pool() -> None:
    session = Session.from_dict({"addr": "1.2.3.4:5", "new": 1})
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        was_unset, back = pool.submit(_without_peer, session).result()
    assert was_unset
    assert back == session
    assert back.peer is UNSET
    assert back.to_dict() == {"addr": "1.2.3.4:5", "new": 1}


@pytest.mark.parametrize("duplicate", COPIES[:2] + COPIES[-1:])
@given(session=SESSIONS)
def test_copy_of_a_session_is_the_same(duplicate: Callable[[Any], Any], session: Session) -> None:
    again = duplicate(session)
    assert again == session
    assert again.to_dict() == session.to_dict()


@given(session=SESSIONS)
def test_session_is_a_mapping_of_its_fields(session: Session) -> None:
    fields = session.to_dict()
    assert isinstance(session, Mapping)
    assert dict(session) == dict(session.items()) == fields
    assert {**session} == fields
    assert sorted(session) == sorted(session.keys()) == sorted(fields)
    assert len(session) == len(fields)
    assert session
    for name in {*Session._names, *fields, "no such field"}:
        assert (name in session) == (name in fields)
        assert session.get(name, "default") == fields.get(name, "default")
    with pytest.raises(KeyError, match="no such field"):
        session["no such field"]
    assert Session.from_dict(fields) == session
    assert json.loads(session.to_json()) == fields


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_no_field_hides_a_method(kind: type[Model]) -> None:
    ours = set(dir(Model)) - {"additional_properties"}
    assert not ours & set(kind._names.values())
    assert issubclass(kind, Mapping)


def test_fields_are_set_by_their_names() -> None:
    session = Session()
    session["addr"] = "1.2.3.4:5"
    session["new"] = 1
    assert (session.addr, session.additional_keys) == ("1.2.3.4:5", ["new"])
    del session["new"]
    assert dict(session) == {"addr": "1.2.3.4:5"}


def test_json_libraries_take_models_with_a_default() -> None:
    page = SessionPage("t", [Session(addr="a")], 1)
    expected = {"time": "t", "clients": [{"addr": "a"}], "count": 1}
    assert json.loads(json.dumps(page, default=dict)) == expected
    assert orjson.loads(orjson.dumps(page, default=dict)) == expected
    assert json.loads(page.to_json()) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-06-15T03:10:01.332Z", "2023-06-15T03:10:01.332000+00:00"),
        ("2023-10-10 00:00:00", "2023-10-10T00:00:00+00:00"),
        ("2023-10-10T08:00:00+08:00", "2023-10-10T00:00:00+00:00"),
        ("1684191545379", "2023-05-15T22:59:05.379000+00:00"),
        ("0", "1970-01-01T00:00:00+00:00"),
        ("", None),
        ("soon", None),
        ("9" * 40, None),
        ("0001-01-01T00:00:00+08:00", None),
        ("١٢٣", None),
        (None, None),
        (UNSET, None),
        (5, None),
    ],
)
def test_times_of_the_service(text: Any, expected: str | None) -> None:
    found = utc(text)
    assert (found and found.isoformat()) == expected
    assert SessionPage(text, [], 0).time_utc == found


@given(st.text() | st.from_regex(r"[0-9]{1,30}"))
def test_no_text_breaks_the_reading_of_times(text: str) -> None:
    found = utc(text)
    assert found is None or found.utcoffset() == datetime.timedelta(0)


def test_times_of_a_job() -> None:
    job = Job("j", "SUCCESS", begin_time="1684191545379", end_time=None)
    assert job.begin_time_utc is not None
    assert job.begin_time_utc.year == 2023
    assert job.end_time_utc is None


def test_unset_is_public() -> None:
    assert dcs_sessions.UNSET is UNSET


def _result() -> QueryResult:
    failed = dcs_sessions.ServerError("busy")
    return QueryResult(
        [
            NodeSessions("n1", None, "2023-10-10 00:00:00", [Session(addr="a", node_id="n1")]),
            NodeSessions("n2", None, None, [], failed),
        ]
    )


def test_result_is_iterable_and_becomes_json() -> None:
    result = _result()
    assert [session.addr for session in result] == ["a"]
    assert (len(result), len(result.nodes[0]), len(result.nodes[1])) == (1, 1, 0)
    assert list(result.nodes[0]) == result.sessions
    assert result.nodes[0].time_utc == datetime.datetime(2023, 10, 10, tzinfo=datetime.UTC)
    assert result.nodes[1].time_utc is None
    expected = {
        "nodes": [
            {
                "node_id": "n1",
                "time": "2023-10-10 00:00:00",
                "error": None,
                "sessions": [{"addr": "a", "node_id": "n1"}],
            },
            {"node_id": "n2", "time": None, "error": "busy", "sessions": []},
        ]
    }
    assert result.to_dict() == expected
    assert json.loads(result.to_json()) == expected


def test_chosen_sessions_keep_all_that_is_known_of_their_nodes() -> None:
    result = QueryResult(
        [
            attrs.evolve(
                node, node=Node.from_dict({"node_id": node.node_id}), asked_at=1, read_at=2
            )
            for node in _result().nodes
        ]
    )
    chosen = result.where(lambda session: session.addr != "no such address")
    assert [attrs.asdict(node, recurse=False) for node in chosen.nodes] == [
        attrs.asdict(node, recurse=False) for node in result.nodes
    ]
    none = result.where(lambda _: False)
    for before, after in zip(result.nodes, none.nodes, strict=True):
        assert attrs.asdict(after, recurse=False) == {
            **attrs.asdict(before, recurse=False),
            "sessions": [],
        }


def test_result_without_sessions_is_true() -> None:
    none = _result().where(lambda _: False)
    assert len(none) == 0
    assert none
    assert none.nodes[0]


def test_result_goes_through_a_pickle() -> None:
    again = pickle.loads(pickle.dumps(_result()))
    assert again.to_dict() == _result().to_dict()
    assert isinstance(again.failed[0].error, dcs_sessions.ServerError)


def test_sessions_know_their_node(dcs: Emulator) -> None:
    with (
        dcs_sessions.Client(
            endpoint=dcs.endpoint, project_id=dcs.project_id, auth=TokenAuth(dcs.token)
        ) as client,
        valkey.Valkey.from_url(dcs.redis_urls[0]) as server,
    ):
        server.ping()
        result = client.query_sessions(dcs.instance_id)
        assert result.sessions
        for node in result.nodes:
            assert {session.node_id for session in node} <= {node.node_id}
        node_id = dcs.node_ids[0]
        assert {s["node_id"] for s in client.iter_sessions(dcs.instance_id, node_id)} == {node_id}
        (outcome,) = client.end_sessions(
            dcs.instance_id, result.where(lambda s: s is result.sessions[0])
        )
        assert outcome.result == "ended"
