"""Run the server of `mockcampaign serve` from its options until a signal."""

from __future__ import annotations

import contextlib
import gc
import ipaddress
import secrets
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mockcampaign import __version__
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.engine.declared_faults import read_fault
from mockcampaign.errors import InvalidInputError, MockcampaignError
from mockcampaign.faults import CallFault
from mockcampaign.model import EventType
from mockcampaign.policy import DEFAULT_PASSWORD, DEFAULT_USER
from mockcampaign.server.access_log import AccessLog
from mockcampaign.server.app import server_app
from mockcampaign.server.consumer_probe import ProbeOptions, consumer_probe
from mockcampaign.server.http.access import ControlAccess
from mockcampaign.server.served_campaign import Prologue, ServedCampaign, ServerSettings
from mockcampaign.server.state_file import StateFile
from mockcampaign.server.users import User, Users, user_name_problem, users_of
from mockcampaign.server.vendor_api.api import API
from mockcampaign.server.vendor_api.clients_file import LoadedClients, load_clients
from mockcampaign.serving import base_url, listen, serve_until_signalled
from mockcampaign.serving.tls import TlsOptions, tls_files
from mockcampaign.shape.shape import by_type
from mockcampaign.text import counted, unknown
from mockcampaign.transport.targets import AllowedTargets
from mockcampaign.transport.wire import WireTransport

if TYPE_CHECKING:
    from mockcampaign.campaign import Campaign
    from mockcampaign.engine.declared_faults import When
    from mockcampaign.engine.journal_file import JournalWriter
    from mockcampaign.model import Fault
    from mockcampaign.scenario.plan import Plan
    from mockcampaign.scenario.play import Player
    from mockcampaign.shape.shape import Shape

Say = Callable[[str], None]

KEPT = "webhooks, events, recipients, mails, outages, faults, passwords, clock and journal"
"""Everything that a state file keeps."""

_OPERATIONS = tuple(operation.id for operation in API.operations)
"""Names of the operations of the REST API."""


class ServeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Options of the command."""

    host: str
    port: int
    client_id: int
    user: str
    password: str
    clients_file: Path | None
    scenario_file: Path | None
    speed: float
    seed: int | None
    webhooks_per_client_max: int | None
    ca_file: Path | None
    insecure: bool
    host_names: tuple[str, ...]
    control_token: str | None
    allow_target: tuple[str, ...]
    tls: TlsOptions
    faults: tuple[str, ...] = ()
    """Faults in force from the start, each as `KIND,KEY=VALUE,…`."""
    quiet: bool = False
    """Whether calls of the REST API are not printed."""
    like: tuple[tuple[EventType, Path], ...] = ()
    """Files of captured events, each with the type of these."""
    shape_files: tuple[Path, ...] = ()
    state: Path | None = None
    """File of webhooks, events and journal, which outlive the process."""
    clock_file: Path | None = None
    """File that leads the consumer's clock."""
    probe: ProbeOptions = ProbeOptions()
    """Where the consumer reports what it has stored."""

    def __repr__(self) -> str:
        return "ServeOptions(…)"


