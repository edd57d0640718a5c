"""The `campaign` fixture in tests with an event loop, of any plugin, and in tests that Hypothesis runs."""

from __future__ import annotations

import pytest

from conftest import Inner

ASYNC_TESTS = """
    import asyncio
    import pytest

    {mark}
    async def test_in_the_loop_of_the_test(campaign, app):
        loops = []
        async def note():
            loops.append(asyncio.get_running_loop())
        app.before_response = note
        opens = campaign.webhook("open", target=app)
        campaign.emit(opens, count=101)
        await campaign.advance("1s")
        await campaign.run()
        assert loops == [asyncio.get_running_loop()] * 2
        assert app.processed() == campaign.delivered
        test_in_the_loop_of_the_test.app = app

    def test_closed_in_that_loop():
        assert test_in_the_loop_of_the_test.app.life == ["lifespan.startup", "lifespan.shutdown"]

    {mark}
    async def test_a_server_in_the_loop_of_the_test(campaign):
        async def respond(reader, writer):
            while head := await reader.readuntil(b"\\r\\n\\r\\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\\r\\n")[0])
                await reader.readexactly(length)
                writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
        async def suppressed(reader, writer):
            try:
                await respond(reader, writer)
            except asyncio.IncompleteReadError:
                writer.close()
        server = await asyncio.start_server(suppressed, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            campaign.emit(campaign.webhook("open", target=f"http://127.0.0.1:{{port}}/"), 250)
            await campaign.run()
            assert len(campaign.delivered) == 250
            await campaign.leave_loop()  # or Python 3.12 waits for the connection that is kept

    {mark}
    async def test_a_wsgi_application(campaign, wsgi_app):
        campaign.emit(campaign.webhook("open", target=wsgi_app), 3)
        await campaign.run()
        assert wsgi_app.processed() == campaign.delivered

    {mark}
    async def test_not_awaited(campaign, app):
        campaign.emit(campaign.webhook("open", target=app), 3)
        campaign.run()
        from mockcampaign.errors import MisuseError
        with pytest.raises(MisuseError, match="campaign.run.. was not awaited: this test has an event loop, so write "):
            campaign.delivered
        await asyncio.gather(campaign.run())
        assert len(campaign.delivered) == 3

    @pytest.fixture
    def warmed_up(campaign, app):
        campaign.emit(campaign.webhook("open", target=app), 3)
        campaign.run()
        return app

    {mark}
    async def test_after_a_fixture_without_a_loop(campaign, warmed_up):
        campaign.emit("open")
        await campaign.run()
        assert warmed_up.processed() == campaign.delivered
        assert warmed_up.life == ["lifespan.startup", "lifespan.shutdown", "lifespan.startup"]

    def test_that_makes_its_own_loop(campaign, app):
        async def main():
            campaign.emit(campaign.webhook("open", target=app))
            await campaign.run()
        asyncio.run(main())
        assert app.processed() == campaign.delivered
        campaign.emit("open")
        campaign.run()
        assert len(app.events) == 2
    """


@pytest.mark.parametrize(
    ("mark", "mode"),
    [("", "auto"), ("@pytest.mark.asyncio", "strict"), ("@pytest.mark.anyio", "")],
    ids=["pytest-asyncio auto", "pytest-asyncio strict", "anyio"],
)
def test_runs_in_the_loop_of_the_test_when_awaited(inner: Inner, mark: str, mode: str) -> None:
    if mode:
        pytest.importorskip("pytest_asyncio")
    anyio = "    @pytest.fixture\n    def anyio_backend():\n        return 'asyncio'\n\n" if "anyio" in mark else ""
    source = ASYNC_TESTS.format(mark=mark).replace("{{", "{").replace("}}", "}")
    inner(source.replace("import pytest\n\n", f"import pytest\n\n{anyio}", 1), asyncio_mode=mode).assert_outcomes(
        passed=7
    )


