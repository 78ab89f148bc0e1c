from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    TypeVar,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Model, Unset, utc

if TYPE_CHECKING:
    from ..models.configuration_parameter import ConfigurationParameter


T = TypeVar("T", bound="ConfigurationList")


@_attrs_define
class ConfigurationList(Model):
    """The configuration parameters of an instance."""

    redis_config: list[ConfigurationParameter]
    """ The parameters. """
    instance_id: str | Unset = UNSET
    """ ID of the instance. """
    status: str | Unset = UNSET
    """ Status of the instance, as ShowInstance returns it. """
    config_status: str | Unset = UNSET
    """ State of the last change: UPDATING, FAILURE or SUCCESS. Other values may come. """
    config_time: str | Unset = UNSET
    """ When the configuration was last changed. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "redis_config": "redis_config",
        "instance_id": "instance_id",
        "status": "status",
        "config_status": "config_status",
        "config_time": "config_time",
    }

    def to_dict(self) -> dict[str, Any]:
        redis_config = []
        for redis_config_item_data in self.redis_config:
            redis_config_item = redis_config_item_data.to_dict()
            redis_config.append(redis_config_item)

        instance_id = self.instance_id

        status = self.status

        config_status = self.config_status

        config_time = self.config_time

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "redis_config": redis_config,
            }
        )
        if instance_id is not UNSET:
            field_dict["instance_id"] = instance_id
        if status is not UNSET:
            field_dict["status"] = status
        if config_status is not UNSET:
            field_dict["config_status"] = config_status
        if config_time is not UNSET:
            field_dict["config_time"] = config_time

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.configuration_parameter import ConfigurationParameter  # noqa: PLC0415

        d = dict(src_dict)
        redis_config = []
        _redis_config = d.pop("redis_config")
        for redis_config_item_data in _redis_config:
            redis_config_item = ConfigurationParameter.from_dict(redis_config_item_data)

            redis_config.append(redis_config_item)

        instance_id = d.pop("instance_id", UNSET)

        status = d.pop("status", UNSET)

        config_status = d.pop("config_status", UNSET)

        config_time = d.pop("config_time", UNSET)

        configuration_list = cls(
            redis_config=redis_config,
            instance_id=instance_id,
            status=status,
            config_status=config_status,
            config_time=config_time,
        )

        configuration_list.additional_properties = d
        return configuration_list

    @property
    def config_time_utc(self) -> datetime.datetime | None:
        """Return `config_time` as a time in UTC, or None if it is not a time."""
        return utc(self.config_time)
