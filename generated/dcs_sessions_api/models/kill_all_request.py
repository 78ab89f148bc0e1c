from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Model, Unset

T = TypeVar("T", bound="KillAllRequest")


@_attrs_define
class KillAllRequest(Model):
    """Which node to end all sessions of. Either `node_id` is given or `kill_all_nodes` is true."""

    node_id: str | Unset = UNSET
    """ ID of the node. Required unless `kill_all_nodes` is true. """
    kill_all_nodes: bool | Unset = False
    """ Whether to end the sessions of every node of the instance. True leaves `node_id` without effect; false ends
    those of the given node alone. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "node_id": "node_id",
        "kill_all_nodes": "kill_all_nodes",
    }

    def to_dict(self) -> dict[str, Any]:
        node_id = self.node_id

        kill_all_nodes = self.kill_all_nodes

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if node_id is not UNSET:
            field_dict["node_id"] = node_id
        if kill_all_nodes is not UNSET:
            field_dict["kill_all_nodes"] = kill_all_nodes

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        node_id = d.pop("node_id", UNSET)

        kill_all_nodes = d.pop("kill_all_nodes", UNSET)

        kill_all_request = cls(
            node_id=node_id,
            kill_all_nodes=kill_all_nodes,
        )

        kill_all_request.additional_properties = d
        return kill_all_request