async def serve(options: ServeOptions, say: Say, complain: Say, log: Say, writer: JournalWriter | None = None) -> None:
    """Serve until a signal. `say` prints where everything is, `complain` what goes wrong meanwhile, `log` calls.

    `writer` writes the journal.

    Raises `InvalidInputError` before anything is served.
    """
    plan = _plan(options)
    loaded = LoadedClients({}, {}) if options.clients_file is None else load_clients(options.clients_file)
    users_of_client = _users_of_client(options, plan, loaded.users)
    settings = ServerSettings(speed=options.speed, seed=_seed(options, plan), faults=_faults(options))
    if plan is not None:
        settings = msgspec.structs.replace(settings, policy=plan.scenario.policy.policy(), start=plan.scenario.start)
    clients = loaded.definitions | ({} if plan is None else plan.clients)
    settings = msgspec.structs.replace(settings, shapes=_shapes(options, plan), clients=clients)
    if options.webhooks_per_client_max is not None:
        policy = msgspec.structs.replace(settings.policy, webhooks_per_client_max=options.webhooks_per_client_max)
        settings = msgspec.structs.replace(settings, policy=policy)
    with contextlib.ExitStack() as stack:
        keys = stack.enter_context(contextlib.ExitStack())
        files, trust = tls_files(options.tls, (options.host, *options.host_names), "--allow-host", stack, keys)
        listening = stack.enter_context(contextlib.closing(listen(options.host, options.port)))
        prologue = None if plan is None else _prologue(plan, say, complain)
        local = ipaddress.ip_address(listening.getsockname()[0]).is_loopback
        targets = _targets(options, plan, local=local)
        # Who reaches a server on loopback owns the machine; others must show that they may control it.
        token = options.control_token or (None if local else secrets.token_urlsafe(16))
        transport = WireTransport(ca_file=options.ca_file, verify=not options.insecure, targets=targets)
        # The probe's address is the operator's own, so that it may be anywhere.
        asking = WireTransport(ca_file=options.ca_file, verify=not options.insecure)
        consumer = consumer_probe(options.probe, asking, settings.event_shapes, timeout=settings.policy.timeout)
        state_file = None
        if options.state is not None:
            if plan is not None:
                raise InvalidInputError("--state: a scenario begins anew each time, allowed: --state or --scenario")
            state_file = stack.enter_context(contextlib.closing(StateFile(options.state)))
        if options.clock_file is not None:
            clock: ClockFile | None = ClockFile.existing(options.clock_file, "--clock")
        else:
            clock = None if plan is None else plan.clock()
        if clock is not None:
            stack.callback(clock.release)
        served = ServedCampaign(
            transport,
            Users(users_of_client),
            settings,
            prologue,
            state_file=state_file,
            clock=clock,
            writer=writer,
            stop=lambda: signal.raise_signal(signal.SIGTERM),
        )
        served.consumer, served.owns_process = consumer, True
        app = server_app(served, host_names=(options.host, *options.host_names), access=_access(token))
        if not options.quiet:
            access_log = AccessLog(log)
            served.on_call = access_log.note
            stack.enter_context(access_log.running())
        url = base_url("https" if files else "http", options.host, listening)

        def ready() -> None:
            keys.close()  # they are loaded
            # Imported modules stay, and most objects of a request are freed without the collector: rare and small
            # collections make the server a fifth faster.
            gc.freeze()
            gc.set_threshold(20_000, 20, 20)
            say(
                "\n".join(
                    [*_welcome(url, served, _credentials(options, served)), *_conditions(options, token, trust, local)]
                )
            )

        await serve_until_signalled(app, listening, tls_files=files, ready=ready, ending=served.closing.set)
        if served.lost is not None:
            raise served.lost
        if served.clock_lost is not None:
            raise served.clock_lost
    # After the calls, which the access log writes up to its end.
    say(_farewell(served))


def _plan(options: ServeOptions) -> Plan | None:
    if options.scenario_file is None:
        return None
    from mockcampaign.scenario.load import load

    return load(options.scenario_file, must_emit=False, operations=_OPERATIONS)


def _shapes(options: ServeOptions, plan: Plan | None) -> dict[EventType, Shape]:
    """Return the captured shapes of the options and of the scenario."""
    from mockcampaign.scenario.shape_file import shapes_with_corrections

    shapes = [] if plan is None else [*plan.shapes.values()]
    shapes += shapes_with_corrections(options.like, options.shape_files)
    try:
        return by_type(shapes)
    except InvalidInputError as error:
        raise InvalidInputError(f"--like, --shape: {error}") from None


def _faults(options: ServeOptions) -> tuple[tuple[Fault, When], ...]:
    found = []
    for text in options.faults:
        kind, *settings = text.split(",")
        values: dict[str, object] = {"kind": kind}
        for setting in settings:
            name, _, value = setting.partition("=")
            values[name] = _plain_value(value)
        try:
            fault, when = read_fault(values)
            operation = fault.operation if isinstance(fault, CallFault) else None
            if operation is not None and operation not in _OPERATIONS:
                raise InvalidInputError(f"fault {fault.kind}: {unknown('operation', operation, _OPERATIONS)}")
        except InvalidInputError as error:
            raise InvalidInputError(f"--fault: {error}") from None
        found.append((fault, when))
    return tuple(found)


