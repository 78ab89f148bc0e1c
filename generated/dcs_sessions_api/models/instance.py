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

T = TypeVar("T", bound="Instance")


@_attrs_define
class Instance(Model):
    """An instance as ShowInstance returns it. Only its ID is sure to be there. Further fields are not described here."""

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
    cache_mode: str | Unset = UNSET
    """ Type of the instance: single, ha (master/standby), ha_rw_split (read/write splitting), cluster (Redis
    Cluster) or proxy (Proxy Cluster). Other values may come. """
    transparent_client_ip_enable: bool | Unset = UNSET
    """ Whether client IP pass-through is on. Without it, sessions have internal 198.19.x.x addresses. It takes
    effect for new connections only. """
    replica_count: int | Unset = UNSET
    """ Number of replicas, the master included. """
    sharding_count: int | Unset = UNSET
    """ Number of shards of a cluster. """
    db_number: int | Unset = UNSET
    """ Number of databases. """
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
        "cache_mode": "cache_mode",
        "transparent_client_ip_enable": "transparent_client_ip_enable",
        "replica_count": "replica_count",
        "sharding_count": "sharding_count",
        "db_number": "db_number",
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

        cache_mode = self.cache_mode

        transparent_client_ip_enable = self.transparent_client_ip_enable

        replica_count = self.replica_count

        sharding_count = self.sharding_count

        db_number = self.db_number

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
        if cache_mode is not UNSET:
            field_dict["cache_mode"] = cache_mode
        if transparent_client_ip_enable is not UNSET:
            field_dict["transparent_client_ip_enable"] = transparent_client_ip_enable
        if replica_count is not UNSET:
            field_dict["replica_count"] = replica_count
        if sharding_count is not UNSET:
            field_dict["sharding_count"] = sharding_count
        if db_number is not UNSET:
            field_dict["db_number"] = db_number

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

        cache_mode = d.pop("cache_mode", UNSET)

        transparent_client_ip_enable = d.pop("transparent_client_ip_enable", UNSET)

        replica_count = d.pop("replica_count", UNSET)

        sharding_count = d.pop("sharding_count", UNSET)

        db_number = d.pop("db_number", UNSET)

        instance = cls(
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
            cache_mode=cache_mode,
            transparent_client_ip_enable=transparent_client_ip_enable,
            replica_count=replica_count,
            sharding_count=sharding_count,
            db_number=db_number,
        )

        instance.additional_properties = d
        return instance

    @property
    def created_at_utc(self) -> datetime.datetime | None:
        """Return `created_at` as a time in UTC, or None if it is not a time."""
        return utc(self.created_at)
