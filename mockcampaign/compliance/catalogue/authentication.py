"""Credentials: the right ones work, all others are refused, and nothing of theirs is processed."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from statistics import median

from mockcampaign.compliance.bench import Bench, body_of
from mockcampaign.compliance.rule import Event, Examined, NotExercised, Rule, holds, violated
from mockcampaign.model import BasicAuthentication, KeyAuthentication, NoAnswer, Outcome, Responded, TimedOut
from mockcampaign.transport.wall import Stopwatch

Headers = tuple[tuple[str, str], ...]

_SENT = "The credentials of the webhook go with every request (vendor's webhook guide)"
_REFUSED = f"{_SENT}: whoever comes without them is somebody else, and may send anything."
_COMPARE = "Compare scheme, user and password, all of them and exactly, before anything else is done."
_COMPARE_EXAMPLE = "if not hmac.compare_digest(given, wanted): return Response(status_code=401)"

ROUNDS = 15
"""How often each of two refusals is timed; the medians are compared, and all of it three times."""

NOISE = 3_000
"""Microseconds by which refusals may differ without meaning anything."""


def _basic(credentials: str, scheme: str = "Basic") -> Headers:
    return (("Authorization", f"{scheme} {base64.b64encode(credentials.encode()).decode()}"),)


def _wrong(bench: Bench) -> Iterator[tuple[str, Headers]]:
    """What is special about the credentials, and the headers that carry them."""
    match bench.settings.authentication:
        case BasicAuthentication(user_name=user, password=password):
            yield "another password", _basic(f"{user}:not-{password}")
            yield "the password's beginning", _basic(f"{user}:{password[:-1]}")
            yield "the password and one character more", _basic(f"{user}:{password}x")
            yield "the password with a space after it", _basic(f"{user}:{password} ")
            yield "no password", _basic(f"{user}:")
            yield "another user", _basic(f"not-{user}:{password}")
            if password.swapcase() != password:
                yield "the password in the other case", _basic(f"{user}:{password.swapcase()}")
                yield "one letter of the password in the other case", _basic(f"{user}:{_one_letter_swapped(password)}")
        case KeyAuthentication(key=key, passphrase=passphrase):
            yield "another value", ((key, f"not-{passphrase}"),)
            yield "the value's beginning", ((key, passphrase[:-1]),)
            yield "the value and one character more", ((key, f"{passphrase}x"),)
            if passphrase.swapcase() != passphrase:
                yield "the value in the other case", ((key, passphrase.swapcase()),)


def _one_letter_swapped(text: str) -> str:
    """An ASCII letter where there is one: some comparisons know no others."""
    letters = [index for index, character in enumerate(text) if character.swapcase() != character]
    index = next((index for index in letters if text[index].isascii()), letters[0])
    return f"{text[:index]}{text[index].swapcase()}{text[index + 1 :]}"


def _malformed(bench: Bench) -> Iterator[tuple[str, Headers]]:
    match bench.settings.authentication:
        case BasicAuthentication(user_name=user, password=password):
            token = base64.b64encode(f"{user}:{password}".encode()).decode()
            yield "the right token under the scheme Bearer", (("Authorization", f"Bearer {token}"),)
            yield "the right token without a scheme", (("Authorization", token),)
            yield "a scheme without a token", (("Authorization", "Basic"),)
            yield "a token that is no base64", (("Authorization", "Basic !!!"),)
            yield "a token without a colon", _basic(f"{user}{password}".replace(":", ""))
            yield "a token that is no UTF-8", (("Authorization", "Basic /////zr/"),)
        case KeyAuthentication(key=key, passphrase=passphrase):
            scheme, space, token = passphrase.rpartition(" ")
            yield "the value under another name", ((f"{key}-2", passphrase),)
            yield "nothing as value", ((key, ""),)
            if space:
                yield "the right token under another scheme", ((key, f"Other {token}"),)
                yield "the right token without its scheme", ((key, token),)
                yield "a scheme without a token", ((key, scheme),)


def _missing(bench: Bench) -> Iterator[tuple[str, Headers]]:
    yield "no credentials", ()


async def _send(
    bench: Bench, what: str, headers: Headers, events: list[Event] | None = None, *, own_connection: bool = True
) -> Outcome:
    body = body_of(bench.events(2) if events is None else events)
    return await bench.request(
        what,
        body,
        headers=[("Content-Type", "application/json"), *headers],
        authenticated=False,
        own_connection=own_connection,
    )


def _let_in(outcome: Outcome) -> bool:
    return isinstance(outcome, Responded) and outcome.status < 300


async def _all_refused(bench: Bench, cases: Iterator[tuple[str, Headers]]) -> Examined:
    await bench.must_deliver(bench.events(1))
    let_in = []
    count = 0
    for what, headers in cases:
        count += 1
        outcome = await _send(bench, what, headers)
        if _let_in(outcome):
            let_in.append(f"{outcome.describe()} to {what}")
    if let_in:
        return violated("; ".join(let_in))
    return holds(f"{count} such request{'s' * (count > 1)} not accepted")


async def _right(bench: Bench) -> Examined:
    usual = await bench.must_deliver(bench.events(2))
    for what, headers in (*_wrong(bench), *_missing(bench), *_malformed(bench)):
        # On the same connection: a body that was refused unread must not be taken for the next request.
        await _send(bench, what, headers, own_connection=False)
        delivery = await bench.deliver(bench.events(2), attempts=3)
        refused = [one for one in delivery.outcomes if isinstance(one, Responded) and not one.accepted]
        if not delivery.accepted or len(refused) >= len(usual.outcomes):
            return violated(f"{delivery.describe()} to the right credentials after {what}")
    return holds("200 to the right credentials, also after wrong ones")


async def _refuses_wrong(bench: Bench) -> Examined:
    return await _all_refused(bench, _wrong(bench))


async def _refuses_missing(bench: Bench) -> Examined:
    return await _all_refused(bench, _missing(bench))


async def _refuses_malformed(bench: Bench) -> Examined:
    return await _all_refused(bench, _malformed(bench))


async def _with_401(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    others, refused = [], 0
    for what, headers in (*_missing(bench), *_wrong(bench), *_malformed(bench)):
        outcome = await _send(bench, what, headers)
        # What was let in is the matter of the rules before.
        if _let_in(outcome):
            continue
        refused += 1
        if isinstance(outcome, TimedOut | NoAnswer) or outcome.status not in (401, 403):
            others.append(f"{outcome.describe()} to {what}")
    if others:
        return violated("; ".join(others))
    if not refused:
        raise NotExercised("no credentials were refused")
    return holds(f"401 or 403 in all {refused} cases")


async def _processes_nothing(bench: Bench) -> Examined:
    await bench.must_process(2)
    for what, headers in (*_missing(bench), *_wrong(bench), *_malformed(bench)):
        events = bench.events(2)
        outcome = await _send(bench, what, headers, events)
        if _let_in(outcome):
            # Then that is what is wrong, and other rules say so.
            continue
        bench.expect_events_of(events)
        difference = await bench.difference()
        if difference:
            return violated(f"{outcome.describe()} to {what}, and processed all the same: {difference.describe()}")
    return holds("nothing was processed of what was refused")


async def _in_equal_time(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    match bench.settings.authentication:
        case BasicAuthentication(user_name=user, password=password):
            pairs = {
                "a nearly right password": (_basic(f"{user}:{password[:-1]}~"), _basic(f"{user}:~{password[1:]}")),
                "the right user's name": (_basic(f"{user}:{'~' * len(password)}"), _basic(f"~{user[1:]}:{password}")),
            }
        case KeyAuthentication(key=key, passphrase=passphrase):
            pairs = {"a nearly right value": (((key, f"{passphrase[:-1]}~"),), ((key, f"~{passphrase[1:]}"),))}
        case _:
            raise NotExercised("needs credentials")
    for what, (near, far) in pairs.items():
        apart = []
        for _ in range(3):
            near_times, far_times = [], []
            for _ in range(ROUNDS):
                near_times.append(await _time(bench, near))
                far_times.append(await _time(bench, far))
            apart.append((median(near_times) - median(far_times), median(far_times)))
            if apart[-1][0] < NOISE + apart[-1][1] / 2:
                break
        else:
            least = min(difference for difference, _ in apart)
            return violated(f"{what} is refused {least / 1_000:.0f} ms later than a wrong one")
    return holds("no difference beyond noise")


async def _time(bench: Bench, headers: Headers) -> float:
    stopwatch = Stopwatch()
    await bench.request("timed", b"[]", headers=[("Content-Type", "application/json"), *headers], authenticated=False)
    return stopwatch.microseconds


AUTHENTICATION = (
    Rule(
        id="takes-right-credentials",
        family="authentication",
        level="must",
        title="Takes the right credentials, also after wrong ones",
        requirement=f"{_SENT}.",
        expected="200, however many others were refused before",
        needs=("credentials",),
        rests_on=("takes-reused-connection",),
        examine=_right,
        fix="Do not lock the account after refusals: all of Campaign's requests come from one address. Split Basic "
        "credentials at the first colon, and decode them as UTF-8 (RFC 7617).",
        example="user, _, password = b64decode(token).decode().partition(':')",
        cannot_tell="Other passwords than the one given: try one with a colon, a space and a letter such as é.",
    ),
    Rule(
        id="refuses-wrong-credentials",
        family="authentication",
        level="must",
        title="Refuses wrong credentials",
        requirement=_REFUSED,
        expected="401 or 403 to another user or password, however nearly right",
        needs=("credentials",),
        examine=_refuses_wrong,
        fix=_COMPARE,
        example=_COMPARE_EXAMPLE,
    ),
    Rule(
        id="refuses-missing-credentials",
        family="authentication",
        level="must",
        title="Refuses requests without credentials",
        requirement=_REFUSED,
        expected="401 or 403",
        needs=("credentials",),
        rests_on=("refuses-wrong-credentials",),
        examine=_refuses_missing,
        fix="Refuse where there is no header, as where it is wrong.",
        example="if 'authorization' not in request.headers: return Response(status_code=401)",
    ),
    Rule(
        id="refuses-malformed-credentials",
        family="authentication",
        level="must",
        title="Refuses credentials in another form",
        requirement=_REFUSED,
        expected="401 or 403 to other schemes and to tokens that cannot be read",
        needs=("credentials",),
        rests_on=("refuses-wrong-credentials",),
        examine=_refuses_malformed,
        fix=_COMPARE,
        example="if header.partition(' ')[0].lower() != 'basic': return Response(status_code=401)",
    ),
    Rule(
        id="refuses-with-401",
        family="authentication",
        level="must",
        title="Says that credentials are wrong with 401 or 403",
        requirement="401 says that credentials are missing or wrong, 403 that they do not suffice (RFC 9110, 15.5). "
        "Anything else sends whoever looks into failed exports looking elsewhere.",
        expected="401 or 403 to whatever is refused for its credentials, however it is broken",
        needs=("credentials",),
        rests_on=("takes-new-connection",),
        examine=_with_401,
        fix="Answer 401 where decoding fails, too, and do not redirect to a page to log in.",
        example="except (binascii.Error, UnicodeDecodeError): return Response(status_code=401)",
    ),
    Rule(
        id="processes-nothing-refused",
        family="authentication",
        level="must",
        title="Processes nothing of what it refuses for its credentials",
        requirement=_REFUSED,
        expected="none of these events in the account",
        needs=("credentials", "probe"),
        examine=_processes_nothing,
        fix="Check the credentials before the body is looked at.",
        example="authorise(request); store(await request.json())",
    ),
    Rule(
        id="refuses-in-equal-time",
        family="authentication",
        level="should",
        title="Refuses nearly right credentials no later than wrong ones",
        requirement="A refusal that takes longer the nearer credentials are tells them piece by piece (CWE-208).",
        expected="no difference beyond noise",
        needs=("credentials",),
        examine=_in_equal_time,
        fix="Compare in constant time, and do what costs time whoever asks.",
        example=_COMPARE_EXAMPLE,
        cannot_tell="Differences below some milliseconds.",
    ),
)