def _plain_value(text: str) -> object:
    """Return the number that the text spells; any other text unchanged."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
    return value if isinstance(value, int | float) else text


def _access(token: str | None) -> ControlAccess:
    try:
        return ControlAccess(token)
    except InvalidInputError as error:
        raise InvalidInputError(f"--control-token: {error}") from None


def _targets(options: ServeOptions, plan: Plan | None, *, local: bool) -> AllowedTargets:
    """Return the allowed targets. Who can call a server on loopback could reach local targets without it."""
    try:
        targets = AllowedTargets(options.allow_target, local=local)
    except InvalidInputError as error:
        raise InvalidInputError(f"--allow-target: {error}") from None
    for url in [] if plan is None else plan.scenario.urls():
        try:
            targets.check(url)
        except InvalidInputError as error:
            raise InvalidInputError(f"{options.scenario_file}: {error}") from None
    return targets


def _seed(options: ServeOptions, plan: Plan | None) -> int | None:
    """Return the seed of the options, or else of the scenario; None: the server draws one."""
    if options.seed is not None or plan is None:
        return options.seed
    return plan.scenario.seed


def _users_of_client(
    options: ServeOptions, plan: Plan | None, in_file: dict[int, tuple[User, ...]]
) -> dict[int, tuple[User, ...]]:
    wrong = user_name_problem(options.user)
    if wrong is not None:
        raise InvalidInputError(f"--user: {wrong}")
    first = {options.client_id: users_of(options.client_id, [(options.user, options.password)])}
    users_of_client = first | in_file
    named = [] if plan is None else [webhook.client for webhook in plan.scenario.webhooks.values()]
    named += [] if plan is None else plan.clients
    for client_id in named:
        users_of_client.setdefault(client_id, users_of(client_id, [(options.user, options.password)]))
    return users_of_client


def _prologue(plan: Plan, say: Say, complain: Say) -> Prologue:
    from mockcampaign.scenario.play import Player

    async def play(campaign: Campaign) -> None:
        player = Player(msgspec.structs.replace(plan, first_webhook_id=campaign.next_webhook_id), campaign)
        try:
            await player.play()
        except MockcampaignError as error:
            complain(f"{plan.path}: stopped: {error}")
        else:
            _report_verdict(player, say, complain)

    return play


def _report_verdict(player: Player, say: Say, complain: Say) -> None:
    """Say whether the expectations of the scenario hold."""
    from mockcampaign.scenario.judge import judge

    plan, journal = player.plan, player.campaign.journal
    if journal.dropped or {name: webhook.id for name, webhook in player.webhooks.items()} != plan.webhook_ids:
        # Without the dropped entries, or with webhooks that others created, a verdict would be wrong.
        return
    _, findings = judge(plan, journal.entries)
    failed = [finding for finding in findings if finding.outcome == "fail"]
    for finding in failed:
        complain(f"{finding.place}: {finding.id}: expected {finding.expected}, actual {finding.actual}")
    if findings and not failed:
        say(f"{plan.path}: played to its end, {counted(len(findings), 'expectation')} met")


def _credentials(options: ServeOptions, served: ServedCampaign) -> str:
    """Return the first client's user and the password, which is shown only if it is the default."""
    if served.users.is_rotated(options.client_id, options.user, served.campaign.now):
        return f"{options.user}, with the rotated password"
    if (options.user, options.password) == (DEFAULT_USER, DEFAULT_PASSWORD):
        return f"{DEFAULT_USER}, password {DEFAULT_PASSWORD}"
    return f"{options.user}, with the password given"


def _welcome(url: str, served: ServedCampaign, credentials: str) -> list[str]:
    speed = served.settings.speed
    seconds = "second" if speed == 1 else "seconds"
    pace = "only the control API moves time" if speed == 0 else f"{speed:g} virtual {seconds} per second"
    lines = [
        f"mockcampaign {__version__}, {pace}; Ctrl-C stops it",
        f"  REST API    {url}/rest/{served.users.client_ids[0]}",
        f"  user        {credentials}",
        f"  Swagger UI  {url}/docs",
        f"  live page   {url}/",
        f"  control     {url}/__mockcampaign/state",
        f"  seed        {served.campaign.seed}; --seed {served.campaign.seed} repeats the events",
    ]
    if served.settings.shapes:
        lines.append(f"  as captured {', '.join(served.settings.shapes)}")
    return lines


def _conditions(options: ServeOptions, token: str | None, trust: Path | None, local: bool) -> list[str]:
    """Return what clients need besides, and where deliveries may go if that is not everywhere nearby."""
    lines = []
    if token is not None:
        shown = "as given" if options.control_token else token
        lines.append(f"  token       {shown}; live page and control API need it, as password or bearer token")
    if not local or options.allow_target:
        nearby = ["loopback and private addresses"] if local else []
        lines.append(f"  targets     {', '.join([*nearby, *options.allow_target]) or 'none without --allow-target'}")
    if trust is not None:
        lines.append(f"  CA file     {trust}")
    if options.state is None:
        lines.append("  state       in memory only, and lost at the end; --state FILE keeps it")
    else:
        lines.append(f"  state       {options.state} keeps {KEPT}")
    return lines


def _farewell(served: ServedCampaign) -> str:
    totals, pending = served.hub.totals.whole, served.pending
    return (
        f"stopped after {counted(totals.attempts, 'attempt')}: {counted(totals.delivered, 'event')} delivered, "
        f"{totals.discarded:,} discarded, {pending:,} pending"
    )
