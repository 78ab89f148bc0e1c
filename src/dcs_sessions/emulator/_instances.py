"""Instances of the project and their nodes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs

from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dcs_sessions.emulator._nodes import Node

# Type -> prefix of its specification code.
# Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ShowInstance.html.
_SPECS: Mapping[str, str] = {
    "single": "redis.single.xu1.large.1",
    "ha": "redis.ha.xu1.large.r2.1",
    "ha_rw_split": "redis.ha.xu1.large.p2.1",
    "cluster": "redis.cluster.xu1.large.r1.4",
    "proxy": "redis.proxy.xu1.large.4",
}
CACHE_MODES = tuple(_SPECS)
"""The types of instances."""

_PROXIED = ("ha_rw_split", "proxy")
# The documented rule: 4 to 64 letters, digits, underscores and hyphens, starting with a letter or
# digit.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,63}", re.ASCII)


@attrs.frozen(kw_only=True)
class Instance:
    """An instance of the emulator.

    Attributes:
        name: Name of 4 to 64 letters, digits, underscores and hyphens. It need not be unique.
        instance_id: ID; None for a default.
        cache_mode: Type: single, ha, ha_rw_split, cluster or proxy. Default: single with one node,
            cluster with more. The sessions of ha_rw_split and proxy are on proxy nodes.
        nodes: Number of nodes that hold sessions, each an embedded Valkey server; ignored with
            `redis`.
        redis: URLs of your own servers, each a node.
        node_ids: IDs of these nodes in order; None for defaults.
        transparent_client_ip: Whether client IP pass-through is on. If not, the `addr` of a session
            is an internal address, 198.19.x.x.
        status: Status. Instances with CREATEFAILED or DELETED are listed only on request.
        description: Description.
        tags: Tags.

    Raises:
        ValueError: An attribute is invalid; the message has its name and the reason.
    """

    name: str
    instance_id: str | None = None
    cache_mode: str | None = None
    nodes: int = 1
    redis: Sequence[str] = ()
    node_ids: Sequence[str] | None = None
    transparent_client_ip: bool = True
    status: str = "RUNNING"
    description: str = ""
    tags: Mapping[str, str] = attrs.field(factory=dict[str, str])

    def __attrs_post_init__(self) -> None:
        """Validate the attributes."""
        count = self.node_count
        if count < 1:
            raise ValueError("nodes: must be at least 1")
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "name: must be 4 to 64 letters, digits, underscores or hyphens, starting with a "
                "letter or digit"
            )
        if self.cache_mode not in (None, *CACHE_MODES):
            raise ValueError(f"cache_mode: must be one of {', '.join(CACHE_MODES)}")
        if self.cache_mode == "single" and count > 1:
            raise ValueError("cache_mode: an instance of the type single has one node")
        if self.node_ids is not None and not len(self.node_ids) == len(set(self.node_ids)) == count:
            raise ValueError(f"node_ids: {count} different IDs are required, one for each node")

    @property
    def node_count(self) -> int:
        """Number of nodes that hold sessions."""
        return len(self.redis) or self.nodes

    @property
    def mode(self) -> str:
        """The type, or its default."""
        return self.cache_mode or ("single" if self.node_count == 1 else "cluster")

    @property
    def is_proxied(self) -> bool:
        """True if sessions are on proxy nodes."""
        return self.mode in _PROXIED


@attrs.define(kw_only=True)
class Served:
    """A running instance.

    Attributes:
        spec: Description of the instance.
        instance_id: ID.
        nodes: Nodes that hold its sessions, in the order of their list.
        created_at: Time of creation.
    """

    spec: Instance
    instance_id: str
    nodes: tuple[Node, ...]
    created_at: str = attrs.field(
        factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    )

    def node(self, node_id: str | None) -> Node:
        """Return the node with an ID.

        Raises:
            ApiError: DCS.3053: there is no such node, or it is a data node behind proxies.
        """
        for node in self.nodes:
            if node.node_id == node_id:
                return node
        raise ApiError("DCS.3053")

    def listed(self) -> dict[str, Any]:
        """Return the instance as in ListInstances, with the types of the vendor's examples.

        Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ListInstances.html.
        """
        first = self.nodes[0]
        return {
            "instance_id": self.instance_id,
            "name": self.spec.name,
            "description": self.spec.description,
            "engine": "Redis",
            "engine_version": "7.0",
            "spec_code": _SPECS[self.spec.mode],
            "status": self.spec.status,
            "sub_status": "normal",
            "ip": ",".join(dict.fromkeys(node.host for node in self.nodes)),
            "port": first.port,
            "domain_name": None,
            "readonly_domain_name": None,
            # Below 1 GB, the capacity is 0, and another field has the size.
            "capacity": 0,
            "capacity_minor": ".125",
            "max_memory": 128,
            "used_memory": 2,
            "no_password_access": True,
            "enterprise_project_id": 0,
            "publicip_id": {},
            "publicip_address": None,
            "enable_ssl": False,
            "az_codes": ["emulator-1a"],
            "tags": [{"key": key, "value": value} for key, value in self.spec.tags.items()],
            "features": {"support_transparent_client_ip": True, "support_acl": True},
            "created_at": self.created_at,
        }

    def shown(self) -> dict[str, Any]:
        """Return the instance as in ShowInstance.

        Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ShowInstance.html.
        """
        shards = len(self.nodes) if self.spec.mode == "cluster" else 1
        return {
            **self.listed(),
            # In the examples of this operation, some fields are strings that are not in the list's.
            "no_password_access": "true",
            "enterprise_project_id": "0",
            "cache_mode": self.spec.mode,
            "transparent_client_ip_enable": self.spec.transparent_client_ip,
            "replica_count": len(self.nodes) if self.spec.mode.startswith("ha") else 1,
            "sharding_count": shards,
            "db_number": 1 if self.spec.mode == "cluster" else 256,
        }

    async def configurations(self) -> dict[str, Any]:
        """Return the configuration as in ListConfigurations: some parameters of the real server.

        Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ListConfigurations.html.

        Raises:
            NodeError: The server does not return it.
        """
        values = await self.nodes[0].configuration()
        # Read/write splitting has a limit, but no parameter for it.
        hidden = {"maxclients"} if self.spec.mode == "ha_rw_split" else set[str]()
        return {
            "instance_id": self.instance_id,
            "status": self.spec.status,
            "config_status": "SUCCESS",
            "config_time": self.created_at,
            "redis_config": [
                {
                    "param_id": number,
                    "param_name": name,
                    "param_value": values[name],
                    "value_range": value_range,
                    "value_type": "Integer",
                    "default_value": default,
                    "description": description,
                }
                for name, (number, value_range, default, description) in _PARAMETERS.items()
                if name in values and name not in hidden
            ],
        }

    def matches(self, wanted: Mapping[str, str | None], *, name_equal: str) -> bool:
        """Return whether the instance matches the filters of ListInstances."""
        spec, name = self.spec, wanted["name"]
        # Both documented meanings: a flag, or the exact name.
        if name_equal not in ("", "true", "false") and spec.name != name_equal:
            return False
        if name and not (spec.name == name if name_equal == "true" else name in spec.name):
            return False
        capacity = wanted["capacity"]
        pairs = {f"{key}={value}" for key, value in spec.tags.items()}
        return (
            wanted["instance_id"] in (None, self.instance_id)
            and wanted["status"] in (None, spec.status)
            and wanted["ip"] in (None, *(node.host for node in self.nodes))
            and capacity in (None, "0.125", ".125")
            and pairs.issuperset((wanted["tags"] or "").split(",") if wanted["tags"] else ())
        )


# Parameter -> ID, range, default and description. IDs are those of the table of version 1.
_PARAMETERS: Mapping[str, tuple[str, str, str, str]] = {
    "timeout": ("1", "0-7200", "0", "Close the connection after a client is idle for N seconds"),
    "maxclients": ("11", "1000-50000", "10000", "Maximum number of clients connected at once"),
}
