"""Injected faults: responses that are late, wrong, truncated or missing."""

from __future__ import annotations

import functools
import random
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

import attrs
from starlette.responses import HTMLResponse, Response

from dcs_sessions.emulator._errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from starlette.types import Receive, Scope, Send

_MAX_LATENCY = 3600.0

# Errors of the service that any request may get. 400 has no such error; this one says least about
# the request. Any other status comes from a proxy, in HTML.
_CODES = {
    400: "DCS.4957",
    401: "DCS.1002",
    403: "DCS.2007",
    404: "DCS.3022",
    429: "APIGW.0308",
    500: "DCS.5000",
}
_DETAIL = "This fault was injected."


@attrs.frozen(kw_only=True)
class Fault:
    """An injected fault of requests that would succeed.

    A request that is refused, for its credentials or IDs, is refused as usual. Only one of
    `status`, `drop` and `truncate` may be set; `latency` can be combined with each.

    Attributes:
        latency: Seconds before the request is carried out, at most 3600.
        status: HTTP status of the response, 400 to 599; the request is not carried out. The body is
            an error of the service if it has one for any request, else HTML of a proxy.
        drop: Close the connection without a response, "before" or "after" the request is carried
            out.
        truncate: Carry out the request, send half of the response body, and close the connection.
            If the response has no body, nothing is sent.
        operation: `operationId` of the requests; None for all.
        probability: Share of these requests that are affected, above 0 and up to 1.

    Raises:
        ValueError: A value is invalid.
    """

    latency: float = 0.0
    status: int | None = None
    drop: str | None = None
    truncate: bool = False
    operation: str | None = None
    probability: float = 1.0

    def __attrs_post_init__(self) -> None:
        """Validate the attributes."""
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
            raise ValueError("only one of status, drop and truncate can be set")
        if not ends and not self.latency:
            raise ValueError("set one of latency, status, drop and truncate")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a fault, such as `status=503,operation=ListClients,probability=0.1`.

        The names are those of the attributes; `truncate` has no value, and `drop` alone means
        `drop=before`.

        Raises:
            ValueError: The string is not a fault; the message says why.
        """
        values: dict[str, Any] = {}
        for part in text.split(","):
            name, equals, value = part.strip().partition("=")
            read = _READERS.get(name)
            if read is None:
                raise ValueError(f"{name!r} must be one of {', '.join(_READERS)}")
            if name in values:
                raise ValueError(f"{name} is set twice")
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
    "latency": f"seconds from 0 to {_MAX_LATENCY:.0f} are required",
    "status": "must be a number from 400 to 599",
    "drop": "must be before or after",
    "truncate": "takes no value",
    "operation": "must be an operationId",
    "probability": "must be a number above 0 and up to 1",
}


class Faults:
    """Faults and the requests they affect: the same ones for the same seed.

    Args:
        faults: The faults. Latencies add up; of other faults of the same request, the first one
            applies.
        seed: Seed of the random numbers.
    """

    def __init__(self, faults: Sequence[Fault] = (), seed: int = 0) -> None:
        self._seed = seed
        self.set(faults)

    @property
    def current(self) -> tuple[Fault, ...]:
        """The current faults."""
        return tuple(fault for fault, _ in self._faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """Replace all faults, and start again from the seed."""
        self._count = 0
        # Replaced as a whole, since requests are answered in another thread.
        self._faults: tuple[tuple[Fault, random.Random], ...] = ()
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> Callable[[], None]:
        """Add a fault, and return a function that removes it and may be called twice."""
        # Each fault has its own random numbers, so that adding one does not change the others.
        dice = random.Random(f"{self._seed} {self._count}")  # noqa: S311 - nothing secret hangs on it
        self._count += 1
        self._faults = (*self._faults, (fault, dice))

        def remove() -> None:
            self._faults = tuple(each for each in self._faults if each[1] is not dice)

        return remove

    def draw(self, operation: str) -> tuple[float, Fault | None]:
        """Return the faults of a request: the seconds to wait, and the fault."""
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
    """Carry out a request, as far as a fault allows.

    Raises:
        ApiError: The fault is an error response.
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
    """Return the rest of a response, success or error."""
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
    """A missing response: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        scope["state"]["hang_up"]()
        # Wait until the server knows, or it would send a response itself.
        while (await receive())["type"] != "http.disconnect":
            pass


class _Half(Nothing):
    """The head of a response and half of its body; then the connection is closed."""

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code)
        self.raw_headers = whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await super().__call__(scope, receive, send)
