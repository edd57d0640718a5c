"""Credentials: the right ones work, all others are refused, and nothing of theirs is processed."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from statistics import median

import msgspec

from mockcampaign.check.bench.bench import Bench
from mockcampaign.check.bench.rule_store import body_of
from mockcampaign.check.reproduce.curl import curl
from mockcampaign.check.rule import Event, Examined, NotExercised, Rule, holds, violated
from mockcampaign.model import BasicAuthentication, KeyAuthentication, NoResponse, Outcome, Responded, TimedOut
from mockcampaign.wallclock import Stopwatch

Headers = tuple[tuple[str, str], ...]


class Given(msgspec.Struct, frozen=True):
    """Credentials, or what is given for some."""

    what: str
    """What is special about them."""
    headers: Headers
    argument: str
    """The same as arguments of curl, with the right ones from the environment."""


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


def _user(credentials: str) -> str:
    return f'-u "{credentials}"'


def _header(name: str, value: str) -> str:
    return f'-H "{name}: {value}"'


def _encoded(text: str) -> str:
    return f"$(printf %s \"{text}\" | base64 | tr -d '\\n')"


def _swapped(variable: str) -> str:
    return f"$(printf %s \"${variable}\" | tr 'a-zA-Z' 'A-Za-z')"


def _one_swapped(variable: str, text: str) -> str:
    """The same of the letter that `_one_letter_swapped` chooses."""
    swapped = _one_letter_swapped(text)
    index = next(index for index, (one, other) in enumerate(zip(text, swapped, strict=False)) if one != other)
    return f"$(printf %s \"${variable}\" | sed 's/{text[index]}/{swapped[index]}/')"


def _wrong(bench: Bench) -> Iterator[Given]:
    match bench.settings.authentication:
        case BasicAuthentication(user_name=user, password=password):
            yield Given("another password", _basic(f"{user}:not-{password}"), _user("$HOOK_USER:not-$HOOK_PASSWORD"))
            yield Given(
                "the password's beginning", _basic(f"{user}:{password[:-1]}"), _user("$HOOK_USER:${HOOK_PASSWORD%?}")
            )
            yield Given(
                "the password and one character more",
                _basic(f"{user}:{password}x"),
                _user("$HOOK_USER:${HOOK_PASSWORD}x"),
            )
            yield Given(
                "the password with a space after it", _basic(f"{user}:{password} "), _user("$HOOK_USER:$HOOK_PASSWORD ")
            )
            yield Given("no password", _basic(f"{user}:"), _user("$HOOK_USER:"))
            yield Given("another user", _basic(f"not-{user}:{password}"), _user("not-$HOOK_USER:$HOOK_PASSWORD"))
            if user.swapcase() != user:
                yield Given(
                    "the user in the other case",
                    _basic(f"{user.swapcase()}:{password}"),
                    _user(f"{_swapped('HOOK_USER')}:$HOOK_PASSWORD"),
                )
            if password.swapcase() != password:
                yield Given(
                    "the password in the other case",
                    _basic(f"{user}:{password.swapcase()}"),
                    _user(f"$HOOK_USER:{_swapped('HOOK_PASSWORD')}"),
                )
                yield Given(
                    "one letter of the password in the other case",
                    _basic(f"{user}:{_one_letter_swapped(password)}"),
                    _user(f"$HOOK_USER:{_one_swapped('HOOK_PASSWORD', password)}"),
                )
        case KeyAuthentication(key=key, passphrase=passphrase):
            yield Given("another value", ((key, f"not-{passphrase}"),), _header(key, "not-$HOOK_KEY"))
            yield Given("the value's beginning", ((key, passphrase[:-1]),), _header(key, "${HOOK_KEY%?}"))
            yield Given("the value and one character more", ((key, f"{passphrase}x"),), _header(key, "${HOOK_KEY}x"))
            if passphrase.swapcase() != passphrase:
                yield Given(
                    "the value in the other case", ((key, passphrase.swapcase()),), _header(key, _swapped("HOOK_KEY"))
                )


def _one_letter_swapped(text: str) -> str:
    """An ASCII letter where there is one: some comparisons know no others."""
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
                ("the right token under the scheme Bearer", bearer, f"Bearer {encoded}"),
                ("the right credentials behind another scheme", behind, f"Other Basic {encoded}"),
                ("the right token without a scheme", (("Authorization", token),), encoded),
                ("a scheme without a token", (("Authorization", "Basic"),), "Basic"),
                ("a token that is no base64", (("Authorization", "Basic ###"),), "Basic ###"),
                ("a token without a colon", _basic(f"{user}{password}".replace(":", "")), f"Basic {run_together}"),
                ("a token that is no UTF-8", (("Authorization", "Basic /////zr/"),), "Basic /////zr/"),
            ):
                yield Given(what, headers, _header("Authorization", value))
        case KeyAuthentication(key=key, passphrase=passphrase):
            scheme, space, token = passphrase.rpartition(" ")
            yield Given("the value under another name", ((f"{key}-2", passphrase),), _header(f"{key}-2", "$HOOK_KEY"))
            yield Given("nothing as value", ((key, ""),), f"-H '{key};'")
            if space:
                for what, value, shown in (
                    ("the right token under another scheme", f"Other {token}", "Other ${HOOK_KEY##* }"),
                    ("the right token without its scheme", token, "${HOOK_KEY##* }"),
                    ("a scheme without a token", scheme, "${HOOK_KEY% *}"),
                ):
                    yield Given(what, ((key, value),), _header(key, shown))


def _missing(bench: Bench) -> Iterator[Given]:
    yield Given("no credentials", (), "")


async def _send(
    bench: Bench, given: Given, events: list[Event] | None = None, *, own_connection: bool = True
) -> Outcome:
    body = body_of(bench.events(2) if events is None else events)
    return await bench.request(
        given.what,
        body,
        headers=[("Content-Type", "application/json"), *given.headers],
        authenticated=False,
        credentials=given.argument,
        own_connection=own_connection,
    )


def _commands(bench: Bench, given: Iterable[Given]) -> str:
    """What sends a list with each of these."""
    authentication = bench.settings.authentication
    return "\n".join(
        curl(bench.url, body_of(bench.events(1)), authentication, credentials=one.argument) for one in given
    )


def _let_in(outcome: Outcome) -> bool:
    return isinstance(outcome, Responded) and outcome.status < 300


async def _all_refused(bench: Bench, cases: Iterator[Given]) -> Examined:
    await bench.must_deliver(bench.events(1))
    let_in = {}
    count = 0
    for given in cases:
        count += 1
        outcome = await _send(bench, given)
        if _let_in(outcome):
            let_in[f"{outcome.describe()} to {given.what}"] = given
    if let_in:
        return violated("; ".join(let_in), curl=_commands(bench, let_in.values()))
    return holds(f"{count} such request{'s' * (count > 1)} not accepted")


async def _right(bench: Bench) -> Examined:
    usual = await bench.must_deliver(bench.events(2))
    for given in (*_wrong(bench), *_missing(bench), *_malformed(bench)):
        # On the same connection: a body that was refused unread must not be taken for the next request.
        await _send(bench, given, own_connection=False)
        delivery = await bench.deliver(bench.events(2), attempts=3)
        refused = [one for one in delivery.outcomes if isinstance(one, Responded) and not one.accepted]
        if not delivery.accepted or len(refused) >= len(usual.outcomes):
            return violated(f"{delivery.describe()} to the right credentials after {given.what}")
    return holds("200 to the right credentials, also after wrong ones")


async def _refuses_wrong(bench: Bench) -> Examined:
    return await _all_refused(bench, _wrong(bench))


async def _refuses_missing(bench: Bench) -> Examined:
    return await _all_refused(bench, _missing(bench))


async def _refuses_malformed(bench: Bench) -> Examined:
    return await _all_refused(bench, _malformed(bench))


async def _with_401(bench: Bench) -> Examined:
    await bench.must_deliver(bench.events(1))
    others, refused = {}, 0
    for given in (*_missing(bench), *_wrong(bench), *_malformed(bench)):
        outcome = await _send(bench, given)
        # What was let in is the matter of the rules before.
        if _let_in(outcome):
            continue
        refused += 1
        if isinstance(outcome, TimedOut | NoResponse) or outcome.status not in (401, 403):
            others[f"{outcome.describe()} to {given.what}"] = given
    if others:
        return violated("; ".join(others), curl=_commands(bench, others.values()))
    if not refused:
        raise NotExercised("no credentials were refused")
    return holds(f"401 or 403 in all {refused} cases")


async def _processes_nothing(bench: Bench) -> Examined:
    await bench.must_process(2)
    for given in (*_missing(bench), *_wrong(bench), *_malformed(bench)):
        events = bench.events(2)
        outcome = await _send(bench, given, events)
        if _let_in(outcome):
            # Then that is what is wrong, and other rules say so.
            continue
        bench.store.expect_events_of(events)
        difference = await bench.store.difference()
        if difference:
            return violated(
                f"{outcome.describe()} to {given.what}, and processed all the same: {difference.describe()}",
                curl=_commands(bench, [given]),
            )
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
            return violated(
                f"{what} is refused {least / 1_000:.0f} ms later than a wrong one",
                unrepeatable="It takes many requests, and the medians of how long they take: `mockcampaign check` with "
                "--rules compares-credentials-in-constant-time shows it again.",
            )
    return holds("no difference beyond noise")


async def _time(bench: Bench, headers: Headers) -> float:
    stopwatch = Stopwatch()
    await bench.request("timed", b"[]", headers=[("Content-Type", "application/json"), *headers], authenticated=False)
    return stopwatch.microseconds


AUTHENTICATION = (
    Rule(
        id="accepts-valid-credentials",
        family="authentication",
        level="must",
        title="Takes the right credentials, also after wrong ones",
        requirement=f"{_SENT}.",
        expected="200, however many others were refused before",
        needs=("credentials",),
        depends_on=("handles-keep-alive",),
        examine=_right,
        fix="Do not lock the account after refusals: all of Campaign's requests come from one address. Split Basic "
        "credentials at the first colon, and decode them as UTF-8 (RFC 7617).",
        example="user, _, password = b64decode(token).decode().partition(':')",
        not_covered="Other passwords than the one given: try one with a colon, a space and a letter such as é.",
    ),
    Rule(
        id="rejects-wrong-credentials",
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
        id="rejects-missing-credentials",
        family="authentication",
        level="must",
        title="Refuses requests without credentials",
        requirement=_REFUSED,
        expected="401 or 403",
        needs=("credentials",),
        depends_on=("rejects-wrong-credentials",),
        examine=_refuses_missing,
        fix="Refuse where there is no header, as where it is wrong.",
        example="if 'authorization' not in request.headers: return Response(status_code=401)",
    ),
    Rule(
        id="rejects-malformed-credentials",
        family="authentication",
        level="must",
        title="Refuses credentials in another form",
        requirement=_REFUSED,
        expected="401 or 403 to other schemes and to tokens that cannot be read",
        needs=("credentials",),
        depends_on=("rejects-wrong-credentials",),
        examine=_refuses_malformed,
        fix=_COMPARE,
        example="if header.partition(' ')[0].lower() != 'basic': return Response(status_code=401)",
    ),
    Rule(
        id="rejects-with-401-or-403",
        family="authentication",
        level="must",
        title="Says that credentials are wrong with 401 or 403",
        requirement="401 says that credentials are missing or wrong, 403 that they do not suffice (RFC 9110, 15.5). "
        "Anything else sends whoever looks into failed exports looking elsewhere.",
        expected="401 or 403 to whatever is refused for its credentials, however it is broken",
        needs=("credentials",),
        depends_on=("handles-new-connections",),
        examine=_with_401,
        fix="Answer 401 where decoding fails, too, and do not redirect to a page to log in.",
        example="except (binascii.Error, UnicodeDecodeError): return Response(status_code=401)",
    ),
    Rule(
        id="stores-nothing-unauthorised",
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
        id="compares-credentials-in-constant-time",
        family="authentication",
        level="should",
        title="Refuses nearly right credentials no later than wrong ones",
        requirement="A refusal that takes longer the nearer credentials are tells them piece by piece (CWE-208).",
        expected="no difference beyond noise",
        needs=("credentials",),
        examine=_in_equal_time,
        fix="Compare in constant time, and do what costs time whoever asks.",
        example=_COMPARE_EXAMPLE,
        not_covered="Differences below some milliseconds.",
    ),
)
