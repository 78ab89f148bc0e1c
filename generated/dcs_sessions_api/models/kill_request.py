from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import Model

T = TypeVar("T", bound="KillRequest")


@_attrs_define
class KillRequest(Model):
    """Which sessions of which node to end."""

    node_id: str
    """ ID of the node that the sessions are on. """
    client_addrs: list[str]
    """ Addresses of the sessions to end, each the `peer` of a listed session. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "node_id": "node_id",
        "client_addrs": "client_addrs",
    }

    def to_dict(self) -> dict[str, Any]:
        node_id = self.node_id

        client_addrs = self.client_addrs

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "node_id": node_id,
                "client_addrs": client_addrs,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        node_id = d.pop("node_id")

        client_addrs = cast(list[str], d.pop("client_addrs"))

        kill_request = cls(
            node_id=node_id,
            client_addrs=client_addrs,
        )

        kill_request.additional_properties = d
        return kill_request