def test_trio_is_rejected_in_one_sentence(inner: Inner) -> None:
    pytest.importorskip("trio")
    inner(
        """
        import pytest
        from mockcampaign.errors import MisuseError

        @pytest.fixture
        def anyio_backend():
            return "trio"

        @pytest.mark.mockcampaign(allow=["nothing-delivered"])
        @pytest.mark.anyio
        async def test_it(campaign, app):
            campaign.emit(campaign.webhook("open", target=app))
            with pytest.raises(MisuseError, match="runs on asyncio and this test on trio: let an `anyio_backend` fix"):
                await campaign.run()
        """
    ).assert_outcomes(passed=1)


def test_a_test_in_a_greenlet_beside_a_running_loop(inner: Inner) -> None:
    """Synchronous tests of pytest-playwright are greenlets, to which a callback of a running loop switches."""
    inner(
        """
        import asyncio, threading
        import pytest

        def test_it(campaign, app, wsgi_app):
            before = set(threading.enumerate())

            async def main():
                done = asyncio.Event()
                def callback():
                    campaign.emit(campaign.webhook("open", target=app), 250)
                    campaign.webhook("open", target=wsgi_app)
                    campaign.run()
                    campaign.emit("open")
                    campaign.run()
                    assert app.processed() == campaign.delivered(campaign.webhooks[0])
                    assert len(wsgi_app.processed()) == 1
                    done.set()
                asyncio.get_running_loop().call_soon(callback)
                await done.wait()
            asyncio.run(main())
            assert app.life == ["lifespan.startup"]
            assert set(threading.enumerate()) <= before
        """
    ).assert_outcomes(passed=1)


@pytest.mark.slow
def test_hypothesis_gets_a_fresh_campaign_for_each_example(inner: Inner) -> None:
    result = inner(
        """
        import pytest
        from hypothesis import given, settings, strategies as st
        from mockcampaign.strategies import batches, wild_batches

        @given(batches())
        def test_delivers(campaign, batch):
            processed = []
            def consumer(environ, start_response):
                import json
                processed.extend(json.loads(environ["wsgi.input"].read()))
                start_response("200 OK", [])
                return []
            assert campaign.webhooks == []
            campaign.emit(campaign.webhook("open", target=consumer), events=batch)
            campaign.run()
            assert processed == batch == campaign.delivered

        @pytest.mark.parametrize("status", [200, 500])
        @settings(max_examples=5)
        @given(st.integers(1, 300))
        def test_settings_and_parameters(campaign, app, status, count):
            pass

        class TestInClass:
            @given(st.integers(1, 300))
            @settings(max_examples=5)
            def test_counts(self, campaign, count):
                def consumer(environ, start_response):
                    start_response("200 OK", [])
                    return []
                campaign.emit(campaign.webhook("open", target=consumer), count)
                campaign.run()
                assert len(campaign.delivered) == count

        @given(st.sampled_from([200, 204]))
        def test_violates(campaign, status):
            def consumer(environ, start_response):
                start_response(f"{status} Whatever", [])
                return []
            campaign.emit(campaign.webhook("open", target=consumer))
            campaign.advance("9s")
        """
    )
    # `app` is function-scoped as well, and not fresh for each example: that is still Hypothesis' to say.
    result.assert_outcomes(passed=2, failed=3)
    text = result.stdout.str()
    assert text.count("FailedHealthCheck") >= 2
    assert "responds-200: Responded 204 (1 attempt)" in text


