"""Errors of this package. All of them derive from `DcsSessionsError`."""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, ParamSpec, TypeVar, cast

import orjson

from dcs_sessions._defaults import WAIT_SECONDS
from dcs_sessions._text import LONGEST, shown, without_logins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dcs_sessions._wire import Reply
    from dcs_sessions_api.models import Job

P = ParamSpec("P")
T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

# Error code -> advice.
_ADVICE: Final[Mapping[str, str]] = {
    "APIGW.0101": "the gateway has no such API: check the region and the endpoint",
    "APIGW.0301": "check the access key, the secret key and the clock of this machine",
    "APIGW.0303": "check the credentials and the clock of this machine",
    "APIGW.0307": "the token has expired: get a new one",
    "APIGW.0308": "too many requests: wait until the window named in the message has passed",
    "DCS.1001": "the token is not valid for this endpoint: get a new one",
    "DCS.1002": "the token has expired: get a new one",
    "DCS.1003": "no token was sent: pass auth=",
    "DCS.1004": "the token belongs to another project: check the project ID",
    "DCS.2003": "ask for the permissions dcs:clients:list and dcs:clients:kill",
    "DCS.2007": "ask for the permissions dcs:clients:list and dcs:clients:kill",
    "DCS.3002": "this account may only read",
    "DCS.3003": "ask for the permissions dcs:clients:list and dcs:clients:kill",
    "DCS.3022": "check the instance ID and the project it is in",
    "DCS.3053": "check the node ID: take it from list_nodes(), not from the console",
    "DCS.4027": "use a proxy node if the instance has any, a data node otherwise",
    "DCS.4049": "the instance is not running: start it",
    "DCS.4848": "session management needs Redis 4.0 or later on an instance that offers it",
    "DCS.4957": "a job is still running: wait for it and try again",
    "DCS.5053": "the node does not answer: check its state with list_nodes()",
}


# Advice that names an argument. The command line names its own option instead.
ALLOW_HTTP: Final = "use https, or set allow_http=True"
SET_PROJECT_ID: Final = "pass project_id="
USE_AUTH: Final = "use auth="

# Exceptions of these libraries contain requests with their headers.
_HTTP_LIBRARIES: Final = frozenset(
    {"aiohttp", "h11", "httpcore", "httpx", "requests", "urllib3", "yarl"}
)
# Minimum difference in seconds to the clock of the service that is reported. It refuses signatures
# that differ by more than 15 minutes.
_CLOCK_SECONDS: Final = 300
_BAD_SIGNATURE: Final = "APIGW.0301"


