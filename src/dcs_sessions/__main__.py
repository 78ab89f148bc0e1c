"""The `dcs-sessions` command, also `python -m dcs_sessions`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command, or print the extra that it needs."""
    try:
        from dcs_sessions._cli import main as run

        run()
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f'Error: {error.name} is missing: pip install "dcs-sessions[cli]"')


if __name__ == "__main__":
    main()
