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

from ..types import UNSET, Model, Unset

T = TypeVar("T", bound="ErrorBody")


@_attrs_define
class ErrorBody(Model):
    """Why a request was refused. Use the code, not the status, to find the cause: the same status has many causes."""

    error_code: str
    """ Error code: DCS.nnnn of the service, nine digits of its older family, or APIGW.nnnn of the gateway. """
    error_msg: str
    """ Error message. """
    error_ext_msg: None | str | Unset = UNSET
    """ Error message details. Documented as unused so far, and often null or missing. """
    request_id: str | Unset = UNSET
    """ ID of the request, to be named when asking the vendor about it. The gateway sends it. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "error_code": "error_code",
        "error_msg": "error_msg",
        "error_ext_msg": "error_ext_msg",
        "request_id": "request_id",
    }

    def to_dict(self) -> dict[str, Any]:
        error_code = self.error_code

        error_msg = self.error_msg

        error_ext_msg: None | str | Unset
        if isinstance(self.error_ext_msg, Unset):
            error_ext_msg = UNSET
        else:
            error_ext_msg = self.error_ext_msg

        request_id = self.request_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "error_code": error_code,
                "error_msg": error_msg,
            }
        )
        if error_ext_msg is not UNSET:
            field_dict["error_ext_msg"] = error_ext_msg
        if request_id is not UNSET:
            field_dict["request_id"] = request_id

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        error_code = d.pop("error_code")

        error_msg = d.pop("error_msg")

        def _parse_error_ext_msg(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        error_ext_msg = _parse_error_ext_msg(d.pop("error_ext_msg", UNSET))

        request_id = d.pop("request_id", UNSET)

        error_body = cls(
            error_code=error_code,
            error_msg=error_msg,
            error_ext_msg=error_ext_msg,
            request_id=request_id,
        )

        error_body.additional_properties = d
        return error_body
