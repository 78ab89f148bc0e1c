"""Shell completion of instances, nodes, regions and columns. A failure completes nothing."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import click
    from click.shell_completion import CompletionItem

    from dcs_sessions import Client

# How long a response is cached, and how long to wait for the service.
_FRESH_SECONDS = 60.0
# Beginnings of the variables that may say whose instances they are.
_ACCOUNT = ("DCS_SESSIONS_", "HUAWEICLOUD_", "HC_CONTAINER_")
_WAIT_SECONDS = 2.0


def instances(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of an instance, or its ID."""

    def ask(client: Client) -> list[list[str]]:
        return [
            [one.instance_id, str(one.name or ""), str(one.status)]
            for one in client.list_instances()
        ]

    found = _cached(ctx, "instances", ask)
    by_id = incomplete and not any(name.startswith(incomplete) for _, name, _ in found)
    return _items(
        incomplete,
        ((one[0], one[1]) if by_id else (one[1], f"{one[0]} {one[2]}") for one in found),
    )


def nodes(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the ID of a node of the instance already on the command line."""
    from dcs_sessions._cli._instance import find_instance

    instance = ctx.params.get("instance_id") or _instance_before(ctx)
    if not instance:
        return []

    def ask(client: Client) -> list[list[str]]:
        found = client.list_nodes(find_instance(client, instance))
        return [[node.node_id, f"{node.node_role} {node.name}"] for node in found]

    found = _cached(ctx, f"nodes of {instance}", ask)
    return _items(incomplete, ((one[0], one[1]) for one in found))


def _instance_before(ctx: click.Context) -> str | None:
    """Parse the words before the option being completed, where click itself stops."""
    import os

    from click.shell_completion import split_arg_string

    with contextlib.suppress(Exception):
        words = split_arg_string(os.environ["COMP_WORDS"])[: int(os.environ["COMP_CWORD"])]
        words = words[words.index(str(ctx.info_name)) + 1 : -1]
        again = ctx.command.make_context(
            ctx.info_name, words, parent=ctx.parent, resilient_parsing=True
        )
        instance = again.params.get("instance_id")
        return instance if isinstance(instance, str) else None
    return None


def regions(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the ID of a region."""
    from dcs_sessions import _contract

    return _items(incomplete, ((region, "") for region in _contract.regions()))


def columns(_: click.Context, __: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the last of several columns."""
    from dcs_sessions._cli._columns import ROW_FIELDS

    before, comma, _last = incomplete.rpartition(",")
    taken = before.split(",")
    return _items(
        incomplete, ((f"{before}{comma}{name}", "") for name in ROW_FIELDS if name not in taken)
    )


def _items(incomplete: str, found: Any) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    # Names come from other people: leave out those a shell would split or execute.
    return [
        CompletionItem(value, help="".join(char for char in said if char.isprintable()))
        for value, said in found
        if value.startswith(incomplete) and value and value.isascii() and value.isprintable()
        if not set(value) & set(" \t'\"\\$`;&|<>()*?[]{}!#~")
    ]


def _cached(
    ctx: click.Context, what: str, ask: Callable[[Client], list[list[str]]]
) -> list[list[str]]:
    """Return the response of the service, cached for a minute; an empty list on failure."""
    import hashlib
    import json
    import os
    import time
    from pathlib import Path

    from dcs_sessions._cli._connection import Connection

    with contextlib.suppress(Exception):
        connection = Connection.of(ctx.params)
        if connection.ask_token or connection.ask_password:
            return []
        service = [connection.endpoint, connection.region, connection.project_id]
        key = json.dumps([what, *service, *_account()])
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "dcs-sessions"
        file = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
        with contextlib.suppress(OSError, ValueError):
            if 0 <= time.time() - file.stat().st_mtime < _FRESH_SECONDS:
                return [[str(text) for text in one] for one in json.loads(file.read_text("utf-8"))]
        with connection.client(retry=False) as client:
            found = ask(client.with_options(timeout=_WAIT_SECONDS))
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = file.with_suffix(f".{os.getpid()}")
            part.write_text(json.dumps(found), "utf-8")
            part.replace(file)
        return found
    return []


def _account() -> list[object]:
    """Return all that says whose credentials are used. It is part of a hash only."""
    import os
    from pathlib import Path

    variables = sorted(item for item in os.environ.items() if item[0].startswith(_ACCOUNT))
    named = os.environ.get("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "").strip()
    file = Path(named or "~/.huaweicloud/credentials").expanduser()
    try:
        found = file.stat()
    except OSError:
        return [variables, str(file)]
    return [variables, str(file), found.st_mtime_ns, found.st_size]
