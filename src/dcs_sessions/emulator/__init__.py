"""A local DCS on a real Valkey or Redis, for tests and for trying the API out.

It is an implementation of its own of what the vendor documents: it shares no code with the client
but the signature, and does not read the contract.

From Python, with `Emulator`; from a shell, ``dcs-sessions emulator``. The ids and credentials are
the constants of this package, unless others are given. It needs ``pip install
'dcs-sessions[emulator]'``.
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
