# Made from _async/__init__.py by `make generate`: do not edit.
"""The async client, which the sync one is made from by `make generate`."""
