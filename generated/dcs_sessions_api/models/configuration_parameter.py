from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Model, Unset

T = TypeVar("T", bound="ConfigurationParameter")


@_attrs_define
class ConfigurationParameter(Model):
    """A configuration parameter of an instance. All values are strings."""

    param_id: str | Unset = UNSET
    """ ID of the parameter. """
    param_name: str | Unset = UNSET
    """ Name of the parameter. """
    param_value: str | Unset = UNSET
    """ Value of the parameter. """
    default_value: str | Unset = UNSET
    """ Default of the parameter. """
    value_range: str | Unset = UNSET
    """ Allowed values. """
    value_type: str | Unset = UNSET
    """ Type of the value: Integer, String or an enumeration. Other values may come. """
    description: str | Unset = UNSET
    """ Description of the parameter. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "param_id": "param_id",
        "param_name": "param_name",
        "param_value": "param_value",
        "default_value": "default_value",
        "value_range": "value_range",
        "value_type": "value_type",
        "description": "description",
    }

    def to_dict(self) -> dict[str, Any]:
        param_id = self.param_id

        param_name = self.param_name

        param_value = self.param_value

        default_value = self.default_value

        value_range = self.value_range

        value_type = self.value_type

        description = self.description

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update({})
        if param_id is not UNSET:
            field_dict["param_id"] = param_id
        if param_name is not UNSET:
            field_dict["param_name"] = param_name
        if param_value is not UNSET:
            field_dict["param_value"] = param_value
        if default_value is not UNSET:
            field_dict["default_value"] = default_value
        if value_range is not UNSET:
            field_dict["value_range"] = value_range
        if value_type is not UNSET:
            field_dict["value_type"] = value_type
        if description is not UNSET:
            field_dict["description"] = description

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        param_id = d.pop("param_id", UNSET)

        param_name = d.pop("param_name", UNSET)

        param_value = d.pop("param_value", UNSET)

        default_value = d.pop("default_value", UNSET)

        value_range = d.pop("value_range", UNSET)

        value_type = d.pop("value_type", UNSET)

        description = d.pop("description", UNSET)

        configuration_parameter = cls(
            param_id=param_id,
            param_name=param_name,
            param_value=param_value,
            default_value=default_value,
            value_range=value_range,
            value_type=value_type,
            description=description,
        )

        configuration_parameter.additional_properties = d
        return configuration_parameter
