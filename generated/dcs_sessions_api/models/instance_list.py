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

from ..types import UNSET, Model, Unset

if TYPE_CHECKING:
    from ..models.listed_instance import ListedInstance


T = TypeVar("T", bound="InstanceList")


@_attrs_define
class InstanceList(Model):
    """One page of the instances of a project."""

    instances: list[ListedInstance]
    """ The instances on this page. """
    instance_num: int | Unset = UNSET
    """ Number of instances. The vendor does not say whether of the page or of the project, so read pages until one
    is empty. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "instances": "instances",
        "instance_num": "instance_num",
    }

    def to_dict(self) -> dict[str, Any]:
        instances = []
        for instances_item_data in self.instances:
            instances_item = instances_item_data.to_dict()
            instances.append(instances_item)

        instance_num = self.instance_num

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "instances": instances,
            }
        )
        if instance_num is not UNSET:
            field_dict["instance_num"] = instance_num

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.listed_instance import ListedInstance  # noqa: PLC0415

        d = dict(src_dict)
        instances = []
        _instances = d.pop("instances")
        for instances_item_data in _instances:
            instances_item = ListedInstance.from_dict(instances_item_data)

            instances.append(instances_item)

        instance_num = d.pop("instance_num", UNSET)

        instance_list = cls(
            instances=instances,
            instance_num=instance_num,
        )

        instance_list.additional_properties = d
        return instance_list
