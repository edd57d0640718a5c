"""Bugs in authentication: which credentials are accepted, and how the others are rejected."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from mockcampaign.samples.bugs.bug import Bug
from mockcampaign.samples.correct import Consumer


def comparing(equal: Callable[[bytes, bytes], bool]) -> type[Consumer]:
    """Return a consumer that compares given and expected credentials in that way."""

    class Comparing(Consumer):
        def matches(self, given: bytes, expected: bytes) -> bool:
            return equal(given, expected)

    return Comparing


def rejecting_with(status: int) -> type[Consumer]:
    """Return a consumer that responds with that status to wrong credentials."""

    class RejectingWith(Consumer):
        rejection_status = status

    return RejectingWith


class AcceptsAnyCredentials(Consumer):
    def is_authenticated(self, request: Request) -> bool:
        return True


class AcceptsMissingCredentials(Consumer):
    def is_authenticated(self, request: Request) -> bool:
        return "authorization" not in request.headers or super().is_authenticated(request)


class AcceptsAnyScheme(Consumer):
    def is_authenticated(self, request: Request) -> bool:
        if self.basic_authentication is None:
            return True
        token = request.headers.get("authorization", "").rpartition(" ")[2]
        return token == base64.b64encode(self.expected_credentials()).decode()


class FailsOnMalformedCredentials(Consumer):
    def is_authenticated(self, request: Request) -> bool:
        header = request.headers.get("authorization")
        if self.basic_authentication is None or header is None:
            return super().is_authenticated(request)
        scheme, token = header.split(" ")
        user_name, password = base64.b64decode(token, validate=True).decode().split(":", 1)
        return scheme.lower() == "basic" and self.matches(
            f"{user_name}:{password}".encode(), self.expected_credentials()
        )


class LocksOutAfterTenFailures(Consumer):
    """Rejects everyone after so many wrong passwords, also those who know the right one."""

    failures_max = 10
    failures = 0

    def is_authenticated(self, request: Request) -> bool:
        authenticated = super().is_authenticated(request)
        self.failures += not authenticated
        return authenticated and self.failures < self.failures_max


class StoresBeforeAuthenticating(Consumer):
    async def handle(self, request: Request) -> Response:
        if not self.is_authenticated(request):
            await self.process(self.parse(await self.read_body(request)))
        return await super().handle(request)


class FailsOnNonAsciiCredentials(Consumer):
    """Compares text with `hmac.compare_digest`, which raises an exception if it is not ASCII."""

    def matches(self, given: bytes, expected: bytes) -> bool:
        if not (given.isascii() and expected.isascii()):
            raise TypeError("comparing strings with non-ASCII characters is not supported")
        return super().matches(given, expected)


class HashesKnownUsersOnly(Consumer):
    """Computes the costly part, a hash of the password, only if the user name is right."""

    stored = b""

    def matches(self, given: bytes, expected: bytes) -> bool:
        if given.partition(b":")[0] != expected.partition(b":")[0]:
            return False
        self.stored = self.stored or _hashed(expected)
        return _hashed(given) == self.stored


def _hashed(credentials: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", credentials, b"salt", 25_000)


def _equal_up_to_the_shorter(given: bytes, expected: bytes) -> bool:
    return all(one == other for one, other in zip(given, expected, strict=False))


def _split_at_the_last_colon(given: bytes, expected: bytes) -> bool:
    user_name, _, password = given.rpartition(b":")
    expected_user_name, _, expected_password = expected.partition(b":")
    return (user_name, password) == (expected_user_name, expected_password)


def _user_name(given: bytes, expected: bytes) -> bool:
    return given.partition(b":")[0] == expected.partition(b":")[0]


BUGS: Mapping[str, Bug] = {
    "accepts-any-credentials": Bug("Never checks the credentials.", AcceptsAnyCredentials),
    "accepts-missing-credentials": Bug("Checks credentials only if the request has any.", AcceptsMissingCredentials),
    "accepts-any-scheme": Bug(
        "Checks the encoded credentials but not the authentication scheme before them.", AcceptsAnyScheme
    ),
    "accepts-credential-prefix": Bug(
        "Compares passwords only up to the length of the given one, so a prefix is accepted.",
        comparing(_equal_up_to_the_shorter),
    ),
    "accepts-any-password": Bug("Checks the user name but not the password.", comparing(_user_name)),
    "ignores-credential-case": Bug(
        "Compares credentials case-insensitively, as its database does.",
        comparing(lambda given, expected: given.lower() == expected.lower()),
    ),
    "strips-credentials": Bug(
        "Strips white space around credentials before it compares them.",
        comparing(lambda given, expected: given.strip() == expected.strip()),
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
