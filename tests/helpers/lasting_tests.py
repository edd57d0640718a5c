"""Tests of inner pytest runs, each of which ends in every way while work of its campaign goes on."""

ENDS = """
import asyncio, contextlib
from mockcampaign import Policy

pytestmark = pytest.mark.mockcampaign(policy=Policy(timeout=50), allow=["nothing-delivered"])
over_sockets = pytest.mark.mockcampaign(policy=Policy())  # a busy machine takes its time to connect
however = pytest.mark.parametrize(
    "end", ["passes", "fails", "skips", pytest.param("xfails", marks=pytest.mark.xfail(strict=True))]
)

def ends(end):
    if end == "skips":
        pytest.skip("on purpose")
    if end != "passes":
        pytest.fail("on purpose")

@pytest.fixture(scope="session")
def lasting_url():
    with serve_in_thread(App()) as url:
        yield url

def test_warming_up(campaign_server, lasting_url):
    '''Both servers run for the whole session.'''

class Lingering(App):
    '''Has work under way, and open generators, before and after its responses, and does not end by itself.'''

    def __init__(self):
        super().__init__()
        self.work = []
        self.generators = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            self.work.append(asyncio.ensure_future(asyncio.Event().wait()))
        await super().__call__(scope, receive, send)

    async def before_response(self):
        async def numbers():
            try:
                yield 1
                yield 2
            finally:
                await asyncio.sleep(0)
        generator = numbers()
        await anext(generator)
        self.generators.append(generator)
        self.work.append(asyncio.ensure_future(asyncio.Event().wait()))
"""

WITHOUT_A_LOOP = """
from hypothesis import given, settings, strategies as st
from mockcampaign.samples.consumer import consumer_app
from datetime import datetime

@however
def test_asgi(campaign, end):
    deliver(campaign, Lingering())
    ends(end)

@however
def test_asgi_and_wsgi_without_run(campaign, app, wsgi_app, end):
    campaign.emit(campaign.webhook("open", target=app), 3)
    campaign.webhook("open", target=wsgi_app)
    campaign.advance("1s")
    campaign.emit("open", 3)
    ends(end)

@over_sockets
@however
def test_sockets(campaign, app, end):
    with serve_in_thread(app) as url:
        deliver(campaign, url)
        ends(end)

@over_sockets
@however
def test_a_consumer_that_goes_on(campaign, campaign_server, lasting_url, end):
    deliver(campaign, lasting_url)
    deliver(campaign_server, lasting_url)
    ends(end)

@over_sockets
@however
def test_server(campaign_server, app, end):
    with serve_in_thread(app) as url:
        campaign_server.webhook("open", target=url)
        campaign_server.emit("open", 150)
        campaign_server.run()
        campaign_server.emit("open", 150, over="1h")
        ends(end)

@however
def test_loops_of_its_own(campaign, end):
    app = Lingering()
    async def main():
        campaign.emit(campaign.webhook("open", target=app), 3)
        await campaign.run()
        campaign.emit("open")
        hanging = asyncio.create_task(asyncio.wait_for(campaign.run(), 30))
        await asyncio.sleep(0)
        hanging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hanging
        ends(end)
    asyncio.run(main())

@however
def test_a_loop_around_it(campaign, app, wsgi_app, end):
    async def main():
        over = asyncio.get_running_loop().create_future()
        def callback():
            deliver(campaign, app)
            campaign.webhook("open", target=wsgi_app)
            campaign.run()
            over.set_result(None)
        asyncio.get_running_loop().call_soon(callback)
        await over
        ends(end)
    asyncio.run(main())

@however
def test_not_awaited(campaign, app, end):
    async def main():
        campaign.emit(campaign.webhook("open", target=app), 3)
        campaign.run()
        with contextlib.suppress(Exception):
            campaign.delivered
        ends(end)
    asyncio.run(main())

@however
@settings(max_examples=3, deadline=None)
@given(count=st.integers(1, 3))
def test_examples(campaign, end, count):
    deliver(campaign, App())
    ends(end)

@however
def test_check(campaign_check, end):
    campaign_check(consumer_app(), "/hook", probe="/processed", rules=["responds-200", "accepts-every-batch-size"])
    ends(end)

@however
def test_clock(campaign, app, end):
    class Clock:
        def move_to(self, moment):
            pass
    campaign.clock.lead(Clock())
    deliver(campaign, app)
    ends(end)

@however
def test_in_setup(ready, end):
    ends(end)

@pytest.fixture
def ready(campaign, app):
    deliver(campaign, app)
    yield
    campaign.emit("open")
    campaign.run()
"""
