"""A local DCS on a real Valkey or Redis, for tests and for trying out the API.

It is an independent implementation of the vendor's documentation: it shares only the signature
algorithm with the client, and does not read the contract.

Use `Emulator` in Python, or `dcs-sessions emulator` in a shell. IDs and credentials default to the
constants of this package. It needs `pip install "dcs-sessions[emulator]"`.
"""

try:
    from dcs_sessions.emulator._auth import Credentials
    from dcs_sessions.emulator._constants import (
        ACCESS_KEY,
        EXPIRED_TOKEN,
        INSTANCE_ID,
        INSTANCE_NAME,
        NOACCESS_TOKEN,
        OTHER_PROJECT_ID,
        OTHER_PROJECT_TOKEN,
        PROJECT_ID,
        READONLY_TOKEN,
        SECRET_KEY,
        SECURITY_TOKEN,
        TEMPORARY_ACCESS_KEY,
        TEMPORARY_SECRET_KEY,
        TOKEN,
        instance_id,
        node_id,
    )
    from dcs_sessions.emulator._faults import Fault
    from dcs_sessions.emulator._instances import Instance
    from dcs_sessions.emulator._server import Emulator, EmulatorError
except ModuleNotFoundError as _error:
    if str(_error.name).startswith("dcs_sessions"):
        raise
    raise ModuleNotFoundError(
        f'{_error.name} is missing: pip install "dcs-sessions[emulator]"', name=_error.name
    ) from None

__all__ = [
    "ACCESS_KEY",
    "EXPIRED_TOKEN",
    "INSTANCE_ID",
    "INSTANCE_NAME",
    "NOACCESS_TOKEN",
    "OTHER_PROJECT_ID",
    "OTHER_PROJECT_TOKEN",
    "PROJECT_ID",
    "READONLY_TOKEN",
    "SECRET_KEY",
    "SECURITY_TOKEN",
    "TEMPORARY_ACCESS_KEY",
    "TEMPORARY_SECRET_KEY",
    "TOKEN",
    "Credentials",
    "Emulator",
    "EmulatorError",
    "Fault",
    "Instance",
    "instance_id",
    "node_id",
]