class DcsSessionsError(Exception):
    """Base class of all errors of this package.

    A message is one line of at most 2,000 characters, without control characters and without
    credentials of URLs.

    Attributes:
        reason: What happened: the message without advice.
        advice: What to do about it, or None.
    """

    reason: str
    advice: str | None

    def __init__(self, reason: str, *, advice: str | None = None) -> None:
        self.reason = shown(reason)
        self.advice = advice
        super().__init__(self.reason if advice is None else shown(f"{reason}: {advice}"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


class InvalidArgumentError(DcsSessionsError, ValueError):
    """An argument is invalid; nothing was sent. The message names the argument and the fix."""


class ConfigurationError(DcsSessionsError):
    """Credentials, endpoint, region or project are missing or inconsistent."""


class ApiConnectionError(DcsSessionsError):
    """The service could not be reached, or the connection broke.

    Attributes:
        may_have_arrived: False if the request cannot have arrived at the service, else True.
    """

    def __init__(self, message: str, *, may_have_arrived: bool = True) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived


class ApiTimeoutError(ApiConnectionError, TimeoutError):
    """The service did not answer in time."""


class ApiError(DcsSessionsError):
    """The service responded with an error.

    See https://support.huaweicloud.com/intl/en-us/api-dcs/ErrorCode.html for the codes.

    Attributes:
        status: HTTP status.
        error_code: Code of the service (DCS.nnnn, or nine digits) or of the gateway (APIGW.nnnn);
            None if the response has none. Use it to tell errors apart, not the status.
        error_msg: Message of the service, or the beginning of a response that is not JSON.
        error_ext_msg: Details, which the service does not use so far.
        request_id: Request ID, from a header or the body of the response.
        retry_after: Seconds to wait before a retry, as requested by the service, or None.
        headers: Headers of the response, names in lower case.
        body: Body of the response, without the end of a very long one. Secrets of the request that
            it or a header repeats, such as the token or the access key, are replaced by `***`.

    Args:
        answer: The response; or a message, to make an error in a test.
        problem: Problem of the response, if it has no error message.
        status: HTTP status of an error made from a message; by default that of the class.
        error_code: Error code of an error made from a message.
        request_id: ID of the request of an error made from a message.
        retry_after: Seconds to wait of an error made from a message.
    """

    status: int
    error_code: str | None
    error_msg: str | None
    error_ext_msg: str | None
    request_id: str | None
    retry_after: float | None
    reason: str
    advice: str | None
    headers: dict[str, str]
    body: bytes
    _status: ClassVar[int] = 0
    # What the message says before code and message of the service.
    _said: ClassVar[str] = ""

    def __init__(
        self,
        answer: Reply | str,
        *,
        problem: str | None = None,
        status: int | None = None,
        error_code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        if not isinstance(answer, str):
            self._init_from(answer, problem)
            return
        super().__init__(answer)
        self.status = self._status if status is None else status
        self.error_code = error_code
        self.error_msg = answer
        self.error_ext_msg = None
        self.request_id = request_id
        self.retry_after = retry_after
        self.headers = {}
        self.body = b""
        self.advice = _ADVICE.get(error_code or "")

    def _init_from(self, reply: Reply, problem: str | None) -> None:
        headers, body = _without_secrets(reply)
        mask = str if reply.request is None else reply.request.mask
        code, message, details, request_id = (
            None if part is None else mask(part) for part in _parse(body)
        )
        self.status = reply.status
        self.error_code = code
        self.error_msg = message
        self.error_ext_msg = details
        sent_id = headers.get("x-request-id")
        self.request_id = request_id if sent_id is None else shown(sent_id)
        self.retry_after = _retry_after(headers.get("retry-after"))
        self.headers = headers
        self.body = body
        parts = (self._said, code, message)
        said = problem or " ".join(part for part in parts if part) or "empty answer"
        advice = _ADVICE.get(code or "")
        if self.status == 429 and self.retry_after is not None:
            advice = f"retry in {self.retry_after:g} s"
        if code == _BAD_SIGNATURE:
            advice = _clock_advice(headers.get("date")) or advice
        reason = f"{reply.status} {shown(mask(said))[:1000]}"
        request = "" if self.request_id is None else f" [request {self.request_id}]"
        text = f"{reason}{request}" if advice is None else f"{reason} ({advice}){request}"
        self.reason = shown(mask(f"{reason}{request}"))
        self.advice = advice
        Exception.__init__(self, shown(mask(text)))


class BadRequestError(ApiError):
    """400: the request is invalid, or the state of the instance does not allow it."""

    _status = 400


class AuthenticationError(ApiError):
    """401: the credentials are not accepted. Never retried, since five failures lock a key."""

    _status = 401


class PermissionDeniedError(ApiError):
    """403: the credentials are valid, but the permission is missing."""

    _status = 403


# Errors that every node and attempt would have.
REFUSALS: Final = (AuthenticationError, PermissionDeniedError)


class NotFoundError(ApiError):
    """404: no such instance or job (DCS.*), or no such API at this endpoint (APIGW.0101)."""

    _status = 404


class ThrottledError(ApiError):
    """429: too many requests."""

    _status = 429


class ServerError(ApiError):
    """5xx: the service or its gateway failed."""

    _status = 500


class UnexpectedResponseError(ApiError):
    """An undocumented status, or a body that does not match the contract."""

    _said = "unexpected status"


class JobFailedError(DcsSessionsError):
    """A job failed.

    Attributes:
        job: The job.

    Args:
        job: The job; or a reason, to make an error in a test.
    """

    def __init__(self, job: Job | str) -> None:
        if isinstance(job, str):
            from dcs_sessions_api.models import Job

            job = Job("unknown", "FAIL", fail_reason=job)
        reason = job.fail_reason if isinstance(job.fail_reason, str) else "no reason given"
        super().__init__(f"job {job.job_id} failed: {reason}")
        self.job = job


class WaitTimeoutError(DcsSessionsError, TimeoutError):
    """A job did not end in time. It may still end.

    Attributes:
        job_id: ID of the job, or None if another query of the node was running all the time.
    """

    def __init__(self, job_id: str | None, timeout: float = WAIT_SECONDS) -> None:
        what = "another query of the node" if job_id is None else f"job {job_id}"
        super().__init__(f"{what} did not end within {round(timeout, 3):g} s")
        self.job_id = job_id
        self.timeout = timeout


class SessionListError(DcsSessionsError):
    """The pages of a saved list are inconsistent, so it cannot be read completely."""


class SessionListChangedError(SessionListError):
    """The node was queried again while its list was being read.

    Read the list again from the start.
    """


def bare(error: E) -> E:
    """Remove everything that may contain secrets from an error and its causes.

    These are frames, whose variables pytest, Sentry and Rich print, and errors of HTTP libraries,
    which contain requests with their headers.
    """
    kept: list[BaseException] = [error]
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        if link is not error and type(link).__module__.partition(".")[0] not in _HTTP_LIBRARIES:
            kept.append(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    for link, cause in zip(kept, [*kept[1:], None], strict=True):
        link.__traceback__ = None
        link.__cause__ = cause
        link.__context__ = None
    return error


def without_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that handles secrets: its errors have no frames of it."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except DcsSessionsError as error:
            failure = bare(error)
        del args, kwargs
        raise failure

    return call


_BY_STATUS: Final[Mapping[int, type[ApiError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: ThrottledError,
}


def error_from(reply: Reply) -> ApiError:
    """Return the error of a reply that is not a documented success."""
    kind = _BY_STATUS.get(reply.status)
    if kind is not None:
        return kind(reply)
    if 500 <= reply.status <= 599:
        return ServerError(reply)
    return UnexpectedResponseError(reply)


def _rebuild(
    kind: type[DcsSessionsError], args: tuple[Any, ...], state: dict[str, Any]
) -> DcsSessionsError:
    """Return an error that was pickled, without its reply."""
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _parse(body: bytes) -> tuple[str | None, str | None, str | None, str | None]:
    """Return code, message, details and request ID from any format of errors."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None, _excerpt(body), None, None
    if not isinstance(found, dict):
        return None, _excerpt(body), None, None
    fields = cast("dict[str, Any]", found)
    # IAM and version 1 of the API have an object around it.
    if isinstance(fields.get("error"), dict):
        fields = fields["error"]

    def text(*names: str) -> str | None:
        values = (fields.get(name) for name in names)
        return next((shown(str(value)) for value in values if isinstance(value, str | int)), None)

    code = text("error_code", "errorCode", "code")
    message = text("error_msg", "errorMsg", "message")
    if code is None and message is None:
        message = _excerpt(body)
    return code, message, text("error_ext_msg"), text("request_id")


def _excerpt(body: bytes) -> str | None:
    """Return the beginning of a response that is not JSON, on one line and printable."""
    # As many bytes as the characters that are looked at may have, and one more.
    text = without_logins(body[: 8 * LONGEST + 1].decode(errors="replace"))
    words = "".join(char if char.isprintable() else " " for char in text).split()
    return " ".join(words)[:200] or None


# Masking is slow. No error of the service comes near this, and no token is as long as the cut.
_MASKED_BYTES: Final = 2**19
_CUT_CHARACTERS: Final = 2**17


def _without_secrets(reply: Reply) -> tuple[dict[str, str], bytes]:
    """Return headers and body without secrets of the request, which responses may repeat."""
    request = reply.request
    if request is None:
        return reply.headers, reply.body
    headers = {name: request.mask(value) for name, value in reply.headers.items()}
    body = request.mask(reply.body[:_MASKED_BYTES].decode(errors="surrogateescape"))
    if len(reply.body) > _MASKED_BYTES:
        # A secret at the cut is not recognized, so more is left out than any secret is long.
        body = body[:-_CUT_CHARACTERS]
    return headers, body.encode(errors="surrogateescape")


def _clock_advice(date: str | None) -> str | None:
    """Return advice if the clock of this machine is wrong, else None."""
    there = _timestamp(date)
    if there is None:
        return None
    ahead = time.time() - there
    if abs(ahead) <= _CLOCK_SECONDS:
        return None
    way = "ahead of" if ahead > 0 else "behind"
    return f"the clock of this machine is {abs(ahead) / 60:.0f} minutes {way} the service's: set it"


def _timestamp(date: str | None) -> float | None:
    """Return an HTTP date as seconds since 1970, or None if it is invalid."""
    import email.utils  # slow to import, and only needed for responses with a date

    try:
        return None if date is None else email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def _retry_after(value: str | None) -> float | None:
    """Return Retry-After, in seconds or a date, as seconds from now; None if it is invalid."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        there = _timestamp(value)
        if there is None:
            return None
        seconds = max(0.0, there - time.time())
    return seconds if 0 <= seconds < float("inf") else None
