"""Contains some shared types for properties"""

import datetime
import enum
import json
from collections.abc import Iterator, Mapping, MutableMapping
from http import HTTPStatus
from importlib import import_module
from typing import IO, Any, BinaryIO, ClassVar, Final, Generic, Literal, Self, TypeVar

from attrs import define


class Unset(enum.Enum):
    """The type of `UNSET`, which has no other value.

    An enum, so that `is UNSET` narrows types, and a copy or a pickle of it is the same object.
    """

    UNSET = None

    def __bool__(self) -> Literal[False]:
        """Return False."""
        return False

    def __repr__(self) -> str:
        """Return the name."""
        return "UNSET"

    __str__ = __repr__


UNSET: Final = Unset.UNSET
"""The value of a field that was not sent."""


def utc(value: object) -> datetime.datetime | None:
    """Return a time of the service as an aware `datetime` in UTC, or None if it is not a time.

    The service writes times like `2023-06-15T03:10:01.332Z`, and milliseconds since 1970 as a
    string of digits. A time without a zone is treated as UTC, as all others are.
    """
    if not isinstance(value, str):
        return None
    try:
        if value.isascii() and value.isdecimal():
            epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
            return epoch + datetime.timedelta(milliseconds=int(value))
        found = datetime.datetime.fromisoformat(value)
        if found.tzinfo is None:
            return found.replace(tzinfo=datetime.timezone.utc)
        return found.astimezone(datetime.timezone.utc)
    except (ValueError, OverflowError):
        return None


class Model(Mapping[str, Any]):
    """Base class of all models.

    A model is also a read-only mapping of the fields that it has, by the names that the service
    uses, those included that the contract does not know. So `dict(model)`, `model["addr"]`,
    `model.get("addr")` and `"addr" in model` work. A field that was not sent is not in it.
    """

    __slots__ = ()
    # Name of the service -> name of the attribute.
    _names: ClassVar[Mapping[str, str]] = {}
    additional_properties: dict[str, Any]

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any], /) -> Self:
        """Make a model of the fields that the service has sent."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as the service has sent them, models in them included."""
        raise NotImplementedError

    def to_json(self) -> str:
        """Return `to_dict()` as JSON."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @property
    def additional_keys(self) -> list[str]:
        """The names of the fields that the contract does not know."""
        return list(self.additional_properties)

    def __getitem__(self, key: str, /) -> Any:
        """Return a field by the name that the service uses."""
        name = self._names.get(key)
        value = self.additional_properties[key] if name is None else getattr(self, name)
        if value is UNSET:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any, /) -> None:
        """Set a field by the name that the service uses."""
        name = self._names.get(key)
        if name is None:
            self.additional_properties[key] = value
        else:
            setattr(self, name, value)

    def __delitem__(self, key: str, /) -> None:
        """Take out a field that the contract does not know."""
        del self.additional_properties[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the fields."""
        for key, name in self._names.items():
            if getattr(self, name) is not UNSET:
                yield key
        yield from self.additional_properties

    def __len__(self) -> int:
        """Return how many fields there are."""
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        """Return True: a model is more than its fields."""
        return True

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let pydantic, and so FastAPI, read and write models."""
        core_schema: Any = import_module("pydantic_core.core_schema")

        def read(value: Any) -> Model:
            if isinstance(value, cls):
                return value
            try:
                return cls.from_dict(value)
            except (KeyError, TypeError) as error:
                raise ValueError(
                    f"not a {cls.__name__}: {type(error).__name__} {error}"
                ) from None

        fields = core_schema.dict_schema(
            core_schema.str_schema(), core_schema.any_schema()
        )
        return core_schema.no_info_plain_validator_function(
            read,
            json_schema_input_schema=fields,
            serialization=core_schema.plain_serializer_function_ser_schema(
                cls.to_dict, return_schema=fields
            ),
        )


# The types that `httpx.Client(files=)` can accept, copied from that library.
FileContent = IO[bytes] | bytes | str
FileTypes = (
    # (filename, file (or bytes), content_type)
    tuple[str | None, FileContent, str | None]
    # (filename, file (or bytes), content_type, headers)
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
RequestFiles = list[tuple[str, FileTypes]]


@define
class File:
    """Contains information for file uploads"""

    payload: BinaryIO
    file_name: str | None = None
    mime_type: str | None = None

    def to_tuple(self) -> FileTypes:
        """Return a tuple representation that httpx will accept for multipart/form-data"""
        return self.file_name, self.payload, self.mime_type


T = TypeVar("T")


@define
class Response(Generic[T]):
    """A response from an endpoint"""

    status_code: HTTPStatus
    content: bytes
    headers: MutableMapping[str, str]
    parsed: T | None


__all__ = [
    "UNSET",
    "File",
    "FileTypes",
    "Model",
    "RequestFiles",
    "Response",
    "Unset",
    "utc",
]