@pytest.mark.slow
def test_hypothesis_gets_a_fresh_server_and_a_fresh_check_for_each_example(inner: Inner) -> None:
    result = inner(
        """
        import pytest
        from hypothesis import HealthCheck, given, settings, strategies as st
        from conftest import App
        from mockcampaign.samples.consumer import consumer_app
        from mockcampaign.serving import serve_in_thread

        @pytest.fixture(scope="module")
        def consumer():
            app = App()
            with serve_in_thread(app) as app.url:
                yield app

        @pytest.mark.parametrize("event_type", ["open", "click"])
        @settings(max_examples=5, deadline=None)
        @given(count=st.integers(1, 150))
        def test_server(campaign_server, consumer, event_type, count):
            assert campaign_server.webhooks == campaign_server.delivered == []
            began = campaign_server.clock.now
            consumer.events.clear()
            campaign_server.emit(campaign_server.webhook(event_type, target=consumer.url), count, over="1h")
            campaign_server.run()
            assert consumer.processed() == campaign_server.delivered
            assert len(consumer.events) == count
            assert campaign_server.clock.now > began == campaign_server.clock.now.replace(2025, 1, 1, 0, 0, 0, 0)

        @settings(max_examples=3, deadline=None)
        @given(count=st.integers(1, 2))
        def test_server_violated(campaign_server, consumer, count):
            consumer.status = 204
            try:
                campaign_server.emit(campaign_server.webhook("open", target=consumer.url), count)
                campaign_server.advance("9s")
            finally:
                consumer.status = 200

        @settings(max_examples=2, deadline=None)
        @given(count=st.integers(1, 2))
        def test_together(campaign, campaign_server, consumer, count):
            assert campaign.webhooks == campaign_server.webhooks == []
            for one in (campaign, campaign_server):
                one.emit(one.webhook("open", target=consumer.url), count)
                one.run()

        def test_hypothesis_settings_are_restored():
            checks = test_server._hypothesis_internal_use_settings.suppress_health_check
            assert HealthCheck.function_scoped_fixture not in checks

        @settings(max_examples=2, deadline=None)
        @given(bug=st.sampled_from([None, "responds-204"]))
        def test_check(campaign_check, bug):
            report = campaign_check(consumer_app(bug), "/hook", rules=["responds-200"])
            assert report.target == "http://testserver/hook"
        """
    )
    result.assert_outcomes(passed=4, failed=2)
    text = result.stdout.str()
    assert "FailedHealthCheck" not in text
    assert "AssertionError: responds-200: Responded 204 (1 attempt)" in text
    assert "NOT COMPLIANT  1 of 1 rule violated" in text


def test_the_health_check_stays_for_a_fixture_that_overrides_ours(inner: Inner) -> None:
    inner(
        """
        import pytest
        from hypothesis import given, strategies as st

        @pytest.fixture
        def campaign(campaign, app):
            campaign.webhook("open", target=app)
            return campaign

        @given(st.integers(1, 300))
        def test_it(campaign, count):
            pass
        """
    ).stdout.fnmatch_lines(["*FailedHealthCheck: *uses a function-scoped fixture 'campaign'."])


@pytest.mark.parametrize("plugin", ["anyio", "pytest_asyncio"])
def test_hypothesis_and_a_loop(inner: Inner, plugin: str) -> None:
    pytest.importorskip(plugin)
    mark, mode = ("@pytest.mark.anyio", "") if plugin == "anyio" else ("@pytest.mark.asyncio", "strict")
    result = inner(
        f"""
        import pytest
        from hypothesis import given, settings, strategies as st
        from plugin_apps import App

        @pytest.fixture(scope="session")
        def anyio_backend():
            return "asyncio"

        {mark}
        @settings(max_examples=20, deadline=None)
        @given(st.integers(1, 300))
        async def test_counts(campaign, count):
            app = App()
            campaign.emit(campaign.webhook("open", target=app), count)
            await campaign.run()
            assert app.processed() == campaign.delivered
            assert len(app.events) == count

        {mark}
        @settings(max_examples=3, deadline=None)
        @given(st.integers(1, 3))
        async def test_not_awaited(campaign, count):
            campaign.emit(campaign.webhook("open", target=App()), count)
            campaign.run()
        """,
        asyncio_mode=mode,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*MisuseError: campaign.run() was not awaited: *write `await campaign.run()`"])


def test_a_forgotten_await_is_named_although_an_assertion_fails_first(inner: Inner) -> None:
    result = inner(
        """
        async def test_it(campaign, app):
            campaign.emit(campaign.webhook("open", target=app), 3)
            campaign.run()
            assert len(app.events) == 3
        """,
        asyncio_mode="auto",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert 0 == 3*",
            "campaign.run() was not awaited: this test has an event loop, so write `await campaign.run()`",
        ]
    )
