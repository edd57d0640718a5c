"""Nothing is left behind by any test: no thread, descriptor, event loop, task, generator or warning.

`leftovers` looks after each test of these runs, however it ended, and would end the run.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lasting_tests import ENDS, WITHOUT_A_LOOP
from whole_runs import DELIVERING, WARMING_UP, whole_run

WITH_A_LOOP = """
from hypothesis import given, settings, strategies as st
from mockcampaign.samples.consumer import consumer_app

@pytest.fixture
def anyio_backend():
    return "asyncio"

{mark}
async def test_warming_up_a_loop():
    '''It may go on for the whole module.'''

{mark}
@however
async def test_asgi(campaign, end):
    campaign.emit(campaign.webhook("open", target={consumer}()), 150)
    await campaign.run()
    ends(end)

{mark}
@however
async def test_wsgi_application(campaign, wsgi_app, end):
    campaign.emit(campaign.webhook("open", target=wsgi_app), 150)
    await campaign.run()
    ends(end)

{mark}
@over_sockets
@however
async def test_sockets(campaign, app, end):
    with serve_in_thread(app) as url:
        campaign.emit(campaign.webhook("open", target=url), 150)
        await campaign.run()
        ends(end)

{mark}
@over_sockets
@however
async def test_a_consumer_that_goes_on(campaign, campaign_server, lasting_url, end):
    campaign.emit(campaign.webhook("open", target=lasting_url), 150)
    await campaign.run()
    campaign_server.emit(campaign_server.webhook("open", target=lasting_url), 150)
    await campaign_server.run()
    ends(end)

{mark}
@over_sockets
@however
async def test_server(campaign_server, app, end):
    with serve_in_thread(app) as url:
        campaign_server.webhook("open", target=url)
        campaign_server.emit("open", 150)
        await campaign_server.run()
        ends(end)

{mark}
@however
async def test_check(campaign_check, end):
    await campaign_check.awaited(consumer_app(), "/hook", probe="/processed", rules=["accepts-every-batch-size"])
    ends(end)

{mark}
@however
async def test_given_up(campaign, campaign_server, app, end):
    never = App()
    never.before_response = asyncio.Event().wait
    campaign.emit(campaign.webhook("open", target=never))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(campaign.run(), 0.02)
    never_either = App()
    never_either.before_response = lambda: asyncio.Event().wait()
    with serve_in_thread(never_either) as url:
        campaign_server.webhook("open", target=url)
        campaign_server.emit("open")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(campaign_server.run(), 0.02)
    ends(end)

{mark}
@however
async def test_under_way_at_the_end(campaign, app, end):
    never = App()
    never.before_response = asyncio.Event().wait
    campaign.emit(campaign.webhook("open", target=never))
    under_way = asyncio.ensure_future(campaign.run())
    await asyncio.sleep(0.01)
    ends(end)

{mark}
@however
async def test_not_awaited(campaign, app, end):
    campaign.emit(campaign.webhook("open", target=app), 3)
    campaign.run()
    with contextlib.suppress(Exception):
        campaign.delivered
    ends(end)

{mark}
@however
async def test_after_a_fixture_without_a_loop(ready, campaign, end):
    campaign.emit("open")
    await campaign.run()
    ends(end)

@pytest.fixture
def ready(campaign):
    deliver(campaign, {consumer}())

{mark}
@however
@settings(max_examples=3, deadline=None)
@given(count=st.integers(1, 3))
async def test_examples(campaign, end, count):
    campaign.emit(campaign.webhook("open", target=App()), count)
    await campaign.run()
    ends(end)
"""


def check(folder: Path, source: str, bodies: int, *arguments: str, plugins: tuple[str, ...]) -> None:
    """Assert that each body of a test has ended in every way."""
    status, printed = whole_run(
        folder, DELIVERING + ENDS + source, "-rp", *arguments, plugins=("hypothesispytest", *plugins)
    )
    assert "LEFT AT THE END: []" in printed, printed
    assert status == pytest.ExitCode.TESTS_FAILED, printed
    others = printed.count("test_warming_up") + 6
    assert f" {bodies} failed, {bodies + others} passed, {bodies} skipped, {bodies} xfailed" in printed, printed


@pytest.mark.slow
def test_tests_without_a_loop(tmp_path: Path) -> None:
    check(tmp_path, WITHOUT_A_LOOP, 12, plugins=())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mark", "plugin", "consumer", "options"),
    [
        ("asyncio", "asyncio", "Lingering", ("-oasyncio_default_fixture_loop_scope=function",)),
        ("asyncio(loop_scope='module')", "asyncio", "App", ("-oasyncio_default_fixture_loop_scope=module",)),
        ("anyio", "anyio", "Lingering", ()),
    ],
)
def test_tests_with_a_loop(tmp_path: Path, mark: str, plugin: str, consumer: str, options: tuple[str, ...]) -> None:
    check(tmp_path, WITH_A_LOOP.format(mark=f"@pytest.mark.{mark}", consumer=consumer), 11, *options, plugins=(plugin,))


HANGING = """
def hanging(campaign, target, path=""):
    campaign.emit(campaign.webhook("open", target, path))

