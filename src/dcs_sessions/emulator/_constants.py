"""Ids and credentials that every emulator has unless told otherwise.

They are public, like those of storage emulators: they protect nothing, so that a test can spell
them out and a stranger can try the API by hand.
"""

from __future__ import annotations

PROJECT_ID = "dc50000000000000000000000000a001"
"""The project that the instance belongs to."""

OTHER_PROJECT_ID = "dc50000000000000000000000000a002"
"""The project of `OTHER_PROJECT_TOKEN`; it holds no instance."""

INSTANCE_ID = "dc500000-0000-4000-8000-00000000b001"
"""The first instance."""

INSTANCE_NAME = "dcs-emulator"
"""Its name."""

TOKEN = "dcs-emulator-token"  # noqa: S105
"""A token that may do everything."""

READONLY_TOKEN = "dcs-emulator-readonly-token"  # noqa: S105
"""A token that may scan and read, and not kill: 403 DCS.2007."""

NOACCESS_TOKEN = "dcs-emulator-noaccess-token"  # noqa: S105
"""A token that may do nothing: 403 DCS.2007 everywhere."""

EXPIRED_TOKEN = "dcs-emulator-expired-token"  # noqa: S105
"""A token past its time: 401 DCS.1002 everywhere."""

OTHER_PROJECT_TOKEN = "dcs-emulator-other-project-token"  # noqa: S105
"""A token of another project: 401 DCS.1004 everywhere."""

ACCESS_KEY = "DCSEMULATORACCESSKEY"
"""The access key (AK) that goes with `SECRET_KEY`; the pair may do everything."""

SECRET_KEY = "dcs-emulator-secret-key/0123456789abcdef"  # noqa: S105
"""The secret key (SK)."""

TEMPORARY_ACCESS_KEY = "DCSEMULATORTEMPORARYKEY"
"""The access key (AK) of a temporary pair, which counts only together with `SECURITY_TOKEN`."""

TEMPORARY_SECRET_KEY = "dcs-emulator-temporary-key/0123456789abcdef"  # noqa: S105
"""The secret key (SK) of the temporary pair."""

SECURITY_TOKEN = "dcs-emulator-security-token"  # noqa: S105
"""The security token of the temporary pair."""


def instance_id(index: int) -> str:
    """The id of the instance at a position, the first being 0: a UUID."""
    return f"dc500000-0000-4000-8000-{0xB001 + index:012x}"


def node_id(index: int) -> str:
    """The id of the node at a position, the first being 0: 32 hexadecimal digits.

    The nodes of all instances are counted on.
    """
    return f"dc50000000000000000000000000{0xC001 + index:04x}"
