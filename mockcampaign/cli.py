"""The command line. Only this module prints, reads arguments, and chooses the exit status.

Exit status: 0 compliant; 1 not compliant; 2 wrong usage or a broken scenario; 3 could not tell; 130 interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from mockcampaign import __version__
from mockcampaign.durations import format_duration, parse_duration
from mockcampaign.errors import CouldNotTellError, InvalidInputError, MockcampaignError
from mockcampaign.policy import DEFAULT_CLIENT_ID

if TYPE_CHECKING:
    from mockcampaign.report.results import RunResult, ScenarioResult
    from mockcampaign.scenario.load import Plan
    from mockcampaign.scenario.play import Player
    from mockcampaign.transport import Transport

# The heavy parts are imported by the commands that use them, so that `--help` and usage errors answer at once.

USAGE_ERROR, COULD_NOT_TELL, INTERRUPTED = 2, 3, 130

PROGRESS_AFTER_SECONDS = 1.0
"""What is over sooner needs no progress display."""

Result = TypeVar("Result")


class DurationType(click.ParamType[int]):
    """A duration such as `30s`, in milliseconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)


def main() -> NoReturn:
    """The console script."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = _interrupted()
    except click.ClickException as error:
        error.show()
        status = USAGE_ERROR
    except KeyboardInterrupt:
        status = _interrupted()
    except CouldNotTellError as error:
        status = _complain(error, COULD_NOT_TELL)
    except MockcampaignError as error:
        status = _complain(error, USAGE_ERROR)
    except BrokenPipeError:
        # The reader went away (`| head`); a second error while Python flushes at exit would only repeat that.
        sys.stdout = open("/dev/null", "w") if sys.platform != "win32" else sys.stdout  # noqa: SIM115
        status = COULD_NOT_TELL
    sys.exit(status)


_FILE: Any = click.Path(path_type=Path, dir_okay=False, exists=True)
_NEW_FILE: Any = click.Path(path_type=Path, dir_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mockcampaign")
def cli() -> None:
    """A scriptable test double of the webhook exporter of Optimizely (Episerver) Campaign.

    It sends your webhook consumer what the real Campaign would send, fails when you want it to, and says whether the
    consumer complied. Start with: mockcampaign demo
    """


def _common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--no-color", is_flag=True, help="Plain text, also on a terminal."),
        click.option("-q", "--quiet", is_flag=True, help="Only verdicts, and what is wrong."),
        click.option("-v", "--verbose", is_flag=True, help="Whole timelines, and what is right."),
        click.option("--report-json", type=click.Path(path_type=Path, dir_okay=False), help="Write the report here."),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Makes the events repeatable."),
    ):
        command = option(command)
    return command


@cli.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="A failed 'should' rule fails the run.")
@click.option("--wait-for-consumer", type=DurationType(), default=0, help="Let the consumer start first, such as 30s.")
@click.option(
    "--ca", "ca_file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="Trust this CA too."
)
@click.option("--insecure", is_flag=True, help="Accept any certificate.")
@_common_options
def run(
    paths: tuple[Path, ...],
    strict: bool,
    wait_for_consumer: int,
    ca_file: Path | None,
    insecure: bool,
    seed: int | None,
    report_json: Path | None,
    verbose: bool,
    quiet: bool,
    no_color: bool,
) -> int:
    """Run scenario files, or all *.scenario.yaml in folders, against the consumer they name."""
    from mockcampaign.report.results import exit_status
    from mockcampaign.report.text import summary_lines
    from mockcampaign.scenario.load import find_scenarios, load

    plans = [load(path) for path in find_scenarios(paths)]
    color = _color(no_color)
    results: list[ScenarioResult] = []
    status: int | None = None

    async def play_all() -> None:
        from mockcampaign.transport.wire import wait_until_reachable

        for plan in plans:
            url = plan.scenario.consumer.url
            if wait_for_consumer and not await wait_until_reachable(url, wait_for_consumer):
                raise CouldNotTellError(f"consumer {url}: not reachable within {format_duration(wait_for_consumer)}")
            try:
                async with _wire(ca_file, not insecure) as transport:
                    await _play(plan, transport, seed, strict, results)
            finally:
                _print_scenario(results[-1], verbose, quiet, color)

    try:
        _run_async(play_all)
    except (KeyboardInterrupt, asyncio.CancelledError):
        status = _interrupted()
    except CouldNotTellError as error:
        status = _complain(error, COULD_NOT_TELL)
    if results:
        result = _summed_up(results, report_json)
        _print_lines(summary_lines(result), color)
        status = exit_status(result) if status is None else status
    return COULD_NOT_TELL if status is None else status


@cli.command()
@_common_options
def demo(seed: int | None, report_json: Path | None, verbose: bool, quiet: bool, no_color: bool) -> int:
    """Run the shipped scenarios against a correct and a broken sample consumer, side by side."""
    import os

    from mockcampaign.model import BasicAuthentication
    from mockcampaign.report.text import printable
    from mockcampaign.samples.consumer import BUGS, consumer_app
    from mockcampaign.scenario.load import find_scenarios, load
    from mockcampaign.serving import served
    from mockcampaign.shipped import scenarios_folder

    color = _color(no_color)
    bug = BUGS[DEMO_BUG]
    columns: dict[str, list[ScenarioResult]] = {"correct": [], "broken": []}
    click.echo(f"A correct consumer, and one with a bug: {bug.description}")
    for column, results in columns.items():
        for path in find_scenarios((scenarios_folder(),)):
            # Each scenario gets a consumer of its own: nothing that one leaves behind can blur the next one's verdict.
            credentials = BasicAuthentication("acme", "secret")
            app = consumer_app(DEMO_BUG if column == "broken" else None, basic_authentication=credentials)
            with served(app) as url:
                os.environ["CONSUMER_URL"] = url
                os.environ["HOOK_PASSWORD"] = credentials.password
                plan = load(path)

                async def play(plan: Plan = plan, results: list[ScenarioResult] = results) -> None:
                    async with _wire(None, True) as transport:
                        await _play(plan, transport, 1 if seed is None else seed, False, results)

                _run_async(play)
    correct, broken = columns.values()
    width = max(len(result.name) for result in correct)
    click.echo(f"\n{'scenario':<{width}}  {'correct':<14}  broken")
    for left, right in zip(correct, broken, strict=True):
        click.echo(
            f"{printable(left.name):<{width}}  {_verdict(left, color, 14)}  {_verdict(right, color, 0)}", color=color
        )
    violated = [result for result in broken if not result.compliant]
    for result in violated if verbose else violated[:1]:
        click.echo("\nWhat is wrong with the broken one:\n" if result is violated[0] else "")
        _print_scenario(result, verbose, quiet, color)
    if len(violated) > 1 and not verbose:
        click.echo(f"  … and {len(violated) - 1} more like it (-v shows them)")
    click.echo()
    click.echo("Next: start your own consumer, and try these scenarios on it (the README shows how):")
    click.echo(f"  CONSUMER_URL=http://127.0.0.1:8000/hook mockcampaign run {scenarios_folder()}")
    _summed_up([*correct, *broken], report_json)
    as_expected = all(result.compliant for result in correct) and not all(result.compliant for result in broken)
    return 0 if as_expected else COULD_NOT_TELL


DEMO_BUG = "keys-on-mail-id"


@cli.command()
@click.option("--bug", help="Be broken in this way; an unknown name lists them.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option("--basic-auth", metavar="USER:PASSWORD", help="Require these credentials.", envvar="CONSUMER_BASIC_AUTH")
def consumer(bug: str | None, host: str, port: int, basic_auth: str | None) -> int:
    """Run a sample consumer, correct or with one bug, until Ctrl-C."""
    import signal
    import threading

    from mockcampaign.model import BasicAuthentication
    from mockcampaign.samples.consumer import consumer_app
    from mockcampaign.serving import served

    credentials = None
    if basic_auth is not None:
        user_name, colon, password = basic_auth.partition(":")
        if not colon:
            raise InvalidInputError("--basic-auth: no colon in it, allowed: USER:PASSWORD")
        credentials = BasicAuthentication(user_name, password)
    app = consumer_app(bug, basic_authentication=credentials)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with served(app, host=host, port=port) as url:
        click.echo(f"webhook target {url}/hook")
        click.echo(f"probe          {url}/processed")
        click.echo("Ctrl-C stops it")
        while not stop.wait(1):
            pass
    return 0


@cli.command(context_settings={"auto_envvar_prefix": "MOCKCAMPAIGN_SERVE"})
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen here.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one.")
@click.option(
    "--client-id", default=DEFAULT_CLIENT_ID, show_default=True, type=click.IntRange(1, 2**63 - 1), help="The client."
)
@click.option("--user", default="mockcampaign", show_default=True, help="The client's user.")
@click.option("--password", default="mockcampaign", show_default=True, help="The user's password.")
@click.option("--clients", "clients_file", type=_FILE, help="More clients and their users, as YAML.")
@click.option("--scenario", "scenario_file", type=_FILE, help="Create its webhooks and play its steps at the start.")
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(0.001, 1e6), help="Times wall time.")
@click.option("--virtual", is_flag=True, help="Time moves only through the control API.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Makes the events repeatable.")
@click.option("--webhooks-per-client-max", type=click.IntRange(1, 1_000_000), help="Creation limit; 10 without it.")
@click.option("--ca", "ca_file", type=_FILE, help="Trust this CA too when delivering.")
@click.option("--insecure", is_flag=True, help="Accept any certificate when delivering.")
@click.option("--allow-host", "host_names", multiple=True, metavar="NAME", help="Answer to this host name too.")
@click.option("--tls", is_flag=True, help="Serve https, with a certificate made for all names.")
@click.option("--tls-ca-file", type=_NEW_FILE, help="Write the CA that clients must trust here.")
@click.option("--tls-certificate", type=_FILE, help="Serve https with this certificate chain.")
@click.option("--tls-key", type=_FILE, help="The certificate's key.")
def serve(virtual: bool, speed: float, **options: Any) -> int:
    """Serve a double of Campaign: REST API, Swagger UI, control API and a live page.

    Every option is also an environment variable, such as MOCKCAMPAIGN_SERVE_PORT.
    """
    from mockcampaign.server.run import Options
    from mockcampaign.server.run import serve as serve_until_told

    def say(line: str) -> None:
        click.echo(line)
        sys.stdout.flush()

    def complain(line: str) -> None:
        click.echo(f"mockcampaign: {line}", err=True)

    _run_async(lambda: serve_until_told(Options(speed=0 if virtual else speed, **options), say, complain))
    return 0


async def _play(
    plan: Plan, transport: Transport, seed: int | None, strict: bool, results: list[ScenarioResult]
) -> None:
    """Play one plan and add its result, also where it is cut short."""
    from mockcampaign.scenario.judge import judge, nothing_shown
    from mockcampaign.scenario.play import Player

    chosen = seed if seed is not None else plan.scenario.seed
    player = Player.with_campaign(plan, transport, seed=secrets.randbits(31) if chosen is None else chosen)
    trouble: str | None = "interrupted"
    try:
        async with _progress(player):
            await player.play()
        trouble = nothing_shown(plan, player.campaign.journal.entries, player.campaign.exporter.idle)
    except CouldNotTellError as error:
        trouble = str(error)
    finally:
        from mockcampaign.report.results import scenario_result

        entries = player.campaign.journal.entries
        rules, expectations = judge(plan, entries)
        results.append(
            scenario_result(
                name=plan.scenario.name,
                file=str(plan.path),
                target=plan.scenario.consumer.url,
                trouble=trouble,
                webhooks={name: webhook.id for name, webhook in player.webhooks.items()},
                rules=rules,
                expectations=expectations,
                journal=entries,
                strict=strict,
            )
        )


@contextlib.asynccontextmanager
async def _wire(ca_file: Path | None, verify: bool) -> Any:
    from mockcampaign.transport.wire import WireTransport

    transport = WireTransport(ca_file=ca_file, verify=verify)
    try:
        yield transport
    finally:
        await transport.aclose()


@contextlib.asynccontextmanager
async def _progress(player: Player) -> Any:
    """Shows on a terminal how far the run is, once it takes longer than a second."""
    if not sys.stderr.isatty():
        yield
        return
    task = asyncio.create_task(_show_progress(player))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _show_progress(player: Player) -> None:
    await asyncio.sleep(PROGRESS_AFTER_SECONDS)
    from rich.console import Console

    began, start = time.monotonic(), player.campaign.exporter.journal.entries[0].at
    with Console(stderr=True).status("") as status:
        while True:
            virtual = format_duration((player.campaign.now - start) // 1000 * 1000)
            seconds = time.monotonic() - began + PROGRESS_AFTER_SECONDS
            status.update(f"{player.plan.scenario.name}: {virtual} of virtual time after {seconds:.0f} s")
            await asyncio.sleep(0.2)


def _run_async(main: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run on uvloop where it exists."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop

        loop_factory = new_event_loop
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main())


def _summed_up(results: list[ScenarioResult], report_json: Path | None) -> RunResult:
    from mockcampaign.report.results import run_result, to_json

    result = run_result(results)
    if report_json is not None:
        try:
            report_json.write_bytes(to_json(result))
        except OSError as error:
            raise InvalidInputError(f"--report-json {report_json}: cannot be written: {error.strerror}") from None
    return result


def _print_scenario(result: ScenarioResult, verbose: bool, quiet: bool, color: bool | None) -> None:
    from mockcampaign.report.text import scenario_lines

    _print_lines(scenario_lines(result, verbosity=verbose - quiet), color)


def _print_lines(lines: Iterable[list[tuple[str, dict[str, Any]]]], color: bool | None) -> None:
    for line in lines:
        click.echo("".join(click.style(text, **style) for text, style in line).rstrip(), color=color)


def _verdict(result: ScenarioResult, color: bool | None, width: int) -> str:
    shown = {"compliant": "green", "violated": "red", "could-not-tell": "yellow"}[result.verdict]
    return click.style(f"{result.verdict:<{width}}", fg=shown)


def _color(no_color: bool) -> bool | None:
    """False: never; None: click decides, by whether it writes to a terminal."""
    import os

    return False if no_color or os.environ.get("NO_COLOR") else None


def _complain(error: MockcampaignError, status: int) -> int:
    click.echo(f"mockcampaign: {error}", err=True)
    return status


def _interrupted() -> int:
    click.echo("mockcampaign: interrupted", err=True)
    return INTERRUPTED
