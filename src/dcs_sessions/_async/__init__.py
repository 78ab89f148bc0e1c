"""The async client, which the sync one is made from by `make generate`."""
