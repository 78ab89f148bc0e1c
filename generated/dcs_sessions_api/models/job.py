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

T = TypeVar("T", bound="Job")


@_attrs_define
class Job(Model):
    """State of a job."""

    job_id: str
    """ ID of the job. """
    status: str
    """ INIT while the job waits, then RUNNING, and at the end SUCCESS or FAIL. Take any other value for not
    finished. """
    job_type: str | Unset = UNSET
    """ Kind of the job, such as masterStandbySwapJob. The vendor names no kind for the jobs of sessions. Other
    values may come. """
    begin_time: str | Unset = UNSET
    """ When the job began, in milliseconds since 1970 (UTC), in text. """
    end_time: None | str | Unset = UNSET
    """ When the job ended, in milliseconds since 1970 (UTC), in text. """
    fail_reason: None | str | Unset = UNSET
    """ Why the job failed, or null. """
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    _names: ClassVar[Mapping[str, str]] = {
        "job_id": "job_id",
        "status": "status",
        "job_type": "job_type",
        "begin_time": "begin_time",
        "end_time": "end_time",
        "fail_reason": "fail_reason",
    }

    def to_dict(self) -> dict[str, Any]:
        job_id = self.job_id

        status = self.status

        job_type = self.job_type

        begin_time = self.begin_time

        end_time: None | str | Unset
        if isinstance(self.end_time, Unset):
            end_time = UNSET
        else:
            end_time = self.end_time

        fail_reason: None | str | Unset
        if isinstance(self.fail_reason, Unset):
            fail_reason = UNSET
        else:
            fail_reason = self.fail_reason

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "job_id": job_id,
                "status": status,
            }
        )
        if job_type is not UNSET:
            field_dict["job_type"] = job_type
        if begin_time is not UNSET:
            field_dict["begin_time"] = begin_time
        if end_time is not UNSET:
            field_dict["end_time"] = end_time
        if fail_reason is not UNSET:
            field_dict["fail_reason"] = fail_reason

        return field_dict

    @classmethod
    def from_dict(cls: type[T], src_dict: Mapping[str, Any]) -> T:
        d = dict(src_dict)
        job_id = d.pop("job_id")

        status = d.pop("status")

        job_type = d.pop("job_type", UNSET)

        begin_time = d.pop("begin_time", UNSET)

        def _parse_end_time(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        end_time = _parse_end_time(d.pop("end_time", UNSET))

        def _parse_fail_reason(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        fail_reason = _parse_fail_reason(d.pop("fail_reason", UNSET))

        job = cls(
            job_id=job_id,
            status=status,
            job_type=job_type,
            begin_time=begin_time,
            end_time=end_time,
            fail_reason=fail_reason,
        )

        job.additional_properties = d
        return job

    @property
    def begin_time_utc(self) -> datetime.datetime | None:
        """Return `begin_time` as a time in UTC, or None if it is not a time."""
        return utc(self.begin_time)

    @property
    def end_time_utc(self) -> datetime.datetime | None:
        """Return `end_time` as a time in UTC, or None if it is not a time."""
        return utc(self.end_time)
