"""The instances of the project, what each of them is, and the nodes that it has."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dcs_sessions.emulator._nodes import Node

# Type -> what the code of its specification begins with.
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
# The documented rule: 4 to 64 letters, digits, underscores and hyphens, the first no sign.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,63}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """An instance to serve.

    Attributes:
        name: Its name, 4 to 64 letters, digits, underscores and hyphens. Names may repeat.
        instance_id: Its ID; None for a constant one.
        cache_mode: Its type: single, ha, ha_rw_split, cluster or proxy. None for single with one
            node, and cluster with more. The sessions of ha_rw_split and proxy are on proxy nodes.
        nodes: Number of Valkey servers to start, each a node that holds sessions; not used with
            `redis`.
        redis: URLs of servers of one's own, each such a node.
        node_ids: IDs of these nodes in order; None for constant ones.
        transparent_client_ip: Whether client IP pass-through is on. If not, the `addr` of a session
            is an internal address, 198.19.x.x.
        status: Its status. One that could not be created (CREATEFAILED) or was deleted (DELETED) is
            listed on request only.
        description: Its description.
        tags: Its tags.

    Raises:
        ValueError: If one of them makes no sense; the text is its name and the reason.
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
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        count = self.node_count
        if count < 1:
            raise ValueError("nodes: at least one node is needed")
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "name: 4 to 64 letters, digits, underscores and hyphens are needed, the first a "
                "letter or a digit"
            )
        if self.cache_mode not in (None, *CACHE_MODES):
            raise ValueError(f"cache_mode: it is one of {', '.join(CACHE_MODES)}")
        if self.cache_mode == "single" and count > 1:
            raise ValueError("cache_mode: an instance of the type single has one node")
        if self.node_ids is not None and not len(self.node_ids) == len(set(self.node_ids)) == count:
            raise ValueError(f"node_ids: {count} different ids are needed, one for each node")

    @property
    def node_count(self) -> int:
        """How many nodes hold sessions."""
        return len(self.redis) or self.nodes

    @property
    def mode(self) -> str:
        """Its type, also where none was given."""
        return self.cache_mode or ("single" if self.node_count == 1 else "cluster")

    @property
    def is_proxied(self) -> bool:
        """Whether its sessions are on proxy nodes."""
        return self.mode in _PROXIED


@dataclass(slots=True, kw_only=True)
class Served:
    """An instance that is served.

    Attributes:
        spec: What it is.
        instance_id: Its ID.
        nodes: The nodes that hold its sessions, in the order in which they are shown.
        created_at: When it was made.
    """

    spec: Instance
    instance_id: str
    nodes: tuple[Node, ...]
    created_at: str = field(
        default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
    )

    def node(self, node_id: str | None) -> Node:
        """The node of an id.

        Raises:
            ApiError: DCS.3053 if there is none, or if it is a data node behind proxies.
        """
        for node in self.nodes:
            if node.node_id == node_id:
                return node
        raise ApiError("DCS.3053")

    def listed(self) -> dict[str, Any]:
        """The instance as ListInstances shows it, with the types that its examples have.

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
            # Below 1 GB the capacity is 0, and a text or a number in another field.
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
        """The instance as ShowInstance shows it.

        Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ShowInstance.html.
        """
        shards = len(self.nodes) if self.spec.mode == "cluster" else 1
        return {
            **self.listed(),
            # The examples of this operation have text where those of the list have other things.
            "no_password_access": "true",
            "enterprise_project_id": "0",
            "cache_mode": self.spec.mode,
            "transparent_client_ip_enable": self.spec.transparent_client_ip,
            "replica_count": len(self.nodes) if self.spec.mode.startswith("ha") else 1,
            "sharding_count": shards,
            "db_number": 1 if self.spec.mode == "cluster" else 256,
        }

    async def configurations(self) -> dict[str, Any]:
        """The configuration as ListConfigurations shows it: some parameters of the real server.

        Source: https://support.huaweicloud.com/intl/en-us/api-dcs/ListConfigurations.html.

        Raises:
            NodeError: If the server does not say.
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
        """Whether the instance is meant by the filters of ListInstances."""
        spec, name = self.spec, wanted["name"]
        # Whichever of its two documented meanings: a flag, or the exact name itself.
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
