"""Running a campaign's work where the test runs: without an event loop, in the test's loop, or beside another one.

A test without a running loop gets its result at once, from a loop that is kept until the test is over. A test that runs
in a loop awaits the result, and the work runs in that loop, so that an application meets its own tasks, queues and
connections.
"""

from __future__ import annotations

import asyncio
import functools
import socket
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, Literal, TypeVar, assert_never

from mockcampaign.errors import MisuseError, sockets_blocked
from mockcampaign.transport.idle_watch import OURS
from mockcampaign.wallclock import keep_real_time

__tracebackhide__ = True  # a failing test shows its own line, not the lines in here

Result = TypeVar("Result")
Work = Callable[[], Coroutine[Any, Any, Result]]
"""Makes the coroutine to run. It is called at most once."""

Place = Literal["no loop", "task", "greenlet"]


def place() -> Place:
    """Return where the caller runs. Raises `MisuseError` within trio, whose tasks cannot await anything of asyncio.

    pytest-playwright runs synchronous tests in a greenlet: a loop is running, but the test cannot await it.
    """
    trio = sys.modules.get("trio")
    if trio is not None and _in_trio(trio):
        raise MisuseError(
            "the campaign runs on asyncio and this test on trio: let an `anyio_backend` fixture return 'asyncio'"
        )
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return "no loop"
    return "greenlet" if task is None else "task"


def _in_trio(trio: Any) -> bool:
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


class AwaitableResult(Awaitable[Result], Generic[Result]):
    """The result of work that is finished already, or that runs when this is awaited."""

    def __init__(self, name: str, work: Work[Result] | None, result: Result | None = None) -> None:
        self.name = name
        self._work = work
        self._result = result

    @property
    def must_be_awaited(self) -> bool:
        """Whether the work has not begun, because nobody has awaited it."""
        return self._work is not None

    def __await__(self) -> Generator[Any, None, Result]:
        work, self._work = self._work, None
        if work is None:
            return self._result  # type: ignore[return-value]
        return (yield from work().__await__())

    def __repr__(self) -> str:
        return f"<{self.name}: {'to be awaited' if self.must_be_awaited else 'done'}>"


