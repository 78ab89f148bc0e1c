"""Any headers of a caller are sent as they are, once, or refused before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import dcs_sessions
from dcs_sessions import AkSkAuth, Auth, InvalidArgumentError, TokenAuth
from support.both import AnyClient, Both
from support.scripted import ScriptedServer, answer

# Those that describe the connection, or where a body ends.
OF_THE_CONNECTION = {
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
DEFAULTS = {"accept", "accept-encoding", "user-agent"}
OWN = {"x-project-id", "content-type", "content-length"}
OF_CREDENTIALS = {
    "token": {"x-auth-token"},
    "keys": {"authorization", "x-sdk-date", "host", "x-security-token"},
}
KNOWN = sorted({*OF_THE_CONNECTION, *DEFAULTS, *OWN, *set().union(*OF_CREDENTIALS.values())})

names = st.builds(
    lambda name, upper: "".join(c.upper() if u else c for c, u in zip(name, upper, strict=False)),
    st.sampled_from([*KNOWN, "x-mine", "x_mine", "cookie"]),
    st.lists(st.booleans(), min_size=20, max_size=20),
) | st.text(st.sampled_from("aZ-_: \r\né9"), max_size=4)
values = st.text(st.sampled_from("aZ9 \t~!"), max_size=4) | st.text(max_size=4)
headers = st.dictionaries(names, values, max_size=3)


def is_valid(given: dict[str, str]) -> bool:
    """Return whether RFC 9110 and the client allow these headers."""
    lowered = [name.lower() for name in given]
    return (
        len(set(lowered)) == len(lowered)
        and not OF_THE_CONNECTION & set(lowered)
        and all(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) for name in given)
        and all(
            value.isascii() and re.sub("[\t]", " ", value).isprintable() for value in given.values()
        )
        and all(value == value.strip() for value in given.values())
    )


@pytest.fixture(scope="module")
def scene() -> Iterator[tuple[ScriptedServer, dict[tuple[str, str], AnyClient]]]:
    auths: dict[str, Auth] = {"token": TokenAuth("a-token"), "keys": AkSkAuth("a-key", "a-secret")}
    with ScriptedServer([answer(204)]) as server, Both("sync") as sync, Both("async") as async_:
        yield (
            server,
            {
                (both.kind, name): both(endpoint=server.endpoint, auth=auth, retry=None)
                for both in (sync, async_)
                for name, auth in auths.items()
            },
        )


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("credentials", OF_CREDENTIALS)
@given(headers, headers)
@example({"X-Mine": " b"}, {})
@example({"Transfer-Encoding": "chunked"}, {})
@example({"x-mine": "1"}, {"X-Mine": "2"})
@example({"user-agent": "mine", "host": "other"}, {"CONTENT-TYPE": "x", "x-auth-token": "y"})
def test_any_headers_are_sent_once_or_refused(
    scene: tuple[ScriptedServer, dict[tuple[str, str], AnyClient]],
    kind: str,
    credentials: str,
    of_client: dict[str, str],
    of_call: dict[str, str],
) -> None:
    server, clients = scene
    server.received.clear()
    client = clients[kind, credentials]
    refused = ""
    try:
        client.with_options(headers=of_client).kill_sessions(
            "i", "n", ["1.2.3.4:5"], headers=of_call
        )
    except InvalidArgumentError as error:
        refused = str(error)
    assert (refused == "") is (is_valid(of_client) and is_valid(of_call))
    if refused:
        assert refused.startswith("headers: ")
        assert server.received == []
        return
    (request,) = server.received
    sent = [name.lower() for name, _ in request.fields]
    assert len(set(sent)) == len(sent), "no header is sent twice"
    asked = {name.lower(): value for one in (of_client, of_call) for name, value in one.items()}
    own = OWN | OF_CREDENTIALS[credentials]
    assert {name: request.headers[name] for name in asked if name not in own} == {
        name: value for name, value in asked.items() if name not in own
    }
    assert set(sent) <= {*asked, *own, *DEFAULTS, "host", "connection"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-project-id"] == "a-project"
    if credentials == "token":
        assert request.headers["x-auth-token"] == "a-token"
    else:
        assert request.headers["authorization"].startswith("SDK-HMAC-SHA256 ")
        assert request.headers["host"] == server.endpoint.removeprefix("http://")


def test_value_that_is_refused_is_not_shown() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        dcs_sessions.Client(
            endpoint="http://127.0.0.1:1",
            project_id="p",
            auth=TokenAuth("t"),
            headers={"X-Key": "canary\n"},
        )
    assert "canary" not in str(caught.value)
    assert "X-Key" in str(caught.value)
