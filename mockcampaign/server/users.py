"""Clients, their users, and the user who sends a request."""

from __future__ import annotations

import base64
import binascii
import hmac

import msgspec

from mockcampaign.policy import INT64_MAX

KNOWN_MAX = 1_000
"""Number of valid headers to remember. One user can have many, because base64 allows several spellings."""


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
        User(id=client_id * 100 % INT64_MAX + number, username=name, password=password)
        for number, (name, password) in enumerate(credentials, 1)
    )


def user_name_problem(name: str) -> str | None:
    """Return what is wrong with a user name; None if nothing is."""
    if not name or ":" in name:
        return f"{name!r} is not a user name, allowed: text that is not empty and has no colon"
    return None


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """A password that will be valid from a moment on."""

    at: int
    client_id: int
    user: User

    def __repr__(self) -> str:
        return f"Rotation(at={self.at}, user={self.user!r})"


class Users:
    """The users of all clients."""

    def __init__(self, users_of_client: dict[int, tuple[User, ...]]) -> None:
        self._users_at_start = dict(users_of_client)
        self._users_of_client = dict(users_of_client)
        self._rotations: list[Rotation] = []
        self._known: dict[tuple[object, str], User] = {}
        """Users by client id and header: the same program sends the same header with each request."""

    @property
    def client_ids(self) -> list[int]:
        """Ids of all clients."""
        return list(self._users_of_client)

    def secrets(self) -> list[str]:
        """Return all passwords, which no output may contain."""
        groups = (*self._users_of_client.values(), *self._users_at_start.values())
        users = [user for group in groups for user in group] + [rotation.user for rotation in self._rotations]
        return [user.password for user in users]

    def reset(self) -> None:
        """Give all users the passwords that they had at the start."""
        self._users_of_client = dict(self._users_at_start)
        self._rotations.clear()
        self._known.clear()

    def named(self, client_id: int, username: str | None = None) -> User | None:
        """Return the client's user of that name, the first one without a name; None if there is none."""
        users = self._users_of_client.get(client_id, ())
        return next((user for user in users if username in (None, user.username)), None)

    def rotate(self, client_id: int, user: User, password: str, at: int) -> None:
        """Give a user another password, which is valid from a moment on; the old one is valid until then."""
        changed = msgspec.structs.replace(user, password=password)
        self._rotations.append(Rotation(at=at, client_id=client_id, user=changed))

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
        for rotation in due:
            self._users_of_client[rotation.client_id] = tuple(
                rotation.user if user.id == rotation.user.id else user
                for user in self._users_of_client[rotation.client_id]
            )
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
            if hmac.compare_digest(user.password.encode(), password) and same:
                if len(self._known) < KNOWN_MAX:
                    self._known[client_id, authorization] = user
                return user
        return None

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
