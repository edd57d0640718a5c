"""Carries out a check in the background: the same check as that of the command line and of pytest."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Collection

from mockcampaign import wallclock
from mockcampaign.check.probes.end_state import UrlState
from mockcampaign.check.probes.probe_making import close_probe, make_probe
from mockcampaign.check.probes.store_probe import Counter, StoreProbe, counter_at
from mockcampaign.check.settings import Settings
from mockcampaign.errors import InvalidInputError, MockcampaignError
from mockcampaign.extras import naming_extras
from mockcampaign.judging.earlier.baseline import Known
from mockcampaign.masking import Masking, shown_url, url_secrets
from mockcampaign.model import NoAuthentication
from mockcampaign.policy import MINUTE, SECOND
from mockcampaign.server.background.background_work import Post
from mockcampaign.server.background.verdict_jobs import VerdictJob
from mockcampaign.server.consumer_probe import NO_PROBE, ConsumerProbe, probe_of
from mockcampaign.server.served_campaign import ServedCampaign
from mockcampaign.server.verdicts.check_request import CheckRequest, milliseconds
from mockcampaign.server.verdicts.prepared import PreparedJob, check_target
from mockcampaign.shape.placeholders import in_braces, require_roles
from mockcampaign.shape.shape import Shape
from mockcampaign.text import unknown
from mockcampaign.transport.targets import AllowedTargets
from mockcampaign.transport.wire import WireTransport

_LIST = "mockcampaign rules"
"""The command that lists rules and families, which are too many for a message."""

_NO_CLOCK = "the server has no clock file, allowed: one given with --clock, or by the scenario of --scenario"


def prepare_check(served: ServedCampaign, request: CheckRequest) -> PreparedJob:
    """Return the check that a caller asks for. Imports and shapes take a moment, so this runs in a thread.

    Raises `InvalidInputError`, which begins with the name of the field, `MissingExtraError` without the packages of the
    check, and `ClockNotLedError` if the clock file cannot be written.
    """
    request.check()
    with naming_extras():
        from mockcampaign.check.check import CheckRun, Progress
        from mockcampaign.check.examiner import Examination, select
        from mockcampaign.check.rules import CATALOGUE, FAMILIES
        from mockcampaign.check.shrink import nothing_written
    rules = [rule.id for rule in CATALOGUE]
    for field, names in (("rules", request.rules), ("skip", request.skip)):
        _check_known(field, "rule or family", names, [*rules, *FAMILIES], listed_by=_LIST)
    _check_known("allow", "rule", request.allow, rules, listed_by=_LIST)
    consumer = served.consumer if request.server_probe else None
    if request.server_probe and consumer is None:
        raise InvalidInputError(f"serverProbe: {NO_PROBE}")
    clock = served.clock if request.server_clock else None
    if request.server_clock:
        if clock is None:
            raise InvalidInputError(f"serverClock: {_NO_CLOCK}")
        clock.check()
    settings = _settings(request, served.campaign.targets, consumer)
    try:
        total = len(select(settings))
    except InvalidInputError:
        raise InvalidInputError("rules and skip: leave no rule to examine, allowed: at least one") from None
    transport = served.another_transport()
    # The address of the server's own probe is the operator's, so that it may be anywhere.
    asking = transport if consumer is None else consumer.transport.another()
    masking = Masking(
        [*settings.authentication.secrets(), *(secret for _, url in request.urls() for secret in url_secrets(url))]
    )

    async def carry_out(job: VerdictJob, post: Post) -> None:
        def show(progress: Progress) -> None:
            post(lambda: job.advance(progress.examined, progress.following))

        def note(name: str, examination: Examination) -> None:
            post(lambda: job.note(examination.finding))

        trouble: str | None = None
        probe: StoreProbe | None = None
        run: CheckRun | None = None
        try:
            probe = _probe(request, asking, consumer, settings)
            run = CheckRun(
                request.target.value,
                transport=transport,
                settings=settings,
                probe=probe,
                state=_state(request, transport, settings),
                counters=_counters(request, transport, settings.timeout),
                clock=clock,
                on_progress=show,
                on_examined=note,
            )
            # The folder of Hypothesis belongs to the tests of a process that is not the server's own.
            with nothing_written() if served.owns_process else contextlib.nullcontext():
                await run.finish()
        except MockcampaignError as error:
            trouble = masking.text(str(error))
        except Exception as error:
            trouble = masking.text(f"mockcampaign itself failed: {error!r}")
        finally:
            close_probe(probe)
            await transport.aclose()
            await asking.aclose()
        result = run.result() if run is not None and run.has_findings else None
        post(lambda: job.end(result, trouble))

    return PreparedJob(shown_url(request.target.value), settings.seed, total, carry_out)


def _check_known(field: str, what: str, names: Collection[str], known: Collection[str], *, listed_by: str = "") -> None:
    """Raise `InvalidInputError`, which begins with the name of the field, for a name that is not known."""
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None:
        raise InvalidInputError(f"{field}: {unknown(what, wrong, known, listed_by=listed_by)}")


def _settings(request: CheckRequest, targets: AllowedTargets | None, consumer: ConsumerProbe | None) -> Settings:
    """Return the settings of the check. Raises `InvalidInputError` where they make no sense."""
    for field, url in request.urls():
        check_target(targets, field, url)
    authentication = request.authentication
    probe_fields = () if request.probe is None else tuple(request.probe.fields)
    settings = Settings(
        seed=secrets.randbits(31) if request.seed is None else request.seed,
        now=wallclock.now() // SECOND * SECOND,
        shape=_shape(request),
        authentication=NoAuthentication() if authentication is None else authentication.value,
        client_id=request.client_id,
        rules=tuple(request.rules),
        skip=tuple(request.skip),
        known=tuple(map(Known, sorted(set(request.allow)))),
        strict=request.strict,
        examples=request.examples,
        events=request.events,
        rate=request.rate,
        timeout=milliseconds("timeout", request.timeout, 10 * SECOND),
        settle=milliseconds("settle", request.settle, 0),
        budget=milliseconds("budget", request.budget, 2 * MINUTE),
        probe_fields=probe_fields if consumer is None else consumer.fields,
        targets=targets,
    )
    _check_known(
        "probe.fields" if consumer is None else "serverProbe", "field", settings.probe_fields, settings.top_names
    )
    if consumer is not None:
        require_roles(consumer.probe.selection.placeholders, settings.shape, "serverProbe")
    for field, url in request.urls():
        if field != "target":
            require_roles(in_braces(url, field), settings.shape, field)
    return settings


def _shape(request: CheckRequest) -> Shape:
    from mockcampaign.scenario.check_shapes import shape_of_texts

    try:
        return shape_of_texts(request.like, request.shape, request.type, request.keep)
    except InvalidInputError as error:
        text = str(error)
        named = text.startswith(("shape:", "keep:"))
        raise InvalidInputError(text if named else f"like: {text}") from None


def _probe(
    request: CheckRequest, transport: WireTransport, consumer: ConsumerProbe | None, settings: Settings
) -> StoreProbe | None:
    if consumer is not None:
        return probe_of(consumer.options, transport, settings.shapes, timeout=settings.timeout)
    at = request.probe
    if at is None:
        return None
    return make_probe(transport, url=at.url.value, events=at.events, count=at.count, timeout=settings.timeout)


def _state(request: CheckRequest, transport: WireTransport, settings: Settings) -> UrlState | None:
    at = request.state
    if at is None:
        return None
    return UrlState(at.url.value, transport, states=at.states or "@", timeout=settings.timeout, shape=settings.shape)


def _counters(request: CheckRequest, transport: WireTransport, timeout: int) -> tuple[Counter, ...]:
    urls = (at.url.value if at.count is None else f"{at.url.value}#{at.count}" for at in request.counters)
    return tuple(counter_at(url, transport, timeout=timeout) for url in urls)
