"""The ``dcs-sessions`` command: ``python -m dcs_sessions`` is the same."""

from dcs_sessions._cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