class OffLoopCalls:
    """Calls that must not be made while a loop runs, such as calls of a WSGI application that starts loops itself."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._arrived: asyncio.Future[None] | None = None
        self.is_served = False
        """Whether somebody stops the loop for calls."""

    async def make(self, call: Callable[[], Result]) -> Result:
        """Return what the call returns, or raise what it raises. It is made while the loop is stopped."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        return await future

    def run(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run the coroutine in the loop, which stops for each call."""
        task = loop.create_task(coroutine, name=f"{OURS}-run")
        self.is_served = True
        try:
            while not task.done():
                self._arrived = loop.create_future()
                either = asyncio.wait((task, self._arrived), return_when=asyncio.FIRST_COMPLETED)
                loop.run_until_complete(loop.create_task(either, name=f"{OURS}-off-loop-calls"))
                while self._waiting:
                    self._make_waiting(*self._waiting.popleft())
        except BaseException:
            if task.done() and not task.cancelled():
                task.exception()  # it is what is raised here, and asyncio need not complain about it
            task.cancel()  # takes effect when the loop is closed
            raise
        finally:
            self.is_served = False
        return task.result()

    def _make_waiting(self, call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        if future.done():  # nobody waits for it any more
            return
        try:
            result = call()
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)


class LoopRunner:
    """Runs work where the test runs, and closes what the work opened in the loop that opened it."""

    def __init__(self, close: Work[None]) -> None:
        self._close = close
        self._calls = OffLoopCalls()
        self._runner: asyncio.Runner | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._staying: AsyncGenerator[None, None] | None = None
        self.off_loop_calls: OffLoopCalls | None = None
        """Makes the calls that need the loop stopped, for work that runs now; None in the test's own loop."""

    def run(self, name: str, work: Work[Result]) -> AwaitableResult[Result]:
        """Run the work now, or when the result is awaited."""
        where = place()
        match where:
            case "task":
                return AwaitableResult(name, functools.partial(self._run_in_loop_of_test, work))
            case "greenlet":
                return AwaitableResult(name, None, self._in_thread(functools.partial(self._run_in_own_loop, work)))
            case "no loop":
                return AwaitableResult(name, None, self._run_in_own_loop(work))
            case _:
                assert_never(where)

    async def leave_loop(self) -> None:
        """Close what is open in the running loop."""
        if self._staying is not None and self._home is asyncio.get_running_loop():
            await self._staying.aclose()
            self._home = self._staying = None

    def tidy(self) -> None:
        """Close everything between two pieces of work, and keep the loop for the next one."""
        if self._runner is None or place() != "no loop":
            self.leave()
            return
        self._leave_loop_of_test()
        self._calls.run(self._runner.get_loop(), self._close())

    def leave(self) -> None:
        """Close everything after the test."""
        self._leave_loop_of_test()
        if self._runner is None:
            return
        if place() == "no loop":
            self._leave_own_loop()
        else:
            self._in_thread(self._leave_own_loop)

    # In our own loop

    def _run_in_own_loop(self, work: Work[Result]) -> Result:
        if self._runner is None:
            # With a factory, a Runner does not touch the thread's current loop, which may belong to somebody else.
            _check_sockets()
            self._runner = asyncio.Runner(loop_factory=_new_loop)
        loop = self._runner.get_loop()
        if self._home is not loop:
            self._leave_loop_of_test()
            self._home = loop
        self.off_loop_calls = self._calls
        return self._calls.run(loop, work())

    def _leave_own_loop(self) -> None:
        assert self._runner is not None
        runner, self._runner = self._runner, None
        before = set(threading.enumerate())
        try:
            self._calls.run(runner.get_loop(), self._close())
        finally:
            self._home = None
            runner.close()
            # The threads of a pool end shortly after its loop.
            for thread in before - {threading.current_thread()}:
                if thread.name.startswith("AnyIO worker thread"):
                    thread.join(1)

    def _in_thread(self, call: Callable[[], Result]) -> Result:
        """Make the call in a thread that ends with it, where no loop runs."""
        outcome = _CallInThread(call, "mockcampaign-run")
        try:
            outcome.thread.join()
        except BaseException:
            if self._runner is not None:
                loop = self._runner.get_loop()
                loop.call_soon_threadsafe(_cancel_all, loop)
            outcome.thread.join()
            raise
        return outcome.result()

    # In the loop of the test

    async def _run_in_loop_of_test(self, work: Work[Result]) -> Result:
        loop = asyncio.get_running_loop()
        if self._home is not loop:
            if self._runner is not None:
                # Connections opened before the test began must be closed in the loop that opened them.
                await _call_in_thread_beside_loop(self._leave_own_loop)
            self._home = loop
            self._staying = self._stay()
            await anext(self._staying)
        self.off_loop_calls = None
        return await work()

    async def _stay(self) -> AsyncGenerator[None, None]:
        """Close everything before the loop ends: a loop that ends closes its generators first, whoever made it."""
        try:
            yield
        finally:
            await self._close()

    def _leave_loop_of_test(self) -> None:
        if self._staying is not None:
            home, staying = self._home, self._staying
            self._home = self._staying = None
            # A closed loop has closed its generators, and with them everything that was open.
            if home is not None and not home.is_closed() and not home.is_running():
                home.run_until_complete(staying.aclose())


class _CallInThread(Generic[Result]):
    """A call in a thread of its own, and its result."""

    def __init__(self, call: Callable[[], Result], name: str, done: Callable[[], object] = lambda: None) -> None:
        self._call = call
        self._done = done
        self._results: list[Result] = []
        self._errors: list[BaseException] = []
        self.thread = threading.Thread(target=self._make, name=name)
        self.thread.start()

    def _make(self) -> None:
        try:
            self._results.append(self._call())
        except BaseException as error:
            self._errors.append(error)
        finally:
            self._done()

    def result(self) -> Result:
        """Return what the call returned, or raise what it raised. The thread is over."""
        if self._errors:
            raise self._errors[0]
        return self._results[0]


async def _call_in_thread_beside_loop(call: Callable[[], None]) -> None:
    """Make the call in a thread that ends with it, while the loop runs. Threads of the loop's pool would outlive it."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    outcome = _CallInThread(
        call, "mockcampaign-aside", functools.partial(loop.call_soon_threadsafe, over.set_result, None)
    )
    try:
        await asyncio.shield(over)
    finally:
        outcome.thread.join()
    outcome.result()


def _check_sockets() -> None:
    """Raise `MisuseError` if pytest-socket blocks what an event loop needs: a loop that fails to open it is leaked."""
    try:
        socket.socket(getattr(socket, "AF_UNIX", socket.AF_INET)).close()
    except RuntimeError as error:
        raise sockets_blocked(error) or error from None


def _new_loop() -> asyncio.AbstractEventLoop:
    return keep_real_time(asyncio.new_event_loop())


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
