"""Faults on demand: answers that are late, wrong, cut off, or never come."""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from starlette.responses import HTMLResponse, Response

from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from starlette.types import Receive, Scope, Send

_MAX_LATENCY = 3600.0

# What the service itself may say to any request. 400 has no such error; this one says the least
# about the request. Whatever else a status says, something in between says it, in HTML.
_CODES = {
    400: "DCS.4957",
    401: "DCS.1002",
    403: "DCS.2007",
    404: "DCS.3022",
    429: "APIGW.0308",
    500: "DCS.5000",
}
_DETAIL = "The emulator was told to answer so."


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something that goes wrong with requests that would be carried out otherwise.

    A request that is refused anyway, for its credentials or ids, is refused as always. Of
    `status`, `drop` and `truncate`, only one may be given; `latency` goes with each.

    Attributes:
        latency: Seconds before the request is carried out, at most 3600.
        status: The HTTP status to answer instead of carrying the request out, 400 to 599: with an
            error of the service where it has one for any request, or else with the HTML of a
            proxy.
        drop: Close the connection without an answer, "before" the request is carried out or
            "after" it.
        truncate: Carry the request out, send half of the answer's body, and close the connection.
            Of an answer without a body, nothing is sent.
        operation: The `operationId` of the requests; all if None.
        probability: The part of these requests that it strikes, above 0 and up to 1.

    Raises:
        ValueError: If that makes no sense.
    """

    latency: float = 0.0
    status: int | None = None
    drop: str | None = None
    truncate: bool = False
    operation: str | None = None
    probability: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        right = {
            "latency": 0 <= self.latency <= _MAX_LATENCY,
            "status": self.status is None or 400 <= self.status <= 599,
            "drop": self.drop in (None, "before", "after"),
            "probability": 0 < self.probability <= 1,
        }
        for name, is_right in right.items():
            if not is_right:
                raise _wrong(name)
        ends = (self.status is not None) + (self.drop is not None) + self.truncate
        if ends > 1:
            raise ValueError("only one of status, drop and truncate can be given")
        if not ends and not self.latency:
            raise ValueError("one of latency, status, drop and truncate is needed")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a fault from text, such as ``status=503,operation=ListClients,probability=0.1``.

        The names are those of the attributes; ``truncate`` has no value, and ``drop`` alone is
        ``drop=before``.

        Raises:
            ValueError: If that is no fault; the text says why.
        """
        values: dict[str, Any] = {}
        for part in text.split(","):
            name, equals, value = part.strip().partition("=")
            read = _READERS.get(name)
            if read is None:
                raise ValueError(f"{name!r} is none of {', '.join(_READERS)}")
            if name in values:
                raise ValueError(f"{name} is given twice")
            try:
                values[name] = read(value if equals else None)
            except (TypeError, ValueError):
                raise _wrong(name) from None
        return cls(**values)


def _wrong(name: str) -> ValueError:
    return ValueError(f"{name}: {_NEEDED[name]}")


def _flag(value: str | None) -> bool:
    if value is not None:
        raise ValueError
    return True


def _text(value: str | None) -> str:
    if not value:
        raise ValueError
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "latency": float,
    "status": int,
    "drop": lambda value: value or "before",
    "truncate": _flag,
    "operation": _text,
    "probability": float,
}
_NEEDED = {
    "latency": f"seconds from 0 to {_MAX_LATENCY:.0f} are needed",
    "status": "a number from 400 to 599 is needed",
    "drop": "before or after is needed",
    "truncate": "it has no value",
    "operation": "an operationId is needed",
    "probability": "a number above 0 and up to 1 is needed",
}


class Faults:
    """Faults, and which requests they strike: the same ones each time for the same seed.

    Args:
        faults: The faults. Latencies add up; of other faults that strike the same request, the
            first one counts.
        seed: What chance starts from.
    """

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self._seed = seed
        self._count = 0
        # Replaced as a whole: requests are answered in another thread.
        self._faults: tuple[tuple[Fault, random.Random], ...] = ()
        self.set(faults)

    @property
    def current(self) -> tuple[Fault, ...]:
        """The faults of now."""
        return tuple(fault for fault, _ in self._faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """Replace all faults, and let chance start anew."""
        self._count = 0
        self._faults = ()
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> Callable[[], None]:
        """Add a fault, and return what removes it. To remove it twice does no harm."""
        # Dice of its own for each, so that one more fault does not change when others strike.
        dice = random.Random(f"{self._seed} {self._count}")  # noqa: S311 - nothing secret hangs on it
        self._count += 1
        self._faults = (*self._faults, (fault, dice))

        def remove() -> None:
            self._faults = tuple(each for each in self._faults if each[1] is not dice)

        return remove

    def draw(self, operation: str) -> tuple[float, Fault | None]:
        """Give what strikes a request: the seconds to wait, and what happens then."""
        latency = 0.0
        end: Fault | None = None
        for fault, dice in self._faults:
            if fault.operation not in (None, operation) or dice.random() >= fault.probability:
                continue
            latency += fault.latency
            if fault.status is not None or fault.drop or fault.truncate:
                end = end or fault
        return latency, end


async def answer(fault: Fault | None, run: Callable[[], Awaitable[Response]]) -> Response:
    """Carry a request out, as far as a fault allows.

    Raises:
        ApiError: If the fault is one.
    """
    if fault is None:
        return await run()
    if fault.status in _CODES:
        raise ApiError(_CODES[fault.status], _DETAIL, detail=_DETAIL)
    if fault.status is not None:
        return _proxy_page(fault.status)
    if fault.drop == "before":
        return Nothing()
    try:
        return _cut(fault, await run())
    except ApiError as error:
        error.cut = functools.partial(_cut, fault)
        raise


def _cut(fault: Fault, response: Response) -> Response:
    """Return what is left of an answer, success or error."""
    return _Half(response) if fault.truncate and response.body else Nothing()


def _proxy_page(status: int) -> Response:
    try:
        title = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        title = str(status)
    head = f"<head><title>{title}</title></head>"
    page = f"<html>{head}<body><center><h1>{title}</h1></center></body></html>\n"
    return HTMLResponse(page, status)


class Nothing(Response):
    """No answer: the connection ends."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        scope["state"]["hang_up"]()
        # Until the server knows: it would answer in our place.
        while (await receive())["type"] != "http.disconnect":
            pass


class _Half(Nothing):
    """The head of an answer and half of its body; then the connection ends."""

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await super().__call__(scope, receive, send)
