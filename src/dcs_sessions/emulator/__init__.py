"""A local DCS on a real Valkey or Redis."""
