from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Model, Unset

if TYPE_CHECKING:
    from ..models.node_dimension import NodeDimension


T = TypeVar("T", bound="Node")


@_attrs_define
class Node(Model):
    """A node of an instance. Only its ID is sure to be there."""

    node_id: str
    """ ID of the node, which the session operations take: 32 hexadecimal digits in most of the vendor's examples, a
    UUID in some. """
    logical_node_id: str | Unset = UNSET
    """ Logical ID of the node. It is not the ID that the session operations take. """
    name: str | Unset = UNSET
    """ Name of the node. """
    status: str | Unset = UNSET
    """ Creating, Active, Inactive, Deleting or AddSharding. Other values may come. """
    az_code: str | Unset = UNSET
    """ Code of the availability zone. """
    node_role: str | Unset = UNSET
    """ redis-server for a data node, redis-proxy for a proxy. Other values may come. """
    node_type: str | Unset = UNSET
    """ master, slave or proxy. Other values may come. """
    node_ip: str | Unset = UNSET
    """ IP address of the node. """
    node_port: str | Unset = UNSET
    """ Port of the node, a number in text. """
    priority_weight: int | Unset = UNSET
    """ Rank in a failover from 1, the first, to 100, the last; 0 is never promoted. """
    is_access: bool | Unset = UNSET
    """ Whether the IP address of the node can be accessed directly. """
    is_remove_ip: bool | Unset = UNSET
    """ Whether the address of the node has been taken out of the read-only domain name. """
    group_id: str | Unset = UNSET
    """ ID of the shard. """
    group_name: str | Unset = UNSET
    """ Name of the shard. """
    replication_id: None | str | Unset = UNSET
    """ ID of the replica, or null. """
    dimensions: list[NodeDimension] | Unset = UNSET
    """ What the monitoring service (Cloud Eye) calls this node. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "node_id": "node_id",
        "logical_node_id": "logical_node_id",
        "name": "name",
        "status": "status",
        "az_code": "az_code",
        "node_role": "node_role",
        "node_type": "node_type",
        "node_ip": "node_ip",
        "node_port": "node_port",
        "priority_weight": "priority_weight",
        "is_access": "is_access",
        "is_remove_ip": "is_remove_ip",
        "group_id": "group_id",
        "group_name": "group_name",
        "replication_id": "replication_id",
        "dimensions": "dimensions",
    }

    def to_dict(self) -> dict[str, Any]:
        node_id = self.node_id

        logical_node_id = self.logical_node_id

        name = self.name

        status = self.status

        az_code = self.az_code

        node_role = self.node_role

        node_type = self.node_type

        node_ip = self.node_ip

        node_port = self.node_port

        priority_weight = self.priority_weight

        is_access = self.is_access

        is_remove_ip = self.is_remove_ip

        group_id = self.group_id

        group_name = self.group_name

        replication_id: None | str | Unset
        if isinstance(self.replication_id, Unset):
            replication_id = UNSET
        else:
            replication_id = self.replication_id

        dimensions: list[dict[str, Any]] | Unset = UNSET
        if not isinstance(self.dimensions, Unset):
            dimensions = []
            for dimensions_item_data in self.dimensions:
                dimensions_item = dimensions_item_data.to_dict()
                dimensions.append(dimensions_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "node_id": node_id,
            }
        )
        if logical_node_id is not UNSET:
            field_dict["logical_node_id"] = logical_node_id
        if name is not UNSET:
            field_dict["name"] = name
        if status is not UNSET:
            field_dict["status"] = status
        if az_code is not UNSET:
            field_dict["az_code"] = az_code
        if node_role is not UNSET:
            field_dict["node_role"] = node_role
        if node_type is not UNSET:
            field_dict["node_type"] = node_type
        if node_ip is not UNSET:
            field_dict["node_ip"] = node_ip
        if node_port is not UNSET:
            field_dict["node_port"] = node_port
        if priority_weight is not UNSET:
            field_dict["priority_weight"] = priority_weight
        if is_access is not UNSET:
            field_dict["is_access"] = is_access
        if is_remove_ip is not UNSET:
            field_dict["is_remove_ip"] = is_remove_ip
        if group_id is not UNSET:
            field_dict["group_id"] = group_id
        if group_name is not UNSET:
            field_dict["group_name"] = group_name
        if replication_id is not UNSET:
            field_dict["replication_id"] = replication_id
        if dimensions is not UNSET:
            field_dict["dimensions"] = dimensions

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.node_dimension import NodeDimension  # noqa: PLC0415

        d = dict(src_dict)
        node_id = d.pop("node_id")

        logical_node_id = d.pop("logical_node_id", UNSET)

        name = d.pop("name", UNSET)

        status = d.pop("status", UNSET)

        az_code = d.pop("az_code", UNSET)

        node_role = d.pop("node_role", UNSET)

        node_type = d.pop("node_type", UNSET)

        node_ip = d.pop("node_ip", UNSET)

        node_port = d.pop("node_port", UNSET)

        priority_weight = d.pop("priority_weight", UNSET)

        is_access = d.pop("is_access", UNSET)

        is_remove_ip = d.pop("is_remove_ip", UNSET)

        group_id = d.pop("group_id", UNSET)

        group_name = d.pop("group_name", UNSET)

        def _parse_replication_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        replication_id = _parse_replication_id(d.pop("replication_id", UNSET))

        _dimensions = d.pop("dimensions", UNSET)
        dimensions: list[NodeDimension] | Unset = UNSET
        if _dimensions is not UNSET:
            dimensions = []
            for dimensions_item_data in _dimensions:
                dimensions_item = NodeDimension.from_dict(dimensions_item_data)

                dimensions.append(dimensions_item)

        node = cls(
            node_id=node_id,
            logical_node_id=logical_node_id,
            name=name,
            status=status,
            az_code=az_code,
            node_role=node_role,
            node_type=node_type,
            node_ip=node_ip,
            node_port=node_port,
            priority_weight=priority_weight,
            is_access=is_access,
            is_remove_ip=is_remove_ip,
            group_id=group_id,
            group_name=group_name,
            replication_id=replication_id,
            dimensions=dimensions,
        )

        node.additional_properties = d
        return node
