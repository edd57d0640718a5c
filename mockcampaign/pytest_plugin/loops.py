"""What a test runs in: no event loop, one of its own, or one that is none of ours; and work done there.

Without a running loop, work is done at once, on a loop that is kept until the test is over. Where the test itself runs
on a loop, work is to be awaited and is done there, so that an application meets its own tasks, queues and connections.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, Literal, TypeVar

from mockcampaign.errors import MisuseError
from mockcampaign.transport.idle_watch import OURS

__tracebackhide__ = True  # a failing test shows its own line, not what goes on in here

Result = TypeVar("Result")
Work = Callable[[], Coroutine[Any, Any, Result]]
"""Makes the coroutine that is to be run, at most once."""

Place = Literal["no loop", "task", "greenlet"]


def place() -> Place:
    """Where the caller runs. Raises `MisuseError` within trio, whose tasks can wait for nothing of asyncio's.

    A greenlet is what pytest-playwright runs synchronous tests in: a loop runs, and nothing of the test's can await it.
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


class Passing(Awaitable[Result], Generic[Result]):
    """What comes of work: it is done already, or waits to be awaited."""

    def __init__(self, what: str, work: Work[Result] | None, result: Result | None = None) -> None:
        self.what = what
        self._work = work
        self._result = result

    @property
    def forgotten(self) -> bool:
        """Whether nobody has awaited it, although that is what it waits for."""
        return self._work is not None

    def __await__(self) -> Generator[Any, None, Result]:
        work, self._work = self._work, None
        if work is None:
            return self._result  # type: ignore[return-value]
        return (yield from work().__await__())

    def __repr__(self) -> str:
        return f"<{self.what}: {'to be awaited' if self.forgotten else 'done'}>"


class Errands:
    """Calls that must not be made while a loop runs, such as of a WSGI application that starts loops itself."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Callable[[], Any], asyncio.Future[Any]]] = deque()
        self._arrived: asyncio.Future[None] | None = None

    async def done(self, call: Callable[[], Result]) -> Result:
        """What the call returns or raises, once it was made."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        return await future

    def run(self, loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run on the loop, which stands still for each call."""
        task = loop.create_task(coroutine, name=f"{OURS}-run")
        try:
            while not task.done():
                self._arrived = loop.create_future()
                either = asyncio.wait((task, self._arrived), return_when=asyncio.FIRST_COMPLETED)
                loop.run_until_complete(loop.create_task(either, name=f"{OURS}-errands"))
                while self._waiting:
                    self._make(*self._waiting.popleft())
        except BaseException:
            if task.done() and not task.cancelled():
                task.exception()  # it is what is raised here, and asyncio need not complain about it
            task.cancel()  # which takes effect when the loop is closed
            raise
        return task.result()

    def _make(self, call: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        if future.done():  # nobody waits for it any more
            return
        try:
            result = call()
        except Exception as error:
            future.set_exception(error)
        else:
            future.set_result(result)


class Surroundings:
    """Runs work where the test runs, and closes what that left open in the place where it was opened."""

    def __init__(self, close: Work[None]) -> None:
        self._close = close
        self._errands = Errands()
        self._runner: asyncio.Runner | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._staying: AsyncGenerator[None, None] | None = None

    def run(self, what: str, work: Callable[[Errands | None], Coroutine[Any, Any, Result]]) -> Passing[Result]:
        """Do it now, or let it be awaited. `work` is told where to make calls that need the loop to stand still; None
        where there is no such place."""
        match place():
            case "task":
                return Passing(what, lambda: self._at_home(work))
            case "greenlet":
                return Passing(what, None, self._in_thread(lambda: self._here(work)))
            case _:
                return Passing(what, None, self._here(work))

    async def leave_loop(self) -> None:
        """Close what is open in the loop that runs now."""
        if self._staying is not None and self._home is asyncio.get_running_loop():
            await self._staying.aclose()
            self._home = self._staying = None

    def tidy(self) -> None:
        """Close everything, from outside of the work, to go on afterwards."""
        if self._runner is None or place() != "no loop":
            self.leave()
            return
        self._leave_loop_of_test()
        self._errands.run(self._runner.get_loop(), self._close())

    def leave(self) -> None:
        """Close everything, from outside of the test."""
        self._leave_loop_of_test()
        if self._runner is None:
            return
        if place() == "no loop":
            self._leave_own()
        else:
            self._in_thread(self._leave_own)

    def _leave_loop_of_test(self) -> None:
        if self._staying is not None:
            home, staying = self._home, self._staying
            self._home = self._staying = None
            # A closed loop has closed its generators, and with them what was open.
            if home is not None and not home.is_closed() and not home.is_running():
                home.run_until_complete(staying.aclose())

    # On the loop of our own

    def _here(self, work: Callable[[Errands | None], Coroutine[Any, Any, Result]]) -> Result:
        if self._runner is None:
            # With a factory, a Runner does not touch the thread's current loop, which may be somebody's.
            self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        loop = self._runner.get_loop()
        if self._home is not loop:
            self._leave_loop_of_test()
            self._home = loop
        return self._errands.run(loop, work(self._errands))

    def _leave_own(self) -> None:
        assert self._runner is not None
        runner, self._runner = self._runner, None
        before = set(threading.enumerate())
        try:
            self._errands.run(runner.get_loop(), self._close())
        finally:
            self._home = None
            runner.close()
            # A pool's threads are told to end with its loop, and take a moment for it.
            for thread in before - {threading.current_thread()}:
                if thread.name.startswith("AnyIO worker thread"):
                    thread.join(1)

    def _in_thread(self, call: Callable[[], Result]) -> Result:
        """In a thread that ends with the call, so that no loop runs in it."""
        results: list[Result] = []
        errors: list[BaseException] = []

        def carry_out() -> None:
            try:
                results.append(call())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=carry_out, name="mockcampaign-run")
        thread.start()
        try:
            thread.join()
        except BaseException:
            if self._runner is not None:
                loop = self._runner.get_loop()
                loop.call_soon_threadsafe(_cancel_all, loop)
            thread.join()
            raise
        if errors:
            raise errors[0]
        return results[0]

    # On the loop of the test

    async def _at_home(self, work: Callable[[Errands | None], Coroutine[Any, Any, Result]]) -> Result:
        loop = asyncio.get_running_loop()
        if self._home is not loop:
            if self._runner is not None:
                # What was opened before the test began must be closed where it was opened.
                await _aside(self._leave_own)
            self._home = loop
            self._staying = self._stay()
            await anext(self._staying)
        return await work(None)

    async def _stay(self) -> AsyncGenerator[None, None]:
        """A loop that ends closes its generators first: also one that a test has made for itself."""
        try:
            yield
        finally:
            await self._close()


async def _aside(call: Callable[[], None]) -> None:
    """In a thread that ends with the call, while the loop goes on. Those of the loop's own pool would stay with it."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    errors: list[BaseException] = []

    def carry_out() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)
        finally:
            loop.call_soon_threadsafe(over.set_result, None)

    thread = threading.Thread(target=carry_out, name="mockcampaign-aside")
    thread.start()
    try:
        await asyncio.shield(over)
    finally:
        thread.join()
    if errors:
        raise errors[0]


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
