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


def rejecting_with(status: int) -> type[Consumer]:
    """One that answers that to wrong credentials."""

    class RejectingWith(Consumer):
        refuse_status = status

    return RejectingWith


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


class FailsOnMalformedCredentials(Consumer):
    def lets_in(self, request: Request) -> bool:
        header = request.headers.get("authorization")
        if self.basic_authentication is None or header is None:
            return super().lets_in(request)
        scheme, token = header.split(" ")
        user_name, password = base64.b64decode(token, validate=True).decode().split(":", 1)
        return scheme.lower() == "basic" and self.same(f"{user_name}:{password}".encode(), self.wanted())


class LocksOutAfterTenFailures(Consumer):
    """Lets nobody in after so many wrong passwords, also those who know the right one."""

    wrong_max = 10
    wrong = 0

    def lets_in(self, request: Request) -> bool:
        right = super().lets_in(request)
        self.wrong += not right
        return right and self.wrong < self.wrong_max


class StoresBeforeAuthenticating(Consumer):
    async def take(self, request: Request) -> Response:
        if not self.lets_in(request):
            await self.process(self.parse(await self.read(request)))
        return await super().take(request)


class FailsOnNonAsciiCredentials(Consumer):
    """`hmac.compare_digest` compares str only where it is ASCII."""

    def same(self, given: bytes, wanted: bytes) -> bool:
        if not (given.isascii() and wanted.isascii()):
            raise TypeError("comparing strings with non-ASCII characters is not supported")
        return super().same(given, wanted)


class HashesKnownUsersOnly(Consumer):
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
    "accepts-any-credentials": Bug("Never checks the credentials.", AcceptsAnyCredentials),
    "accepts-missing-credentials": Bug("Checks credentials only if the request has any.", AcceptsMissingCredentials),
    "accepts-any-scheme": Bug(
        "Checks the encoded credentials but not the authentication scheme before them.", AcceptsAnyScheme
    ),
    "accepts-credential-prefix": Bug(
        "Compares passwords only up to the length of the given one, so a prefix is accepted.",
        comparing(_as_far_as_both_go),
    ),
    "accepts-any-password": Bug("Checks the user name but not the password.", comparing(_user_name)),
    "ignores-credential-case": Bug(
        "Compares credentials case-insensitively, as its database does.",
        comparing(lambda given, wanted: given.lower() == wanted.lower()),
    ),
    "strips-credentials": Bug(
        "Strips white space around credentials before it compares them.",
        comparing(lambda given, wanted: given.strip() == wanted.strip()),
    ),
    "splits-at-last-colon": Bug(
        "Splits user name and password at the last colon, so a password that contains a colon is rejected.",
        comparing(_split_at_the_last_colon),
    ),
    "fails-on-non-ascii-credentials": Bug(
        "Responds 500 to credentials that are not ASCII.", FailsOnNonAsciiCredentials
    ),
    "fails-on-malformed-credentials": Bug(
        "Responds 500 to an Authorization header it cannot decode.", FailsOnMalformedCredentials
    ),
    "locks-out-after-ten-failures": Bug(
        "Rejects everyone after ten wrong passwords, even with valid credentials.", LocksOutAfterTenFailures
    ),
    "stores-before-authenticating": Bug(
        "Stores a batch before it checks and rejects the credentials.", StoresBeforeAuthenticating
    ),
    "responds-200-to-wrong-credentials": Bug(
        "Responds 200 to wrong credentials, so Campaign believes that the batch was accepted.", rejecting_with(200)
    ),
    "redirects-to-login": Bug("Responds to wrong credentials with a redirect to a login page.", rejecting_with(302)),
    "hashes-known-users-only": Bug(
        "Hashes the password only if the user name is right, so a wrong user name is rejected sooner.",
        HashesKnownUsersOnly,
    ),
}
