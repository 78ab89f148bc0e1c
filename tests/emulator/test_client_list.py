"""The CLIENT LIST parser and the stored list, without a server."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcs_sessions.emulator._sessions import (
    FIELDS,
    ClientListError,
    Session,
    Snapshot,
    parse_client_list,
)

REDIS_6_2 = (
    b"id=3 addr=127.0.0.1:50188 laddr=127.0.0.1:6379 fd=8 name=worker age=12 idle=4 flags=N db=2 "
    b"sub=0 psub=1 multi=-1 qbuf=26 qbuf-free=40928 argv-mem=10 obl=0 oll=0 omem=0 tot-mem=61466 "
    b"events=r cmd=client user=default redir=-1\n"
)
VALKEY_9 = (
    b"id=4 addr=[::1]:56032 laddr=[::1]:33933 fd=9 name= age=0 idle=0 flags=xb capa= db=0 sub=0 "
    b"psub=0 ssub=0 multi=2 watch=0 qbuf=0 qbuf-free=0 argv-mem=10 multi-mem=0 rbs=16392 rbp=5 "
    b"obl=7 oll=8 omem=99999999999 tot-mem=17002 events=rw cmd=client|list user=dcs redir=-1 "
    b"resp=3 lib-name=valkey-py lib-ver=6.2.0 tot-net-in=137 tot-net-out=10 tot-cmds=2\n"
)


def test_client_list_of_redis_6_2_is_parsed() -> None:
    assert parse_client_list(REDIS_6_2) == [
        {
            "id": "3",
            "addr": "127.0.0.1:50188",
            "fd": "8",
            "name": "worker",
            "cmd": "client",
            "age": 12,
            "idle": 4,
            "db": "2",
            "flags": "N",
            "sub": 0,
            "psub": 1,
            "multi": -1,
            "qbuf": 26,
            "qbuf_free": 40928,
            "obl": 0,
            "oll": 0,
            "omem": 0,
            "events": "r",
            "network": "vpc",
            "peer": "127.0.0.1:50188",
            "user": "default",
        }
    ]


def test_client_list_of_valkey_9_is_parsed() -> None:
    (session,) = parse_client_list(VALKEY_9)
    assert session.keys() == FIELDS
    assert len(FIELDS) == 21
    assert session["addr"] == session["peer"] == "[::1]:56032"
    assert session["flags"] == "xb"
    assert session["multi"] == 2
    assert session["omem"] == 99999999999
    assert session["cmd"] == "client|list"
    assert session["events"] == "rw"
    assert session["user"] == "dcs"


def test_several_lines_and_an_empty_reply_are_parsed() -> None:
    assert [s["id"] for s in parse_client_list(REDIS_6_2 + VALKEY_9)] == ["3", "4"]
    assert parse_client_list(b"") == []
    assert parse_client_list(b"\r\n") == []


def test_values_may_hold_equals_signs_and_odd_bytes() -> None:
    (session,) = parse_client_list(b"id=1 addr=1.2.3.4:5 name=a=b=c\xff\x0b\x85\xc3\xa9 age=1")
    assert session["name"] == "a=b=c\\xff\x0b\\x85é"


def test_field_cannot_be_smuggled_in_by_a_later_one() -> None:
    (session,) = parse_client_list(b"id=1 addr=1.2.3.4:5 age=1 name=x id=2 addr=6.6.6.6:6 age=9")
    assert (session["id"], session["addr"], session["age"]) == ("1", "1.2.3.4:5", 1)


def test_missing_fields_of_old_servers_have_defaults() -> None:
    (session,) = parse_client_list(b"id=1 addr=1.2.3.4:5")
    assert session.keys() == FIELDS
    assert (session["user"], session["multi"], session["sub"]) == ("default", -1, 0)


@pytest.mark.parametrize(
    "line", [b"addr=1.2.3.4:5", b"id=1", b"id=x addr=1.2.3.4:5", b"id=1 addr=a:1 age=x", b"+OK"]
)
def test_malformed_client_list_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match="CLIENT LIST"):
        parse_client_list(line)


@given(st.binary())
def test_any_string_is_parsed_or_refused(reply: bytes) -> None:
    with contextlib.suppress(ClientListError):
        assert all(session.keys() == FIELDS for session in parse_client_list(reply))


_VALUE = st.binary(max_size=20).filter(lambda value: not set(value) & set(b" \n\r"))


@given(st.lists(st.tuples(st.integers(0, 2**63), _VALUE, st.integers(-1, 2**40)), max_size=5))
def test_formatted_sessions_are_parsed_back(rows: list[tuple[int, bytes, int]]) -> None:
    reply = b"".join(
        b"id=%d addr=1.2.3.4:5 extra=%s name=%s omem=%d\n" % (number, name, name, omem)
        for number, name, omem in rows
    )
    assert [(s["id"], s["name"], s["omem"]) for s in parse_client_list(reply)] == [
        (str(number), name.decode("utf-8", "backslashreplace"), omem) for number, name, omem in rows
    ]


def _session(number: int, **fields: Any) -> Session:
    (session,) = parse_client_list(b"id=%d addr=10.0.0.%d:5000" % (number, number % 3))
    return {**session, **fields}


def _ids(snapshot: Snapshot, **selection: Any) -> list[str]:
    defaults = {"offset": 0, "limit": 1000, "addr": None, "sort": "id", "descending": False}
    return [str(s["id"]) for s in snapshot.page(**{**defaults, **selection})[0]]


SNAPSHOT = Snapshot.of([_session(number) for number in (10, 9, 100, 1, 2)])


def test_numbers_sort_as_numbers_though_they_are_text() -> None:
    assert _ids(SNAPSHOT) == ["1", "2", "9", "10", "100"]
    assert _ids(SNAPSHOT, descending=True) == ["100", "10", "9", "2", "1"]
    dbs = Snapshot.of([_session(1, db="9"), _session(2, db="10")])
    assert _ids(dbs, sort="db") == ["1", "2"]


def test_equals_stay_in_the_order_of_ids() -> None:
    assert _ids(SNAPSHOT, sort="age") == ["1", "2", "9", "10", "100"]
    assert _ids(SNAPSHOT, sort="age", descending=True) == ["1", "2", "9", "10", "100"]


def test_odd_number_comes_last_and_does_not_break_sorting() -> None:
    odd = Snapshot.of([_session(1, fd=""), _session(2, fd="10"), _session(3, fd="9")])
    assert _ids(odd, sort="fd") == ["3", "2", "1"]


@pytest.mark.parametrize("field", sorted(FIELDS))
@pytest.mark.parametrize("descending", [False, True])
def test_pages_put_together_are_the_list(field: str, descending: bool) -> None:
    whole = _ids(SNAPSHOT, sort=field, descending=descending)
    pages = [
        _ids(SNAPSHOT, sort=field, descending=descending, offset=offset, limit=2)
        for offset in (0, 2, 4, 6)
    ]
    assert [len(page) for page in pages] == [2, 2, 1, 0]
    assert [number for page in pages for number in page] == whole


def test_addr_matches_an_address_with_or_without_its_port() -> None:
    assert _ids(SNAPSHOT, addr="10.0.0.1:5000") == ["1", "10", "100"]
    assert _ids(SNAPSHOT, addr="10.0.0.1") == ["1", "10", "100"]
    assert _ids(SNAPSHOT, addr="10.0.0") == []
    assert _ids(SNAPSHOT, addr="5000") == []
    assert len(_ids(SNAPSHOT, addr="")) == 5
    six = Snapshot.of([_session(1, addr="[fe80::1]:5")])
    for addr in ("[fe80::1]:5", "[fe80::1]", "fe80::1"):
        assert _ids(six, addr=addr) == ["1"]


def test_count_is_of_all_that_match() -> None:
    page = SNAPSHOT.page(offset=1, limit=1, addr="10.0.0.1", sort="id", descending=False)
    assert ([s["id"] for s in page[0]], page[1]) == (["10"], 3)
