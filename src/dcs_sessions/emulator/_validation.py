"""Parameters of requests, read strictly: what the documents do not allow is refused."""

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
    """The query of a request. Unknown parameters are ignored, a repeated known one is refused."""

    def __init__(self, raw: bytes) -> None:
        self._pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True)

    def text(self, name: str) -> str | None:
        """A parameter, or None without it.

        Raises:
            ApiError: DCS.4800 if it comes more than once.
        """
        values = [value for key, value in self._pairs if key == name]
        if len(values) > 1:
            _refuse(name)
        return values[0] if values else None

    def required(self, name: str) -> str:
        """A parameter that must be there.

        Raises:
            ApiError: DCS.4800 if it is missing, or comes more than once.
        """
        value = self.text(name)
        return _refuse(name) if value is None else value

    def integer(self, name: str, *, default: int, least: int, most: int = _INT32_MAX) -> int:
        """A whole number within bounds, both included.

        Raises:
            ApiError: DCS.4800 if it is none, or comes more than once.
        """
        value = self.text(name)
        if value is None:
            return default
        if not _DIGITS.fullmatch(value) or not least <= int(value) <= most:
            _refuse(name)
        return int(value)

    def choice(self, name: str, *, default: str, of: Collection[str]) -> str:
        """One of several words.

        Raises:
            ApiError: DCS.4800 if it is none of them, or comes more than once.
        """
        value = self.text(name)
        if value is None:
            return default
        return value if value in of else _refuse(name)


class Body:
    """The JSON object that a request holds. Unknown fields are ignored; null is not a value.

    Args:
        raw: The bytes of the body.
        content_type: The header of that name.

    Raises:
        ApiError: DCS.4004 if there is none, DCS.4005 if it is not a JSON object in UTF-8, or does
            not call itself ``application/json``.
    """

    def __init__(self, raw: bytes, content_type: str) -> None:
        if not raw.strip():
            raise ApiError("DCS.4004")
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise ApiError("DCS.4005", detail="Content-Type must be application/json.")
        try:
            fields = json.loads(raw.decode("utf-8"), parse_constant=_not_json)
        # A RecursionError: brackets nested without end.
        except (ValueError, RecursionError):
            raise ApiError("DCS.4005") from None
        if not isinstance(fields, dict):
            raise ApiError("DCS.4005")
        self._fields: dict[str, Any] = fields

    def text(self, name: str, *, required: bool = True) -> str | None:
        """A text; None if it may be missing, and is.

        Raises:
            ApiError: DCS.4800 if it is anything else.
        """
        if name not in self._fields and not required:
            return None
        value = self._fields.get(name)
        return value if isinstance(value, str) else _refuse(name)

    def boolean(self, name: str, *, default: bool) -> bool:
        """A truth value; a number is none.

        Raises:
            ApiError: DCS.4800 if it is anything else.
        """
        value = self._fields.get(name, default)
        return value if isinstance(value, bool) else _refuse(name)

    def texts(self, name: str) -> list[str]:
        """A list of texts.

        No document sets a least number of them or a least length, so neither is asked for.

        Raises:
            ApiError: DCS.4800 if it is anything else.
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
