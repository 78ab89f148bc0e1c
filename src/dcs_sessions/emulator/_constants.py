"""Default IDs and credentials of the emulator.

They are public, like those of storage emulators: they protect nothing, and tests and examples can
use them.
"""

from __future__ import annotations

PROJECT_ID = "dc50000000000000000000000000a001"
"""Project ID of the instances."""

OTHER_PROJECT_ID = "dc50000000000000000000000000a002"
"""Project ID of `OTHER_PROJECT_TOKEN`, which has no instances."""

INSTANCE_ID = "dc500000-0000-4000-8000-00000000b001"
"""ID of the first instance."""

INSTANCE_NAME = "dcs-emulator"
"""Name of the first instance."""

TOKEN = "dcs-emulator-token"  # noqa: S105
"""A token with all permissions."""

READONLY_TOKEN = "dcs-emulator-readonly-token"  # noqa: S105
"""A token without the permission to end sessions: 403 DCS.2007."""

NOACCESS_TOKEN = "dcs-emulator-noaccess-token"  # noqa: S105
"""A token without permissions: 403 DCS.2007."""

EXPIRED_TOKEN = "dcs-emulator-expired-token"  # noqa: S105
"""An expired token: 401 DCS.1002."""

OTHER_PROJECT_TOKEN = "dcs-emulator-other-project-token"  # noqa: S105
"""A token of another project: 401 DCS.1004."""

ACCESS_KEY = "DCSEMULATORACCESSKEY"
"""The access key (AK) of `SECRET_KEY`, a pair with all permissions."""

SECRET_KEY = "dcs-emulator-secret-key/0123456789abcdef"  # noqa: S105
"""The secret key (SK)."""

TEMPORARY_ACCESS_KEY = "DCSEMULATORTEMPORARYKEY"
"""The access key (AK) of a temporary pair, which requires `SECURITY_TOKEN`."""

TEMPORARY_SECRET_KEY = "dcs-emulator-temporary-key/0123456789abcdef"  # noqa: S105
"""The secret key (SK) of the temporary pair."""

SECURITY_TOKEN = "dcs-emulator-security-token"  # noqa: S105
"""The security token of the temporary pair."""


def instance_id(index: int) -> str:
    """Return the ID of the instance at a position, from 0: a UUID."""
    return f"dc500000-0000-4000-8000-{0xB001 + index:012x}"


def node_id(index: int) -> str:
    """Return the ID of the node at a position, from 0: 32 hexadecimal digits.

    Positions count the nodes of all instances.
    """
    return f"dc50000000000000000000000000{0xC001 + index:04x}"
