"""Credentials from the options of a command."""

from __future__ import annotations

from pathlib import Path

from mockcampaign.errors import InvalidInputError
from mockcampaign.model import Authentication, BasicAuthentication, KeyAuthentication, NoAuthentication
from mockcampaign.whole_files import why_not


def credentials(
    *,
    basic_auth: str | None,
    key_auth: str | None,
    basic_auth_file: Path | None,
    key_auth_file: Path | None,
    prefix: str = "",
) -> Authentication:
    """Return the credentials of the one option that was given. The names of the options begin with `prefix`.

    Raises `InvalidInputError`, which never quotes them, for more than one, and for what is no pair.
    """
    basic_option, key_option = f"--{prefix}basic-auth", f"--{prefix}key-auth"
    basic = {f"{basic_option}-file": _content(f"{basic_option}-file", basic_auth_file), basic_option: basic_auth}
    key = {f"{key_option}-file": _content(f"{key_option}-file", key_auth_file), key_option: key_auth}
    given = {option: text for option, text in {**basic, **key}.items() if text is not None}
    if len(given) > 1:
        raise InvalidInputError(f"allowed: one of {' and '.join(given)}, found both")
    for option, text in given.items():
        first, colon, second = text.partition(":")
        if option in basic:
            if not colon:
                raise InvalidInputError(f"{option}: no colon in it, allowed: USER:PASSWORD")
            return BasicAuthentication(first, second)
        if not colon or not first.strip() or not second.strip():
            raise InvalidInputError(f"{option}: no colon in it, allowed: NAME:VALUE")
        return KeyAuthentication(first.strip(), second.strip())
    return NoAuthentication()


def _content(option: str, path: Path | None) -> str | None:
    """Return the one line of a file, which may be a pipe of a password manager."""
    if path is None:
        return None
    try:
        line, *rest = path.read_text(encoding="utf-8-sig").splitlines() or [""]
    except OSError as error:
        raise InvalidInputError(f"{option} {path}: cannot be read: {why_not(error)}") from None
    except UnicodeDecodeError:
        raise InvalidInputError(f"{option} {path}: not UTF-8, allowed: UTF-8 text") from None
    if rest:
        raise InvalidInputError(f"{option} {path}: more than one line, allowed: one")
    return line
