"""Authentication: valid credentials are accepted, others are rejected, and nothing sent with those is stored."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from statistics import median

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.control import must_deliver, must_store
from mockcampaign.check.bench.raw_request import send_request
from mockcampaign.check.examined import Examined, SkipRule, Unrepeatable, failed, passed
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Rule
from mockcampaign.judging.fact import (
    Confirmation,
    Confirmed,
    Needs,
    Precondition,
    RejectsLater,
    Reply,
    Response,
    Stimulus,
    Unmet,
)
from mockcampaign.judging.situation import Situation
from mockcampaign.model import BasicAuthentication, KeyAuthentication, Outcome, Responded
from mockcampaign.shape.field import Event
from mockcampaign.wallclock import Stopwatch

Headers = tuple[tuple[str, str], ...]


class Given(msgspec.Struct, frozen=True):
    """Credentials, or whatever is sent in their place."""

    what: str
    """Stable id of what is special about them, which `report.sentences` puts into words."""
    headers: Headers
    argument: str
    """Arguments of curl for these credentials, with the valid ones from the environment."""

    @property
    def stimulus(self) -> Stimulus:
        """A batch that is sent with them."""
        return Stimulus(situation=Situation.CREDENTIALS, variant=self.what)


_SENT = "The credentials of the webhook go with every request (vendor's webhook guide)"
_REQUIREMENT = f"{_SENT}: a request without them comes from somebody else, and may contain anything."
_COMPARE = "Compare scheme, user and password, all of them and exactly, before you do anything else."
_COMPARE_EXAMPLE = "if not hmac.compare_digest(given, wanted): return Response(status_code=401)"


def _basic(credentials: str, scheme: str = "Basic") -> Headers:
    return (("Authorization", f"{scheme} {base64.b64encode(credentials.encode()).decode()}"),)


def _user(credentials: str) -> str:
    return f'-u "{credentials}"'


def _header(name: str, value: str) -> str:
    return f'-H "{name}: {value}"'


def _encoded(text: str) -> str:
    return f"$(printf %s \"{text}\" | base64 | tr -d '\\n')"


def _swapped(variable: str) -> str:
    return f"$(printf %s \"${variable}\" | tr 'a-zA-Z' 'A-Za-z')"


def _one_swapped(variable: str, text: str) -> str:
    """Return a shell expression that swaps the case of the letter that `_one_letter_swapped` chooses."""
    swapped = _one_letter_swapped(text)
    index = next(index for index, (one, other) in enumerate(zip(text, swapped, strict=False)) if one != other)
    return f"$(printf %s \"${variable}\" | sed 's/{text[index]}/{swapped[index]}/')"


def _wrong(bench: Bench) -> Iterator[Given]:
    match bench.settings.authentication:
        case BasicAuthentication(user_name=user, password=password):
            yield Given("another-password", _basic(f"{user}:not-{password}"), _user("$HOOK_USER:not-$HOOK_PASSWORD"))
            yield Given("password-prefix", _basic(f"{user}:{password[:-1]}"), _user("$HOOK_USER:${HOOK_PASSWORD%?}"))
            yield Given(
                "password-plus-character",
                _basic(f"{user}:{password}x"),
                _user("$HOOK_USER:${HOOK_PASSWORD}x"),
            )
            yield Given("password-plus-space", _basic(f"{user}:{password} "), _user("$HOOK_USER:$HOOK_PASSWORD "))
            yield Given("empty-password", _basic(f"{user}:"), _user("$HOOK_USER:"))
            yield Given("another-user", _basic(f"not-{user}:{password}"), _user("not-$HOOK_USER:$HOOK_PASSWORD"))
            if user.swapcase() != user:
                yield Given(
                    "user-in-other-case",
                    _basic(f"{user.swapcase()}:{password}"),
                    _user(f"{_swapped('HOOK_USER')}:$HOOK_PASSWORD"),
                )
            if password.swapcase() != password:
                yield Given(
                    "password-in-other-case",
                    _basic(f"{user}:{password.swapcase()}"),
                    _user(f"$HOOK_USER:{_swapped('HOOK_PASSWORD')}"),
                )
                yield Given(
                    "password-letter-in-other-case",
                    _basic(f"{user}:{_one_letter_swapped(password)}"),
                    _user(f"$HOOK_USER:{_one_swapped('HOOK_PASSWORD', password)}"),
                )
        case KeyAuthentication(key=key, passphrase=passphrase):
            yield Given("another-value", ((key, f"not-{passphrase}"),), _header(key, "not-$HOOK_KEY"))
            yield Given("value-prefix", ((key, passphrase[:-1]),), _header(key, "${HOOK_KEY%?}"))
            yield Given("value-plus-character", ((key, f"{passphrase}x"),), _header(key, "${HOOK_KEY}x"))
            if passphrase.swapcase() != passphrase:
                yield Given("value-in-other-case", ((key, passphrase.swapcase()),), _header(key, _swapped("HOOK_KEY")))


def _one_letter_swapped(text: str) -> str:
    """Swap the case of one letter, an ASCII one if possible: some comparisons ignore the case of ASCII letters only."""
    letters = [index for index, character in enumerate(text) if character.swapcase() != character]
    index = next((index for index in letters if text[index].isascii()), letters[0])
    return f"{text[:index]}{text[index].swapcase()}{text[index + 1 :]}"


def _malformed(bench: Bench) -> Iterator[Given]:
    match bench.settings.authentication:
        case BasicAuthentication(user_name=user, password=password):
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            bearer = (("Authorization", f"Bearer {token}"),)
            behind = (("Authorization", f"Other Basic {token}"),)
            encoded = _encoded("$HOOK_USER:$HOOK_PASSWORD")
            run_together = _encoded('$(printf %s "$HOOK_USER$HOOK_PASSWORD" | tr -d :)')
            for what, headers, value in (
                ("token-with-bearer", bearer, f"Bearer {encoded}"),
                ("credentials-behind-another-scheme", behind, f"Other Basic {encoded}"),
                ("token-without-scheme", (("Authorization", token),), encoded),
                ("scheme-without-token", (("Authorization", "Basic"),), "Basic"),
                ("token-not-base64", (("Authorization", "Basic ###"),), "Basic ###"),
                ("token-without-colon", _basic(f"{user}{password}".replace(":", "")), f"Basic {run_together}"),
                ("token-not-utf-8", (("Authorization", "Basic /////zr/"),), "Basic /////zr/"),
            ):
                yield Given(what, headers, _header("Authorization", value))
        case KeyAuthentication(key=key, passphrase=passphrase):
            scheme, space, token = passphrase.rpartition(" ")
            yield Given("value-under-another-name", ((f"{key}-2", passphrase),), _header(f"{key}-2", "$HOOK_KEY"))
            yield Given("empty-value", ((key, ""),), f"-H '{key};'")
            if space:
                for what, value, shown in (
                    ("token-with-another-scheme", f"Other {token}", "Other ${HOOK_KEY##* }"),
                    ("token-without-scheme", token, "${HOOK_KEY##* }"),
                    ("scheme-without-token", scheme, "${HOOK_KEY% *}"),
                ):
                    yield Given(what, ((key, value),), _header(key, shown))


def _missing(bench: Bench) -> Iterator[Given]:
    yield Given("no-credentials", (), "")


async def _send(
    bench: Bench, given: Given, events: list[Event] | None = None, *, own_connection: bool = True
) -> Outcome:
    body = bench.body_of(bench.events(2) if events is None else events)
    return await send_request(
        bench,
        given.stimulus,
        body,
        headers=[("Content-Type", "application/json"), *given.headers],
        authenticated=False,
        credentials=given.argument,
        own_connection=own_connection,
    )


def _commands(bench: Bench, given: Iterable[Given]) -> str:
    """Return commands that send one batch with each of these credentials."""
    return "\n".join(curl(bench.endpoint, bench.body_of(bench.events(1)), credentials=one.argument) for one in given)


def _is_let_in(outcome: Outcome) -> bool:
    return isinstance(outcome, Responded) and outcome.status < 300


def _responses(found: Iterable[tuple[Given, Outcome]]) -> list[Response]:
    return [Response(to=given.stimulus, replies=(Reply.of(outcome),)) for given, outcome in found]


async def _accepts_valid(bench: Bench) -> Examined:
    usual = await must_deliver(bench, bench.events(2))
    for given in (*_wrong(bench), *_missing(bench), *_malformed(bench)):
        # On one connection: a body that was rejected unread must not be read as the next request.
        await _send(bench, given, own_connection=False)
        delivery = await bench.deliver(bench.events(2), attempts=3)
        rejected = [one for one in delivery.outcomes if isinstance(one, Responded) and not one.accepted]
        if not delivery.accepted or len(rejected) >= len(usual.outcomes):
            to = Stimulus(situation=Situation.VALID_AFTER_INVALID, variant=given.what)
            return failed(delivery.response(to))
    return passed(Confirmed(what=Confirmation.VALID_CREDENTIALS_ACCEPTED))


ACCEPTS_VALID_CREDENTIALS = Rule(
    id="accepts-valid-credentials",
    family="authentication",
    level="must",
    title="Accepts valid credentials, also after invalid ones",
    requirement=f"{_SENT}.",
    expected="200, however many other credentials were rejected before",
    examine=_accepts_valid,
    needs=("credentials",),
    depends_on=("handles-keep-alive",),
    fix="Do not lock the account after rejections: all of Campaign's requests come from one address. Split Basic "
    "credentials at the first colon, and decode them as UTF-8 (RFC 7617).",
    example="user, _, password = b64decode(token).decode().partition(':')",
    on_one_connection=True,
    not_covered="Passwords other than the given one: try one with a colon, a space and a letter such as é.",
)


async def _rejects_all(bench: Bench, cases: Iterable[Given]) -> Examined:
    await must_deliver(bench, bench.events(1))
    sent = [(given, await _send(bench, given)) for given in cases]
    let_in = [(given, outcome) for given, outcome in sent if _is_let_in(outcome)]
    if let_in:
        return failed(*_responses(let_in), curl=_commands(bench, [given for given, _ in let_in]))
    return passed(Confirmed(what=Confirmation.CREDENTIALS_REJECTED, count=len(sent)))


async def _rejects_wrong(bench: Bench) -> Examined:
    return await _rejects_all(bench, _wrong(bench))


REJECTS_WRONG_CREDENTIALS = Rule(
    id="rejects-wrong-credentials",
    family="authentication",
    level="must",
    title="Rejects wrong credentials",
    requirement=_REQUIREMENT,
    expected="401 or 403 to another user or password, however nearly right",
    examine=_rejects_wrong,
    needs=("credentials",),
    fix=_COMPARE,
    example=_COMPARE_EXAMPLE,
)


async def _rejects_missing(bench: Bench) -> Examined:
    return await _rejects_all(bench, _missing(bench))


REJECTS_MISSING_CREDENTIALS = Rule(
    id="rejects-missing-credentials",
    family="authentication",
    level="must",
    title="Rejects requests without credentials",
    requirement=_REQUIREMENT,
    expected="401 or 403",
    examine=_rejects_missing,
    needs=("credentials",),
    depends_on=("rejects-wrong-credentials",),
    fix="Reject a request without the header just as one with a wrong header.",
    example="if 'authorization' not in request.headers: return Response(status_code=401)",
)


async def _rejects_malformed(bench: Bench) -> Examined:
    return await _rejects_all(bench, _malformed(bench))


REJECTS_MALFORMED_CREDENTIALS = Rule(
    id="rejects-malformed-credentials",
    family="authentication",
    level="must",
    title="Rejects malformed credentials",
    requirement=_REQUIREMENT,
    expected="401 or 403 to other schemes and to tokens that cannot be read",
    examine=_rejects_malformed,
    needs=("credentials",),
    depends_on=("rejects-wrong-credentials",),
    fix=_COMPARE,
    example="if header.partition(' ')[0].lower() != 'basic': return Response(status_code=401)",
)


async def _rejects_with_401_or_403(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    sent = [(given, await _send(bench, given)) for given in (*_missing(bench), *_wrong(bench), *_malformed(bench))]
    # The rules above judge credentials that were accepted.
    rejected = [(given, outcome) for given, outcome in sent if not _is_let_in(outcome)]
    others = [
        (given, outcome)
        for given, outcome in rejected
        if not isinstance(outcome, Responded) or outcome.status not in (401, 403)
    ]
    if others:
        return failed(*_responses(others), curl=_commands(bench, [given for given, _ in others]))
    if not rejected:
        raise SkipRule(Unmet(why=Precondition.NOTHING_WAS_REJECTED))
    return passed(Confirmed(what=Confirmation.CREDENTIALS_REJECTED_PROPERLY, count=len(rejected)))


REJECTS_WITH_401_OR_403 = Rule(
    id="rejects-with-401-or-403",
    family="authentication",
    level="must",
    title="Rejects bad credentials with 401 or 403",
    requirement="401 says that credentials are missing or wrong, 403 that they do not suffice (RFC 9110, 15.5). Any "
    "other status misleads whoever investigates failed exports.",
    expected="401 or 403 to everything rejected for its credentials, however malformed they are",
    examine=_rejects_with_401_or_403,
    needs=("credentials",),
    depends_on=("handles-new-connections",),
    fix="Respond 401 when decoding fails as well, and do not redirect to a login page.",
    example="except (binascii.Error, UnicodeDecodeError): return Response(status_code=401)",
)


async def _stores_nothing(bench: Bench) -> Examined:
    await must_store(bench, 2)
    for given in (*_missing(bench), *_wrong(bench), *_malformed(bench)):
        events = bench.events(2)
        outcome = await _send(bench, given, events)
        if _is_let_in(outcome):
            # Other rules report that.
            continue
        bench.store.expect_events_of(events)
        difference = await bench.store.difference()
        if difference:
            responses = _responses([(given, outcome)])
            return failed(*responses, difference.stored_anyway(), curl=_commands(bench, [given]))
    return passed(Confirmed(what=Confirmation.NOTHING_UNAUTHORISED_STORED))


STORES_NOTHING_UNAUTHORISED = Rule(
    id="stores-nothing-unauthorised",
    family="authentication",
    level="must",
    title="Stores nothing of a request it rejects for its credentials",
    requirement=_REQUIREMENT,
    expected="none of these events in the store",
    examine=_stores_nothing,
    needs=("credentials", "probe"),
    fix="Check the credentials before you look at the body.",
    example="authorise(request); store(await request.json())",
)

ROUNDS = 32
"""Number of times two rejections are timed in all; the medians of each are compared, three times in all."""

NOISE = 3_000
"""Microseconds by which rejections may differ without meaning anything."""


async def _compares_in_constant_time(bench: Bench) -> Examined:
    await must_deliver(bench, bench.events(1))
    match bench.settings.authentication:
        case BasicAuthentication(user_name=user, password=password):
            pairs = {
                "nearly-right-password": (_basic(f"{user}:{password[:-1]}~"), _basic(f"{user}:~{password[1:]}")),
                "right-user-name": (_basic(f"{user}:{'~' * len(password)}"), _basic(f"~{user[1:]}:{password}")),
            }
        case KeyAuthentication(key=key, passphrase=passphrase):
            pairs = {"nearly-right-value": (((key, f"{passphrase[:-1]}~"),), ((key, f"~{passphrase[1:]}"),))}
        case _:
            raise SkipRule(Needs(need="credentials"))
    for what, (near, far) in pairs.items():
        apart = []
        for _ in range(3):
            near_times, far_times = [], []
            for number in range(ROUNDS):
                # The sequence of Thue and Morse: no rhythm and no drift of a machine favours one of the two. In turn,
                # a busy machine may let every second request wait.
                if number.bit_count() % 2:
                    far_times.append(await _time(bench, what, far))
                else:
                    near_times.append(await _time(bench, what, near))
            apart.append((median(near_times) - median(far_times), median(far_times)))
            if apart[-1][0] < NOISE + apart[-1][1] / 2:
                break
        else:
            least = min(difference for difference, _ in apart)
            return failed(
                RejectsLater(variant=what, milliseconds=round(least / 1_000)), unrepeatable=Unrepeatable.TIMING
            )
    return passed(Confirmed(what=Confirmation.EQUAL_TIMES))


async def _time(bench: Bench, what: str, headers: Headers) -> float:
    """Return how many microseconds the consumer takes to respond to these credentials."""
    stopwatch = Stopwatch()
    to = Stimulus(situation=Situation.TIMED_CREDENTIALS, variant=what)
    await send_request(bench, to, b"[]", headers=[("Content-Type", "application/json"), *headers], authenticated=False)
    return stopwatch.microseconds


COMPARES_CREDENTIALS_IN_CONSTANT_TIME = Rule(
    id="compares-credentials-in-constant-time",
    family="authentication",
    level="should",
    title="Rejects nearly right credentials no later than wrong ones",
    requirement="A rejection that takes longer the nearer the credentials are reveals them piece by piece (CWE-208).",
    expected="no difference in time beyond noise",
    examine=_compares_in_constant_time,
    needs=("credentials",),
    fix="Compare in constant time, and do the same expensive work for every request.",
    example=_COMPARE_EXAMPLE,
    not_covered="Differences of less than a few milliseconds.",
)

AUTHENTICATION = (
    ACCEPTS_VALID_CREDENTIALS,
    REJECTS_WRONG_CREDENTIALS,
    REJECTS_MISSING_CREDENTIALS,
    REJECTS_MALFORMED_CREDENTIALS,
    REJECTS_WITH_401_OR_403,
    STORES_NOTHING_UNAUTHORISED,
    COMPARES_CREDENTIALS_IN_CONSTANT_TIME,
)
