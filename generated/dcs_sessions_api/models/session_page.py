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

from ..types import Model, utc

if TYPE_CHECKING:
    from ..models.session import Session


T = TypeVar("T", bound="SessionPage")


@_attrs_define
class SessionPage(Model):
    """One page of the saved list of sessions of a node."""

    time: str
    """ When the list was made. The vendor shows two forms, 2023-06-15T03:10:01.332Z and 2023-10-10 00:00:00, so it
    is plain text. """
    clients: list[Session]
    """ The sessions on this page. """
    count: int
    """ Total number of sessions, on all pages. The vendor does not say whether a filter changes it. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "time": "time",
        "clients": "clients",
        "count": "count",
    }

    def to_dict(self) -> dict[str, Any]:
        time = self.time

        clients = []
        for clients_item_data in self.clients:
            clients_item = clients_item_data.to_dict()
            clients.append(clients_item)

        count = self.count

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "time": time,
                "clients": clients,
                "count": count,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        from ..models.session import Session  # noqa: PLC0415

        d = dict(src_dict)
        time = d.pop("time")

        clients = []
        _clients = d.pop("clients")
        for clients_item_data in _clients:
            clients_item = Session.from_dict(clients_item_data)

            clients.append(clients_item)

        count = d.pop("count")

        session_page = cls(
            time=time,
            clients=clients,
            count=count,
        )

        session_page.additional_properties = d
        return session_page

    @property
    def time_utc(self) -> datetime.datetime | None:
        """Return `time` as a time in UTC, or None if it is not a time."""
        return utc(self.time)
