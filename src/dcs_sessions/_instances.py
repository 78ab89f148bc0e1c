"""Names and connection limits of instances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dcs_sessions._errors import InvalidArgumentError
from dcs_sessions._results import ConnectionLimit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dcs_sessions_api.models import ConfigurationParameter, Instance, ListedInstance


def is_called(instance: ListedInstance, name: str | None, *, exact: bool) -> bool:
    """Return whether a name matches: exactly, or as a case-insensitive part.

    Raises:
        InvalidArgumentError: The name is not a string.
    """
    if name is None:
        return True
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError(f"name must be a string, not {type(name).__name__}")
    own = instance.name if isinstance(instance.name, str) else ""
    return own == name if exact else name.casefold() in own.casefold()


def connection_limit(
    instance: Instance, configurations: Iterable[ConfigurationParameter]
) -> ConnectionLimit:
    """Return the connection limits from the type and `maxclients` of an instance.

    `maxclients` is the limit of the instance for the types single and ha, where every node has it,
    and the limit of one shard for cluster. Instances with read/write splitting do not have the
    parameter. Whether it counts for a proxy or for the whole of a Proxy Cluster is not documented,
    so these have no known limit.

    See https://support.huaweicloud.com/intl/en-us/api-dcs/ListConfigurations.html.
    """
    value = next(
        (one.param_value for one in configurations if one.param_name == "maxclients"), None
    )
    text = str(value)
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        return ConnectionLimit(None, None)
    node = int(text)
    if instance.cache_mode in ("single", "ha"):
        return ConnectionLimit(node, node)
    if instance.cache_mode == "cluster":
        shards = instance.sharding_count
        whole = node * shards if isinstance(shards, int) and shards > 0 else None
        return ConnectionLimit(whole, node)
    return ConnectionLimit(None, None)
