"""Plays scenarios over sockets, and writes their results."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mockcampaign.cli.ci import announce
from mockcampaign.cli.terminal import print_lines, warn
from mockcampaign.durations import format_duration
from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.masking import shown_url
from mockcampaign.transport.address import NO_ROUTES, Routes
from mockcampaign.wallclock import seconds
from mockcampaign.whole_files import why_not, write_whole

if TYPE_CHECKING:
    from types import FrameType

    from mockcampaign.cli.options import Outputs
    from mockcampaign.cli.progress import RunProgress
    from mockcampaign.clocks.clock_file import ClockFile
    from mockcampaign.engine.journal_file import Heading, JournalWriter
    from mockcampaign.judging.earlier.baseline import Known
    from mockcampaign.judging.verdict import RunResult, ScenarioResult
    from mockcampaign.scenario.plan import Plan
    from mockcampaign.transport import Transport
    from mockcampaign.transport.wire import WireTransport

# Heavy modules are imported where they are used, so that usage errors appear at once.

Result = TypeVar("Result")


async def play(
    plan: Plan,
    transport: Transport,
    *,
    seed: int,
    strict: bool,
    done: Callable[[ScenarioResult], None],
    watch: RunProgress | None = None,
    journal: JournalWriter | None = None,
    journal_path: Path | None = None,
    known: Sequence[Known] = (),
    clock_file: Path | None = None,
) -> None:
    """Play one plan and call `done` with its result, even if the run is interrupted."""
    from mockcampaign.scenario.play import Player
    from mockcampaign.scenario.run import run_plan

    @contextlib.contextmanager
    def around(player: Player) -> Iterator[None]:
        follower = (
            None if journal is None else journal.follow(player.campaign.journal, heading(plan, strict, journal_path))
        )
        try:
            with contextlib.nullcontext() if watch is None else watch.playing(player):
                yield
        finally:
            if follower is not None:
                follower.close()

    await run_plan(
        plan, transport, seed=seed, strict=strict, known=known, clock_file=clock_file, done=done, around=around
    )


def heading(plan: Plan, strict: bool, journal_path: Path | None) -> Heading:
    """Return the heading of a plan's journal in a file. It names the scenario relative to the journal's folder."""
    from mockcampaign.engine.journal_file import Heading

    scenario, path = plan.scenario, plan.path.resolve()
    if journal_path is not None:
        with contextlib.suppress(ValueError):  # on another drive
            path = Path(os.path.relpath(path, journal_path.resolve().parent))
    return Heading(name=plan.name, file=path.as_posix(), target=shown_url(scenario.consumer.url), strict=strict)


def seeds(seed: int | None) -> Callable[[Plan], int]:
    """Return a function for the seed of a plan: the given one, the plan's own, or one drawn for the whole run."""
    drawn = secrets.randbits(31)

    def choose(plan: Plan) -> int:
        own = plan.scenario.seed if seed is None else seed
        return drawn if own is None else own

    return choose


@contextlib.contextmanager
def journal_file(path: Path | None) -> Iterator[JournalWriter | None]:
    """Yield a writer for the file, or None without one. Raises `InvalidInputError` if it cannot be opened.

    If it cannot be written later, the writer says so once, and the run goes on.
    """
    from mockcampaign.engine.journal_file import JournalWriter

    if path is None:
        yield None
        return
    try:
        file = path.open("wb", buffering=0)
    except OSError as error:
        raise InvalidInputError(_not_written("--journal", path, error)) from None
    with file:
        yield JournalWriter(file, seconds, lambda error: warn(_not_written("--journal", path, error)))


def _not_written(option: str, path: Path, error: OSError) -> str:
    return f"{option} {path}: cannot be written: {why_not(error)}"


@contextlib.asynccontextmanager
async def wire(ca_file: Path | None, verify: bool, routes: Routes = NO_ROUTES) -> AsyncIterator[WireTransport]:
    """Yield a transport over sockets."""
    from mockcampaign.transport.wire import WireTransport

    transport = WireTransport(ca_file=ca_file, verify=verify, routes=routes)
    try:
        yield transport
    finally:
        await transport.aclose()


