"""Test a server against openapi.yaml, and check that it returns every documented status.

    python -m tools.contract [--live] [...]

By default, the server is the emulator, in a process of its own. Schemathesis runs with the settings
of schemathesis.toml; tools/contract_emulator.py then provokes the statuses that it cannot reach.
Every documented status of every operation must be seen, and no other.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from tools import spec
from tools.contract_api import ContractError
from tools.contract_emulator import against_emulator
from tools.contract_live import against_live

EMULATOR = shlex.join([sys.executable, "-m", "dcs_sessions", "emulator"])
REPORTS = spec.ROOT / "reports" / "contract"
EXAMPLES = 1000
LIVE_RATE = "2/s"
LIVE_EXAMPLES = 5


def main() -> int:
    """Run the command line; the result is the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--live", action="store_true", help="test the server of the environment")
    parser.add_argument("--max-examples", type=int, help="random requests per operation and phase")
    parser.add_argument("--seconds", type=int, help="duration of random requests")
    parser.add_argument("--rate", default=LIVE_RATE, help="requests in a time, with --live")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="folder of the reports")
    parser.add_argument("--emulator", default=EMULATOR, help="command that starts the emulator")
    parser.add_argument("options", nargs="*", help="further options of schemathesis, after --")
    arguments = parser.parse_args()
    if arguments.max_examples is None:
        arguments.max_examples = LIVE_EXAMPLES if arguments.live else EXAMPLES
    try:
        amiss = against_live(arguments) if arguments.live else against_emulator(arguments)
    except ContractError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    for line in amiss:
        print(f"FAULT: {line}")
    if not amiss:
        print("The contract holds.")
    return 1 if amiss else 0


if __name__ == "__main__":
    sys.exit(main())
