"""The ``dcs-sessions`` command: ``python -m dcs_sessions`` is the same."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command, or print which extra it needs."""
    try:
        from dcs_sessions._cli import main as run

        run()
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.exit(f'Error: {error.name} is missing: pip install "dcs-sessions[cli]"')


if __name__ == "__main__":
    main()
