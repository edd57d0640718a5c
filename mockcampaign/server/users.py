"""Clients, their users, and the user who sends a request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Protocol

import msgspec

from mockcampaign.policy import id_beside

KNOWN_MAX = 1_000
"""Number of valid headers to remember. One user can have many, because base64 allows several spellings."""


HASH_ROUNDS = 20_000
"""Rounds of a password's hash: some milliseconds, in which the server does nothing else."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user of one client's API."""

    id: int
    username: str
    password: str

    def __repr__(self) -> str:
        return f"User(username={self.username!r}, password=…)"


def users_of(client_id: int, credentials: list[tuple[str, str]]) -> tuple[User, ...]:
    """Return a client's users with unique ids (assumed: the vendor's ids have no meaning)."""
    return tuple(
        User(id=id_beside(client_id, number), username=name, password=password)
        for number, (name, password) in enumerate(credentials, 1)
    )


def user_name_problem(name: str) -> str | None:
    """Return what is wrong with a user name; None if nothing is."""
    if not name or ":" in name:
        return f"{name!r} is not a user name, allowed: text that is not empty and has no colon"
    return None


class Rotation(msgspec.Struct, frozen=True, kw_only=True, tag="password", eq=False):
    """A password that is valid from a moment on. Only its hash is here, since it may outlive the process in a file."""

    at: int
    client_id: int
    username: str
    salt: bytes
    digest: bytes

    def is_password(self, password: bytes) -> bool:
        """Return whether this is the password."""
        return hmac.compare_digest(_digest(password, self.salt), self.digest)

    def __repr__(self) -> str:
        return f"Rotation(at={self.at}, username={self.username!r})"


def _digest(password: bytes, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password, salt, HASH_ROUNDS)


class RotationKeeper(Protocol):
    """Is notified of each rotation."""

    def declared(self, what: Rotation) -> None:
        """A password will be valid, and stays so."""

    def over(self, what: Rotation) -> None:
        """Another password has replaced it."""


class Users:
    """The users of all clients."""

    keeper: RotationKeeper | None = None

    def __init__(self, users_of_client: dict[int, tuple[User, ...]]) -> None:
        self._users_of_client = dict(users_of_client)
        self._rotations: list[Rotation] = []
        """Rotations to come, in the order in which they were asked for."""
        self._rotated: dict[tuple[int, str], Rotation] = {}
        """The last rotation of each user, by client and name."""
        self._known: dict[tuple[object, str], User] = {}
        """Users by client id and header: the same program sends the same header with each request."""

    @property
    def client_ids(self) -> list[int]:
        """Ids of all clients."""
        return list(self._users_of_client)

    def reset(self, rotations: Iterable[Rotation] = ()) -> None:
        """Give all users the passwords that they had at the start, but for these rotations."""
        self._rotations = [*rotations]
        self._rotated.clear()
        self._known.clear()

    def is_rotated(self, client_id: int, username: str, now: int) -> bool:
        """Whether a user has another password than at the start."""
        self._take_effect(now)
        return (client_id, username) in self._rotated

    def named(self, client_id: int, username: str | None = None) -> User | None:
        """Return the client's user of that name, the first one without a name; None if there is none."""
        users = self._users_of_client.get(client_id, ())
        return next((user for user in users if username in (None, user.username)), None)

    def rotate(self, client_id: int, user: User, password: str, at: int) -> None:
        """Give a user another password, which is valid from a moment on; the old one is valid until then."""
        salt = secrets.token_bytes(16)
        rotation = Rotation(
            at=at, client_id=client_id, username=user.username, salt=salt, digest=_digest(password.encode(), salt)
        )
        self._rotations.append(rotation)
        if self.keeper is not None:
            self.keeper.declared(rotation)

    @property
    def is_rotating(self) -> bool:
        """Whether any password is going to change."""
        return bool(self._rotations)

    def _take_effect(self, now: int) -> None:
        """Replace the passwords whose moment has come."""
        due = [rotation for rotation in self._rotations if rotation.at <= now]
        if not due:
            return
        self._rotations = [rotation for rotation in self._rotations if rotation.at > now]
        for rotation in sorted(due, key=lambda rotation: rotation.at):
            user = rotation.client_id, rotation.username
            replaced = self._rotated.get(user)
            if replaced is not None and self.keeper is not None:
                self.keeper.over(replaced)
            self._rotated[user] = rotation
        self._known.clear()

    def authenticated(self, client_id: int, authorization: str, now: int) -> User | None:
        """Return the client's user if the header has valid credentials of one at this moment; None otherwise."""
        if self._rotations:
            self._take_effect(now)
        known = self.remembered(client_id, authorization)
        if known is not None:
            return known
        name, password = _credentials(authorization)
        for user in self._users_of_client.get(client_id, ()):
            same = hmac.compare_digest(user.username.encode(), name)
            if self._is_password(client_id, user, password, hash_it=same) and same:
                if len(self._known) < KNOWN_MAX:
                    self._known[client_id, authorization] = user
                return user
        return None

    def _is_password(self, client_id: int, user: User, password: bytes, *, hash_it: bool) -> bool:
        rotation = self._rotated.get((client_id, user.username))
        if rotation is None:
            return hmac.compare_digest(user.password.encode(), password)
        return hash_it and rotation.is_password(password)

    def remembered(self, client_id: object, authorization: str) -> User | None:
        """Return the user if the same header has already been valid for the client."""
        return self._known.get((client_id, authorization))


def _credentials(authorization: str) -> tuple[bytes, bytes]:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b"", b""
    try:
        name, _, password = base64.b64decode(token.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return b"", b""
    return name, password
