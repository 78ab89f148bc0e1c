"""See and end the client sessions of a managed Redis on Huawei Cloud DCS.

For example:

    with dcs_sessions.Client.from_env(region="cn-north-4") as client:
        for session in client.query_sessions(instance_id):
            print(session.addr, session.name, session.idle)
"""

from __future__ import annotations

import importlib

# True for type checkers. Importing it from `typing` would take half of the time of
# `dcs-sessions --version`.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Final

    from dcs_sessions_api.models import (
        ConfigurationParameter,
        Instance,
        Job,
        ListedInstance,
        Node,
        Session,
        SessionPage,
    )
    from dcs_sessions_api.types import UNSET, Unset

    __version__: str

    from dcs_sessions._async._client import AsyncClient
    from dcs_sessions._auth import AkSkAuth, Auth, EcsMetadataAuth, PasswordAuth, TokenAuth
    from dcs_sessions._ending import Outcome
    from dcs_sessions._errors import (
        ApiConnectionError,
        ApiError,
        ApiTimeoutError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        DcsSessionsError,
        InvalidArgumentError,
        JobFailedError,
        NotFoundError,
        PermissionDeniedError,
        ServerError,
        SessionListChangedError,
        SessionListError,
        ThrottledError,
        UnexpectedResponseError,
        WaitTimeoutError,
    )
    from dcs_sessions._options import Retry
    from dcs_sessions._results import ConnectionLimit, NodeSessions, QueryResult, Response
    from dcs_sessions._sync._client import Client
    from dcs_sessions._transports._own import AsyncTransport, Transport
    from dcs_sessions._wire import Reply, Request

__all__ = [
    "UNSET",
    "AkSkAuth",
    "ApiConnectionError",
    "ApiError",
    "ApiTimeoutError",
    "AsyncClient",
    "AsyncTransport",
    "Auth",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "ConfigurationError",
    "ConfigurationParameter",
    "ConnectionLimit",
    "DcsSessionsError",
    "EcsMetadataAuth",
    "Instance",
    "InvalidArgumentError",
    "Job",
    "JobFailedError",
    "ListedInstance",
    "Node",
    "NodeSessions",
    "NotFoundError",
    "Outcome",
    "PasswordAuth",
    "PermissionDeniedError",
    "QueryResult",
    "Reply",
    "Request",
    "Response",
    "Retry",
    "ServerError",
    "Session",
    "SessionListChangedError",
    "SessionListError",
    "SessionPage",
    "ThrottledError",
    "TokenAuth",
    "Transport",
    "UnexpectedResponseError",
    "Unset",
    "WaitTimeoutError",
    "__version__",
]

# Name -> module, imported at first use: the command line starts faster, the sync client does not
# load dependencies of the async one, and the emulator does not load the client.
_HOMES: Final = {
    "dcs_sessions._async._client": ("AsyncClient",),
    "dcs_sessions._ending": ("Outcome",),
    "dcs_sessions._auth": ("AkSkAuth", "Auth", "EcsMetadataAuth", "PasswordAuth", "TokenAuth"),
    "dcs_sessions._options": ("Retry",),
    "dcs_sessions._results": ("ConnectionLimit", "NodeSessions", "QueryResult", "Response"),
    "dcs_sessions._sync._client": ("Client",),
    "dcs_sessions._transports._own": ("AsyncTransport", "Transport"),
    "dcs_sessions._wire": ("Reply", "Request"),
    "dcs_sessions_api.models": (
        "ConfigurationParameter",
        "Instance",
        "Job",
        "ListedInstance",
        "Node",
        "Session",
        "SessionPage",
    ),
    "dcs_sessions_api.types": ("UNSET", "Unset"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}


# Hidden from type checkers, which would otherwise accept every misspelt name.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a public name at its first use."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name == "__version__":
            from dcs_sessions._contract import version

            value = version()
        else:
            # A public name without a module above is an error.
            home = importlib.import_module(_HOME_OF.get(name, "dcs_sessions._errors"))
            value = getattr(home, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return sorted(__all__)
