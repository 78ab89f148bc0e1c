"""Credentials: one module for each kind."""

from dcs_sessions._auth._base import Auth
from dcs_sessions._auth._keys import AkSkAuth
from dcs_sessions._auth._password import PasswordAuth
from dcs_sessions._auth._server import EcsMetadataAuth
from dcs_sessions._auth._token import TokenAuth

__all__ = [
    "AkSkAuth",
    "Auth",
    "EcsMetadataAuth",
    "PasswordAuth",
    "TokenAuth",
]
