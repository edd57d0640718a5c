"""Credentials from the options of a command."""

from __future__ import annotations

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication, NoAuthentication


def credentials(basic_auth: str | None, key_auth: str | None) -> Authentication:
    """Return the credentials of `--basic-auth` or `--key-auth`. Raises `InvalidInputError`, which never quotes them."""
    if basic_auth is not None and key_auth is not None:
        raise InvalidInputError("allowed: one of --basic-auth and --key-auth, found both")
    if basic_auth is not None:
        user_name, colon, password = basic_auth.partition(":")
        if not colon:
            raise InvalidInputError("--basic-auth: no colon in it, allowed: USER:PASSWORD")
        return BasicAuthentication(user_name, password)
    if key_auth is not None:
        key, colon, passphrase = key_auth.partition(":")
        if not colon or not key.strip() or not passphrase.strip():
            raise InvalidInputError("--key-auth: no colon in it, allowed: NAME:VALUE")
        return KeyAuthentication(key.strip(), passphrase.strip())
    return NoAuthentication()