@pytest.fixture
def never(app):
    app.before_response = lambda: asyncio.Event().wait()
    return app

def endless(environ, start_response):
    import time
    time.sleep(60)
"""

HANG_WITHOUT_A_LOOP = {
    "asgi": "def test_it(campaign, never): hanging(campaign, never); go(campaign)",
    "wsgi": "def test_it(campaign): hanging(campaign, endless); go(campaign)",
    "sockets": "def test_it(campaign, never):\n"
    "    with serve_in_thread(never) as url: hanging(campaign, url); go(campaign)",
    "server": "def test_it(campaign_server, never):\n"
    "    with serve_in_thread(never) as url: hanging(campaign_server, url); go(campaign_server)",
    "check": "def test_it(campaign_check, never): interrupt_soon(); campaign_check(never)",
    "a loop around it": "def test_it(campaign, never):\n"
    "    async def main():\n"
    "        over = asyncio.get_running_loop().create_future()\n"
    "        def callback():\n"
    "            try: hanging(campaign, never); go(campaign)\n"
    "            except BaseException as error: over.set_exception(error)\n"
    "        asyncio.get_running_loop().call_soon(callback)\n"
    "        await over\n"
    "    loop = asyncio.new_event_loop()\n"  # as Playwright does; asyncio.run would keep the first interrupt for itself
    "    try: loop.run_until_complete(main())\n"
    "    finally: loop.close()",
}
HANG_WITH_A_LOOP = {
    "asgi": "async def test_it(campaign, never): hanging(campaign, never); await go(campaign)",
    "sockets": "async def test_it(campaign, never):\n"
    "    with serve_in_thread(never) as url: hanging(campaign, url); await go(campaign)",
    "server": "async def test_it(campaign_server, never):\n"
    "    with serve_in_thread(never) as url: hanging(campaign_server, url); await go(campaign_server)",
}
GOING = """
def go(campaign):
    interrupt_soon()
    return campaign.run(despite_rejections=True)

def interrupt_soon():
    pass
"""


def hangs() -> list[str]:
    """Return numbered tests that do not end by themselves."""
    marked = [f"@pytest.mark.{mark}\n{test}" for mark in ("asyncio", "anyio") for test in HANG_WITH_A_LOOP.values()]
    tests = [*HANG_WITHOUT_A_LOOP.values(), *marked]
    return [test.replace("test_it", f"test_{number}", 1) for number, test in enumerate(tests)]


BACKEND = "@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pytest-timeout interrupts tests by a signal")
def test_tests_that_time_out(tmp_path: Path) -> None:
    pytest.importorskip("pytest_timeout")
    tests = hangs()
    following = "def test_the_next_one(campaign, app): deliver(campaign, app)"
    # Long enough that each test waits by then, also on a busy machine: asyncio takes an exception that the signal
    # raises in the middle of writing a request for an error of the connection, and goes on.
    status, printed = whole_run(
        tmp_path,
        "\n\n".join([DELIVERING, ENDS, HANGING, GOING, BACKEND, *tests, following]),
        *("--timeout=1.5", "-otimeout_func_only=true", "-oasyncio_default_fixture_loop_scope=function"),
        plugins=("timeout", "asyncio", "anyio"),
    )
    assert "LEFT AT THE END: []" in printed, printed
    assert status == pytest.ExitCode.TESTS_FAILED, printed
    assert f" {len(tests)} failed, 8 passed" in printed, printed
    assert printed.count("1 open event") >= len(tests) - 1  # how far each campaign got


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the interrupt is sent as a signal")
@pytest.mark.parametrize("number", range(len(hangs())))
def test_an_interrupted_run_ends_at_once(tmp_path: Path, number: int) -> None:
    interrupting = GOING.replace(
        "pass",
        f"import os, threading; threading.Timer(0.3, os.kill, (os.getpid(), {int(signal.SIGINT)})).start()",
    )
    status, printed = whole_run(
        tmp_path,
        "\n\n".join([WARMING_UP, "import pytest", ENDS, HANGING, interrupting, BACKEND, hangs()[number]]),
        *("-oasyncio_default_fixture_loop_scope=function", "-k", f"test_{number}"),
        plugins=("asyncio", "anyio"),
    )
    assert status == pytest.ExitCode.INTERRUPTED, printed
    assert "KeyboardInterrupt" in printed
    assert "Traceback" not in printed.partition("KeyboardInterrupt")[2]
    assert "never retrieved" not in printed
    assert "was destroyed" not in printed
    assert "LEFT AT THE END: []" in printed, printed
