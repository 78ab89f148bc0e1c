"""Strict parsing of request parameters: values that are not documented are refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn, cast
from urllib.parse import parse_qsl

from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_INT32_MAX = 2**31 - 1
_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)


class Query:
    """The query of a request. Unknown parameters are ignored, repeated known ones refused."""

    def __init__(self, raw: bytes) -> None:
        self._pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)

    def text(self, name: str) -> str | None:
        """Return a parameter, or None if it is missing.

        Raises:
            ApiError: DCS.4800: it is repeated.
        """
        values = [value for key, value in self._pairs if key == name]
        if len(values) > 1:
            _refuse(name)
        return values[0] if values else None

    def required(self, name: str) -> str:
        """Return a required parameter.

        Raises:
            ApiError: DCS.4800: it is missing or repeated.
        """
        value = self.text(name)
        return _refuse(name) if value is None else value

    def integer(self, name: str, *, default: int, least: int, most: int = _INT32_MAX) -> int:
        """Return an integer within inclusive bounds.

        Raises:
            ApiError: DCS.4800: it is not such an integer, or is repeated.
        """
        value = self.text(name)
        if value is None:
            return default
        if not _DIGITS.fullmatch(value) or not least <= int(value) <= most:
            _refuse(name)
        return int(value)

    def choice(self, name: str, *, default: str, of: Collection[str]) -> str:
        """Return one of several words.

        Raises:
            ApiError: DCS.4800: it is another word, or is repeated.
        """
        value = self.text(name)
        if value is None:
            return default
        return value if value in of else _refuse(name)


class Body:
    """The JSON object of a request. Unknown fields are ignored; null is not a value.

    Args:
        raw: Body.
        content_type: Value of the Content-Type header.

    Raises:
        ApiError: DCS.4004: the body is empty. DCS.4005: it is not a JSON object in UTF-8, or its
            content type is not `application/json`.
    """

    def __init__(self, raw: bytes, content_type: str) -> None:
        if not raw.strip():
            raise ApiError("DCS.4004")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise ApiError("DCS.4005", detail="Content-Type must be application/json.")
        try:
            fields = json.loads(raw.decode("utf-8"), parse_constant=_not_json)
        # RecursionError: brackets are nested too deeply.
        except (ValueError, RecursionError):
            raise ApiError("DCS.4005") from None
        if not isinstance(fields, dict):
            raise ApiError("DCS.4005")
        self._fields: dict[str, Any] = fields

    def text(self, name: str, *, required: bool = True) -> str | None:
        """Return a string; None if it is optional and missing.

        Raises:
            ApiError: DCS.4800: it has another type.
        """
        if name not in self._fields and not required:
            return None
        value = self._fields.get(name)
        return value if isinstance(value, str) else _refuse(name)

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return a boolean; numbers are refused.

        Raises:
            ApiError: DCS.4800: it has another type.
        """
        value = self._fields.get(name, default)
        return value if isinstance(value, bool) else _refuse(name)

    def texts(self, name: str) -> list[str]:
        """Return a list of strings.

        No document sets a minimum number or length, so neither is required.

        Raises:
            ApiError: DCS.4800: it has another type.
        """
        values: Any = self._fields.get(name)
        if not isinstance(values, list):
            _refuse(name)
        items = cast("Sequence[object]", values)
        return [value if isinstance(value, str) else _refuse(name) for value in items]


def _not_json(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _refuse(name: str) -> NoReturn:
    raise ApiError("DCS.4800", name)
