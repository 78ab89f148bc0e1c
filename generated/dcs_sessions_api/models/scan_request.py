from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Model, Unset

T = TypeVar("T", bound="ScanRequest")


@_attrs_define
class ScanRequest(Model):
    """Which node to query, and whether a saved list will do."""

    node_id: str
    """ ID of the node to query. The vendor made it optional in its API definitions in 2026-06; its pages require
    it, and what a call without it does is not documented. """
    clean_cache: bool | Unset = False
    """ Whether to query the sessions again and save the list. True queries again and saves the new list; false does
    not query again where a list is saved. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "node_id": "node_id",
        "clean_cache": "clean_cache",
    }

    def to_dict(self) -> dict[str, Any]:
        node_id = self.node_id

        clean_cache = self.clean_cache

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "node_id": node_id,
            }
        )
        if clean_cache is not UNSET:
            field_dict["clean_cache"] = clean_cache

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        node_id = d.pop("node_id")

        clean_cache = d.pop("clean_cache", UNSET)

        scan_request = cls(
            node_id=node_id,
            clean_cache=clean_cache,
        )

        scan_request.additional_properties = d
        return scan_request
