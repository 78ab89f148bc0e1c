"""Transports of requests. Only this directory imports HTTP libraries."""
