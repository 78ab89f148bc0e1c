from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..types import Model

T = TypeVar("T", bound="GatewayError")


@_attrs_define
class GatewayError(Model):
    """Why the gateway in front of the service refused a request."""

    error_code: str
    """ Error code of the gateway. """
    error_msg: str
    """ Error message, with the limit and its window. """
    request_id: str
    """ ID of the request, to be named when asking the vendor about it. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "error_code": "error_code",
        "error_msg": "error_msg",
        "request_id": "request_id",
    }

    def to_dict(self) -> dict[str, Any]:
        error_code = self.error_code

        error_msg = self.error_msg

        request_id = self.request_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "error_code": error_code,
                "error_msg": error_msg,
                "request_id": request_id,
            }
        )

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        error_code = d.pop("error_code")

        error_msg = d.pop("error_msg")

        request_id = d.pop("request_id")

        gateway_error = cls(
            error_code=error_code,
            error_msg=error_msg,
            request_id=request_id,
        )

        gateway_error.additional_properties = d
        return gateway_error