async def wait_for_consumer(url: str, patience: int, routes: Routes = NO_ROUTES) -> None:
    """Wait until the consumer accepts connections.

    Raises `CouldNotTellError` if it does not within `patience` milliseconds; 0 does not wait.
    """
    from mockcampaign.transport.wire import wait_until_reachable

    if patience and not await wait_until_reachable(url, patience, routes):
        raise CouldNotTellError(f"consumer {shown_url(url)}: not reachable within {format_duration(patience)}")


def clock_of(path: Path | None) -> ClockFile | None:
    """Return what leads the clocks of consumers that read the file, or None without one.

    Raises `InvalidInputError` as `ClockFile.existing` does.
    """
    from mockcampaign.clocks.clock_file import ClockFile

    return None if path is None else ClockFile.existing(path, "--clock")


def run_async(main: Callable[[], Coroutine[Any, Any, Result]], *, must_finish: Callable[[], bool] = bool) -> Result:
    """Run on uvloop if it is installed. SIGTERM interrupts like Ctrl-C, so that reports are written.

    The second Ctrl-C ends everything at once, except while `must_finish` says that something has to be finished.
    """
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop

        loop_factory = new_event_loop
    with _terminated_as_interrupted(), asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_patiently(main, must_finish))


async def _patiently(main: Callable[[], Coroutine[Any, Any, Result]], must_finish: Callable[[], bool]) -> Result:
    interrupt = signal.getsignal(signal.SIGINT)
    if not callable(interrupt) or threading.current_thread() is not threading.main_thread():
        return await main()
    is_interrupted = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal is_interrupted
        if not (is_interrupted and must_finish()):
            is_interrupted = True
            interrupt(number, frame)

    signal.signal(signal.SIGINT, handle)
    try:
        return await main()
    finally:
        signal.signal(signal.SIGINT, interrupt)


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))}
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a background job of a shell: it must still end
        before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summed_up(results: list[ScenarioResult], outputs: Outputs, known: Sequence[Known] = ()) -> RunResult:
    """Write the reports on all scenarios, and return their result. `known` is what a baseline accepts."""
    from mockcampaign.judging.earlier.baseline import with_gone
    from mockcampaign.judging.verdict import run_result

    return reported(with_gone(run_result(results), known), outputs)


def reported(result: RunResult, outputs: Outputs) -> RunResult:
    """Write and announce the result, and return it."""
    write(result, outputs)
    announce(result)
    return result


def write(result: RunResult, outputs: Outputs) -> None:
    """Write the files of `outputs`, and nothing else. Say which one cannot be written; the verdict stays valid."""
    from mockcampaign import wallclock
    from mockcampaign.report.formats import FORMATS, Writing

    for report in FORMATS:
        option = f"--{report.option}"
        if option not in outputs.files:
            continue
        written(option, outputs.files[option], report.encode(result, Writing(wallclock.now(), outputs.full_journal)))


def written(option: str, path: Path, content: bytes) -> None:
    """Write the file of an option. Say if it cannot be written."""
    try:
        write_whole(path, content)
    except OSError as error:
        warn(_not_written(option, path, error))


def print_scenario(result: ScenarioResult, verbose: bool, quiet: bool, color: bool | None) -> None:
    """Print the text report on one scenario."""
    from mockcampaign.report.scenario_text import PASSED_LINES_MAX, TIMELINE_LINES_MAX, scenario_lines

    # What went as expected is of less interest than what did not.
    lines_max = PASSED_LINES_MAX if result.compliant else TIMELINE_LINES_MAX
    print_lines(scenario_lines(result, verbosity=verbose - quiet, lines_max=lines_max), color)


def make_folder(folder: Path) -> None:
    """Create the folder. Raise `InvalidInputError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInputError(f"--scenarios {folder}: cannot be created: {error.strerror}") from None


def write_scenarios(result: RunResult, folder: Path) -> None:
    """Write the scenario files. Say which one cannot be written; the verdict stays valid."""
    from mockcampaign.report.check_text import scenario_file

    for finding in result.rules:
        if finding.reproduce is not None and finding.reproduce.scenario is not None:
            path = scenario_file(folder, finding)
            try:
                write_whole(path, finding.reproduce.scenario.encode())
            except OSError as error:
                warn(f"--scenarios {path}: cannot be written: {why_not(error)}")
