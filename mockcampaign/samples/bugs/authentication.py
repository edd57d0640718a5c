"""Mistakes with credentials: who is let in, who is not, and how that is said."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer


def comparing(same: Callable[[bytes, bytes], bool]) -> type[Consumer]:
    """One that compares given and wanted credentials in that way."""

    class Comparing(Consumer):
        def same(self, given: bytes, wanted: bytes) -> bool:
            return same(given, wanted)

    return Comparing


def refusing_with(status: int) -> type[Consumer]:
    """One that answers that to wrong credentials."""

    class RefusingWith(Consumer):
        refuse_status = status

    return RefusingWith


class AcceptsAnyCredentials(Consumer):
    def lets_in(self, request: Request) -> bool:
        return True


class AcceptsMissingCredentials(Consumer):
    def lets_in(self, request: Request) -> bool:
        return "authorization" not in request.headers or super().lets_in(request)


class AcceptsAnyScheme(Consumer):
    def lets_in(self, request: Request) -> bool:
        if self.basic_authentication is None:
            return True
        token = request.headers.get("authorization", "").rpartition(" ")[2]
        return token == base64.b64encode(self.wanted()).decode()


class FailsAtMalformedCredentials(Consumer):
    def lets_in(self, request: Request) -> bool:
        header = request.headers.get("authorization")
        if self.basic_authentication is None or header is None:
            return super().lets_in(request)
        scheme, token = header.split(" ")
        user_name, password = base64.b64decode(token, validate=True).decode().split(":", 1)
        return scheme.lower() == "basic" and self.same(f"{user_name}:{password}".encode(), self.wanted())


class LocksOut(Consumer):
    """Lets nobody in after so many wrong passwords, also those who know the right one."""

    wrong_max = 10
    wrong = 0

    def lets_in(self, request: Request) -> bool:
        right = super().lets_in(request)
        self.wrong += not right
        return right and self.wrong < self.wrong_max


class StoresBeforeItChecks(Consumer):
    async def take(self, request: Request) -> Response:
        if not self.lets_in(request):
            await self.process(self.parse(await self.read(request)))
        return await super().take(request)


class FailsAtNonAscii(Consumer):
    """`hmac.compare_digest` compares str only where it is ASCII."""

    def same(self, given: bytes, wanted: bytes) -> bool:
        if not (given.isascii() and wanted.isascii()):
            raise TypeError("comparing strings with non-ASCII characters is not supported")
        return super().same(given, wanted)


class ChecksPasswordsOfUsersOnly(Consumer):
    """Does the costly part, a hash of the password, only where the user's name is right."""

    stored = b""

    def same(self, given: bytes, wanted: bytes) -> bool:
        if given.partition(b":")[0] != wanted.partition(b":")[0]:
            return False
        self.stored = self.stored or _hashed(wanted)
        return _hashed(given) == self.stored


def _hashed(credentials: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", credentials, b"salt", 25_000)


def _as_far_as_both_go(given: bytes, wanted: bytes) -> bool:
    return all(one == other for one, other in zip(given, wanted, strict=False))


def _split_at_the_last_colon(given: bytes, wanted: bytes) -> bool:
    user_name, _, password = given.rpartition(b":")
    wanted_user_name, _, wanted_password = wanted.partition(b":")
    return (user_name, password) == (wanted_user_name, wanted_password)


def _user_name(given: bytes, wanted: bytes) -> bool:
    return given.partition(b":")[0] == wanted.partition(b":")[0]


BUGS: Mapping[str, Bug] = {
    "accepts-any-credentials": Bug("never looks at the credentials", AcceptsAnyCredentials),
    "accepts-missing-credentials": Bug("checks credentials where there are any", AcceptsMissingCredentials),
    "accepts-any-scheme": Bug("looks at what comes after the scheme, whatever the scheme", AcceptsAnyScheme),
    "accepts-beginnings": Bug(
        "compares passwords as far as the given one goes, and accepts its beginning", comparing(_as_far_as_both_go)
    ),
    "accepts-any-password": Bug("looks at the user's name only", comparing(_user_name)),
    "ignores-case": Bug(
        "compares passwords without regard to case, as its database does",
        comparing(lambda given, wanted: given.lower() == wanted.lower()),
    ),
    "ignores-spaces": Bug(
        "compares passwords without spaces around them",
        comparing(lambda given, wanted: given.strip() == wanted.strip()),
    ),
    "splits-at-the-last-colon": Bug(
        "takes a colon in a password for the end of the user's name", comparing(_split_at_the_last_colon)
    ),
    "fails-at-non-ascii": Bug("answers 500 where credentials are not ASCII", FailsAtNonAscii),
    "fails-at-malformed-credentials": Bug("answers 500 to a header that it cannot decode", FailsAtMalformedCredentials),
    "locks-out": Bug("lets nobody in any more after ten wrong passwords", LocksOut),
    "stores-before-it-checks": Bug("stores a list, and then refuses its credentials", StoresBeforeItChecks),
    "hides-refusals": Bug(
        "answers 200 to wrong credentials, so the sender believes that all is well", refusing_with(200)
    ),
    "refuses-with-302": Bug("redirects wrong credentials to a page to log in", refusing_with(302)),
    "hashes-for-known-users": Bug(
        "hashes a password only where the user's name is right, and refuses a wrong name sooner",
        ChecksPasswordsOfUsersOnly,
    ),
}
