from __future__ import annotations

from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import Model

if TYPE_CHECKING:
    from ..models.node import Node


T = TypeVar("T", bound="NodeList")


@_attrs_define
class NodeList(Model):
    """The nodes of an instance."""

    instance_id: str
    """ ID of the instance. """
    total: int
    """ Number of nodes. """
    nodes: list[Node]
    """ The nodes. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "instance_id": "instance_id",
        "total": "total",
        "nodes": "nodes",
    }

    def to_dict(self) -> dict[str, Any]:
        instance_id = self.instance_id

        total = self.total

        nodes = []
        for nodes_item_data in self.nodes:
            nodes_item = nodes_item_data.to_dict()
            nodes.append(nodes_item)

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "instance_id": instance_id,
                "total": total,
                "nodes": nodes,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.node import Node  # noqa: PLC0415

        d = dict(src_dict)
        instance_id = d.pop("instance_id")

        total = d.pop("total")

        nodes = []
        _nodes = d.pop("nodes")
        for nodes_item_data in _nodes:
            nodes_item = Node.from_dict(nodes_item_data)

            nodes.append(nodes_item)

        node_list = cls(
            instance_id=instance_id,
            total=total,
            nodes=nodes,
        )

        node_list.additional_properties = d
        return node_list
