from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import (
    Any,
    ClassVar,
    TypeVar,
    cast,
)

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import UNSET, Model, Unset, utc

T = TypeVar("T", bound="ListedInstance")


@_attrs_define
class ListedInstance(Model):
    """An instance as ListInstances returns it. Only its ID is sure to be there. Further fields, such as those of the
    network, are not described here.

    """

    instance_id: str
    """ ID of the instance. """
    name: str | Unset = UNSET
    """ Name of the instance. """
    description: str | Unset = UNSET
    """ Description of the instance. """
    engine: str | Unset = UNSET
    """ Redis or Memcached. Other values may come. """
    engine_version: str | Unset = UNSET
    """ Version of the engine, such as 5.0 or 3.0.7. """
    spec_code: str | Unset = UNSET
    """ Code of the specification. It begins with the type, such as redis.cluster. """
    status: str | Unset = UNSET
    """ CREATING, CREATEFAILED, RUNNING, ERROR, RESTARTING, FROZEN, EXTENDING, RESTORING, FLUSHING and others. Only
    RUNNING serves clients. """
    sub_status: str | Unset = UNSET
    """ Further state, such as normal or UPDATE_SSL. """
    ip: str | Unset = UNSET
    """ Connection address. A cluster has several, separated by commas. """
    port: int | Unset = UNSET
    """ Port of the instance. """
    domain_name: None | str | Unset = UNSET
    """ Host name of the instance, or null. Some examples end with the port. """
    readonly_domain_name: None | str | Unset = UNSET
    """ Host name for reading, of a master/standby instance, or null. """
    capacity: int | Unset = UNSET
    """ Capacity in GB; 0 below 1 GB, where capacity_minor has it. """
    capacity_minor: Any | Unset = UNSET
    """ Capacity in GB below 1 GB. It may be a string, a number or null. """
    max_memory: int | Unset = UNSET
    """ Total memory in MB. """
    used_memory: int | Unset = UNSET
    """ Used memory in MB. """
    created_at: str | Unset = UNSET
    """ When the instance was created. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "instance_id": "instance_id",
        "name": "name",
        "description": "description",
        "engine": "engine",
        "engine_version": "engine_version",
        "spec_code": "spec_code",
        "status": "status",
        "sub_status": "sub_status",
        "ip": "ip",
        "port": "port",
        "domain_name": "domain_name",
        "readonly_domain_name": "readonly_domain_name",
        "capacity": "capacity",
        "capacity_minor": "capacity_minor",
        "max_memory": "max_memory",
        "used_memory": "used_memory",
        "created_at": "created_at",
    }

    def to_dict(self) -> dict[str, Any]:
        instance_id = self.instance_id

        name = self.name

        description = self.description

        engine = self.engine

        engine_version = self.engine_version

        spec_code = self.spec_code

        status = self.status

        sub_status = self.sub_status

        ip = self.ip

        port = self.port

        domain_name: None | str | Unset
        if isinstance(self.domain_name, Unset):
            domain_name = UNSET
        else:
            domain_name = self.domain_name

        readonly_domain_name: None | str | Unset
        if isinstance(self.readonly_domain_name, Unset):
            readonly_domain_name = UNSET
        else:
            readonly_domain_name = self.readonly_domain_name

        capacity = self.capacity

        capacity_minor = self.capacity_minor

        max_memory = self.max_memory

        used_memory = self.used_memory

        created_at = self.created_at

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "instance_id": instance_id,
            }
        )
        if name is not UNSET:
            field_dict["name"] = name
        if description is not UNSET:
            field_dict["description"] = description
        if engine is not UNSET:
            field_dict["engine"] = engine
        if engine_version is not UNSET:
            field_dict["engine_version"] = engine_version
        if spec_code is not UNSET:
            field_dict["spec_code"] = spec_code
        if status is not UNSET:
            field_dict["status"] = status
        if sub_status is not UNSET:
            field_dict["sub_status"] = sub_status
        if ip is not UNSET:
            field_dict["ip"] = ip
        if port is not UNSET:
            field_dict["port"] = port
        if domain_name is not UNSET:
            field_dict["domain_name"] = domain_name
        if readonly_domain_name is not UNSET:
            field_dict["readonly_domain_name"] = readonly_domain_name
        if capacity is not UNSET:
            field_dict["capacity"] = capacity
        if capacity_minor is not UNSET:
            field_dict["capacity_minor"] = capacity_minor
        if max_memory is not UNSET:
            field_dict["max_memory"] = max_memory
        if used_memory is not UNSET:
            field_dict["used_memory"] = used_memory
        if created_at is not UNSET:
            field_dict["created_at"] = created_at

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        instance_id = d.pop("instance_id")

        name = d.pop("name", UNSET)

        description = d.pop("description", UNSET)

        engine = d.pop("engine", UNSET)

        engine_version = d.pop("engine_version", UNSET)

        spec_code = d.pop("spec_code", UNSET)

        status = d.pop("status", UNSET)

        sub_status = d.pop("sub_status", UNSET)

        ip = d.pop("ip", UNSET)

        port = d.pop("port", UNSET)

        def _parse_domain_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        domain_name = _parse_domain_name(d.pop("domain_name", UNSET))

        def _parse_readonly_domain_name(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        readonly_domain_name = _parse_readonly_domain_name(
            d.pop("readonly_domain_name", UNSET)
        )

        capacity = d.pop("capacity", UNSET)

        capacity_minor = d.pop("capacity_minor", UNSET)

        max_memory = d.pop("max_memory", UNSET)

        used_memory = d.pop("used_memory", UNSET)

        created_at = d.pop("created_at", UNSET)

        listed_instance = cls(
            instance_id=instance_id,
            name=name,
            description=description,
            engine=engine,
            engine_version=engine_version,
            spec_code=spec_code,
            status=status,
            sub_status=sub_status,
            ip=ip,
            port=port,
            domain_name=domain_name,
            readonly_domain_name=readonly_domain_name,
            capacity=capacity,
            capacity_minor=capacity_minor,
            max_memory=max_memory,
            used_memory=used_memory,
            created_at=created_at,
        )

        listed_instance.additional_properties = d
        return listed_instance

    @property
    def created_at_utc(self) -> datetime.datetime | None:
        """Return `created_at` as a time in UTC, or None if it is not a time."""
        return utc(self.created_at)
