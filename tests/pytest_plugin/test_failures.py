"""The report of a failing test, and tests that the plugin fails because their consumer has violated a rule."""

from __future__ import annotations

import json
import re

import pytest

from conftest import Inner


def test_a_failing_test_shows_timeline_last_exchange_seed_and_command(inner: Inner) -> None:
    result = inner(
        """
        def test_it(campaign, app):
            opens = campaign.webhook("open", target=app, path="/hook", auth=("acme", "very-secret"))
            campaign.emit(opens, count=150)
            campaign.outage("2h")
            campaign.run()
            assert not app.events
        """,
        "--mockcampaign-seed=7",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*- mockcampaign -*",
            "  http://testserver/hook, seed 7, 2h of virtual time from 2025-01-01T00:00:00.000Z",
            "    +0s * open  create → created",
            "    +0s … +1h59m50s  open  batch of 100, attempts 1-720 every 10s  connection refused",
            "    +2h              open  batch of 100, attempt 721  200",
            "    +2h              open  batch of 50  200",
            "  last request and response",
            "    POST http://testserver/hook",
            "    Authorization: ?*",
            '    [[]{"type":"open"*}, … 48 more[]]',
            "    → 200",
            "  seed 7; to repeat it:",
            "    pytest test_it.py::test_it --mockcampaign-seed 7",
        ],
        consecutive=False,
    )
    result.stdout.no_fnmatch_line("*the test itself*")
    section = result.stdout.str().partition("- mockcampaign -")[2]
    assert "very-secret" not in section  # it stands in the test's own source
    assert "YWNtZTp2ZXJ5LXNlY3JldA" not in section


def test_a_failure_that_quotes_a_password_is_reported_without_it(inner: Inner, pytester: pytest.Pytester) -> None:
    inner(
        """
        def test_it(campaign, app):
            campaign.webhook("open", target=app, auth=("acme", "very-secret"))
            raise ValueError("not very-secret")
        """,
        "--mockcampaign-report-json=report.json",
    )
    report = (pytester.path / "report.json").read_text()
    assert "ValueError: not ***" in report
    assert "very-secret" not in report


def test_the_last_exchange_is_the_last_one_with_a_response(inner: Inner) -> None:
    inner(
        """
        def test_it(campaign, app):
            opens = campaign.webhook("open", target=app)
            campaign.emit(opens, count=3)
            campaign.run()
            campaign.outage("1h")
            campaign.emit(opens)
            campaign.advance("1m")
            assert False
        """
    ).stdout.fnmatch_lines(["  last request and response", "*, … 1 more[]]", "    → 200"], consecutive=False)


def test_the_last_request_has_the_body_of_a_captured_shape(inner: Inner, pytester: pytest.Pytester) -> None:
    (pytester.path / "captured.json").write_text(
        '{"events": [{"kind": "open", "ref": "f3a0-00174", "at": 1772441950662}]}'
    )
    inner(
        """
        import pytest

        @pytest.mark.mockcampaign(shape="captured.json")
        def test_it(campaign, app):
            opens = campaign.webhook("open", target=app)
            campaign.emit(opens, count=3)
            campaign.run()
            assert False
        """
    ).stdout.fnmatch_lines(['    {"events":[[]{"kind":"open",*}, … 1 more[]]}'])


def test_of_several_markers_the_closest_one_wins(inner: Inner) -> None:
    inner(
        """
        import pytest

        @pytest.mark.mockcampaign(seed=3, start="2030-01-01T00:00:00Z")
        class TestIt:
            @pytest.mark.mockcampaign(seed=4)
            def test_it(self, campaign):
                assert (campaign.seed, campaign.clock.now.year) == (4, 2030)
        """
    ).assert_outcomes(passed=1)


def test_random_seeds_differ_between_tests(inner: Inner) -> None:
    inner(
        """
        seeds = set()

        def test_one(campaign, campaign_server):
            assert campaign.seed == campaign_server.seed
            seeds.add(campaign.seed)

        def test_another(campaign):
            assert campaign.seed not in seeds
        """,
        "--mockcampaign-seed=random",
    ).assert_outcomes(passed=2)


def test_webhooks_of_one_type_are_numbered(inner: Inner) -> None:
    inner(
        """
        def test_it(campaign, app):
            for event_type in ("open", "open", "click"):
                campaign.webhook(event_type, target=app)
            assert False
        """
    ).stdout.fnmatch_lines(
        ["*  open 1  create → created", "*  open 2  create → created", "*  click   create → created"], consecutive=False
    )


WRONG_CALLS = [
    'campaign.emit("open")',
    "campaign.run()",
    'campaign.run(despite_rejections="yes")',
    'campaign.emit(campaign.webhook("open", "http://127.0.0.1:9")); campaign.run()',
    'campaign.webhook("open", target=3)',
    'campaign.webhook("opens", "http://127.0.0.1:9")',
    'campaign.webhook("open", "127.0.0.1:9/hook")',
    'campaign.webhook("open", "http://127.0.0.1:9", auth=3)',
    'campaign.webhook("open", "http://127.0.0.1:9", activate="yes")',
    'campaign.activate("open")',
    'campaign.delete("open")',
    'campaign.emit(campaign.webhook("open", "http://127.0.0.1:9"), count="many")',
    'campaign.emit("open", like={"mailID": 1})',
    'campaign.mailing("many")',
    'campaign.send("somebody", mail="unknown")',
    "campaign.confirm_optin(3)",
    'campaign.outage("2 hours")',
    'campaign.outage("2h", "lostack")',
    'campaign.fault("lostack")',
    'campaign.fault("latency", duration="2 hours")',
    'campaign.advance("2 hours")',
    'campaign.delivered("open")',
    'campaign.deliveries("open")',
    "campaign.clock.lead(3)",
    'campaign.assert_compliant(strict="yes")',
    "campaign.assert_compliant(processed=3)",
    'campaign.probe_sql("nothing://", "select 1")',
    'campaign.probe_sql("sqlite://", "drop table events")',
    'campaign.probe_sql("sqlite://", "select nothing")',
    'campaign_server.emit("opens")',
    'campaign_server.advance("2 hours")',
    "campaign_server.rotate_password(3)",
    "campaign_check(3)",
    'campaign_check("127.0.0.1:9/hook")',
    'campaign_check("http://127.0.0.1:9", unknown=3)',
    'campaign_check("http://127.0.0.1:9", probe=3)',
    'campaign_check("http://127.0.0.1:9", probe_sql="sqlite://")',
    'campaign_check("http://127.0.0.1:9", scenarios=__file__)',
    'campaign_check("http://127.0.0.1:9", probe_sql=("sqlite://", "drop table events"))',
    'campaign_check("http://127.0.0.1:9", probe_fields=["mailID"])',
    'campaign_check("http://127.0.0.1:9", timeout="2 hours")',
    'campaign_check("http://127.0.0.1:9", rules=["responds-201"])',
    'campaign_histories("127.0.0.1:9/hook", count=1)',
]


def test_misuse_shows_the_line_of_the_test_and_nothing_of_ours(inner: Inner) -> None:
    fixtures = [call.partition(".")[0].partition("(")[0] for call in WRONG_CALLS]
    result = inner(
        "".join(
            f"def test_{number}({fixture}):\n    {call}\n"
            for number, (fixture, call) in enumerate(zip(fixtures, WRONG_CALLS, strict=True))
        ),
    )
    result.assert_outcomes(failed=len(WRONG_CALLS))
    text = result.stdout.str()
    places = re.findall(r"^(\S+\.py:\d+):(?: in test_\d+$| (?:\w*(?:Error|Warning))?$)", text, re.MULTILINE)
    assert places == [f"test_it.py:{2 * number + 2}" for number in range(len(WRONG_CALLS))]


def test_a_cause_in_the_test_is_shown_and_causes_of_ours_are_not(inner: Inner) -> None:
    result = inner(
        """
        def test_it(campaign):
            try:
                campaign.advance("2 hours")
            except Exception as error:
                raise type(error)("of the test") from error

        def test_none(campaign):
            try:
                campaign.advance("2 hours")
            except Exception:
                campaign.outage("3 hours")
        """
    )
    places = re.findall(r"^(\S+\.py:\d+): ", result.stdout.str(), re.MULTILINE)
    assert places == [f"test_it.py:{number}" for number in (3, 5, 9, 11)]


def test_the_command_repeats_the_events(inner: Inner) -> None:
    source = """
        def test_it(campaign, app):
            campaign.emit(campaign.webhook("open", target=app))
            campaign.run()
            assert campaign.delivered[0]["mailId"] == ""
        """
    first, again = (inner(source, "--mockcampaign-seed=99").stdout.str() for _ in range(2))
    other = inner(source, "--mockcampaign-seed=98").stdout.str()
    [mine] = [line for line in first.splitlines() if (line.startswith("E ") and "!=" in line) or "== ''" in line][:1]
    assert mine in again
    assert mine not in other


def test_long_timelines_are_whole_with_v(inner: Inner) -> None:
    source = """
        def test_it(campaign, app):
            opens = campaign.webhook("open", target=app)
            for _ in range(20):  # failures are never folded into what succeeds
                campaign.emit(opens)
                with campaign.fault("lost-ack", times=1):
                    campaign.advance("1m")
            assert False
        """
    assert "more lines (-v shows all)" in inner(source).stdout.str()
    assert "more lines" not in inner(source, "-v").stdout.str()


@pytest.mark.slow
def test_differences_are_explained_event_by_event(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")  # where pytest compares long lists line by line
    result = inner(
        """
        import pytest

        @pytest.fixture
        def events(campaign, app):
            campaign.emit(campaign.webhook("open", target=app), 20)
            campaign.run()
            return app.processed()

        def test_altered(campaign, events):
            events[3]["device"] = "toaster"
            del events[4]["browser"]
            assert events == campaign.delivered

        def test_missing_and_doubled(campaign, events):
            events.append(events[0])
            del events[7]
            assert campaign.delivered == events

        def test_order(campaign, events):
            events[5], events[6] = events[6], events[5]
            assert events == campaign.delivered

        def test_strangers(campaign, events):
            assert campaign.delivered == [*events, {"type": "open", "mailId": "A"}, 42]

        def test_long_lists_are_explained_quickly(campaign, app):
            campaign.emit(campaign.webhook("open", target=app), 20_000)
            campaign.run()
            assert [{**event, "device": "toaster"} for event in app.events] == campaign.delivered

        def test_other_lists_are_explained_by_pytest(events):
            assert events == []
        """
    )
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(
        [
            "E *assert 20 events == 20 events that differ only in fields",
            "E         2 altered:",
            "E           type=open mailId=* recipientId=* created=*: device '*' became 'toaster'",
            "E           type=open mailId=* recipientId=* created=*: browser '*' became absent",
            "E *assert 20 events == 20 events, some of which are others",
            "E         1 missing:",
            "E           type=open mailId=* (index 7)",
            "E         1 too many:",
            "E           type=open mailId=* (2 times, delivered 1)",
            "E *assert 20 events == 20 events in another order",
            "E         the same events in a different order:",
            "E           at index 5 type=open mailId=*",
            "E           instead of type=open mailId=*",
            "E *assert 20 events == 22 events, the campaign has 20",
            "E         2 too many:",
            "E           type=open mailId=A (never delivered)",
            "E           42 (never delivered)",
            "E         20000 altered:",
            "*Left contains 20 more items*",
        ],
        consecutive=False,
    )


VIOLATED = """
    import pytest

    @pytest.fixture
    def violated(campaign, app):
        app.status = 204
        campaign.emit(campaign.webhook("open", target=app))
        campaign.advance("9s")
    """


def test_a_violation_that_nobody_asked_about_fails_the_test_at_teardown(inner: Inner) -> None:
    result = inner(
        VIOLATED
        + """
    def test_it(violated):
        pass
    """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_it*",
            "the consumer has violated Campaign's rules",
            "responds-200: Responded 204 (1 attempt)",
            "  required  An attempt succeeds if the consumer responds 200*",
            "(if the test intends this, mark it with @pytest.mark.mockcampaign(allow=['responds-200']))",
            "*- mockcampaign -*",
            "NOT COMPLIANT  test_it.py::test_it",
        ],
        consecutive=False,
    )


def test_a_violation_that_is_allowed_or_asked_about_does_not(inner: Inner) -> None:
    inner(
        VIOLATED
        + """
    @pytest.mark.mockcampaign(allow=["responds-200"])
    def test_allowed(violated):
        pass

    @pytest.mark.mockcampaign(allow=["responds-200"])
    class TestAllowed:
        @pytest.mark.mockcampaign(seed=3)
        def test_in_class(self, violated):
            pass

    def test_asked(violated, campaign):
        with pytest.raises(AssertionError, match="responds-200"):
            campaign.assert_compliant()
    """
    ).assert_outcomes(passed=3)


REFUSED = """
    import pytest
    from mockcampaign import Policy

    pytestmark = pytest.mark.mockcampaign(policy=Policy(event_age_max=60_000))

    @pytest.fixture
    def refused(campaign, app):
        app.status = 404
        campaign.emit(campaign.webhook("open", target=app), 3)
        campaign.run()
    """


def test_a_test_without_a_delivery_fails_unless_it_looked(inner: Inner) -> None:
    result = inner(
        REFUSED
        + """
    def test_it(refused):
        pass
    """
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "nothing was delivered, so the run shows nothing: the consumer responded 404, in all 6 attempts; the test "
            "has not looked at its deliveries (if it intends this, read campaign.delivered, discarded or pending, or "
            "mark it with @pytest.mark.mockcampaign(allow=[[]'nothing-delivered'[]]))",
            "    +0s … +50s  open  batch of 3, attempts 1-6 every 10s  404",
        ],
        consecutive=False,
    )


def test_outages_verdicts_and_pending_events_do_not_excuse_a_test_without_a_delivery(inner: Inner) -> None:
    """Only looking at deliveries excuses a test without any, as only an expectation excuses a scenario."""
    inner(
        REFUSED
        + """
    def test_asked(refused, campaign):
        campaign.assert_compliant()

    def test_declared(campaign, app):
        campaign.emit(campaign.webhook("open", target=app), 3)
        campaign.outage("2m")
        campaign.run()
        assert app.processed() == []

    def test_still_pending(campaign, app):
        app.status = 404
        campaign.emit(campaign.webhook("open", target=app), 3)
        campaign.advance("50s")
        assert app.processed() == []

    def test_no_time_has_passed(campaign, app):
        campaign.emit(campaign.webhook("open", target=app), 3)
        assert app.processed() == []

    def test_not_exported(campaign, app):
        campaign.deactivate(campaign.webhook("open", target=app))
        campaign.emit("open", 3)
        campaign.run()
        assert app.processed() == []

    def test_looked_before(campaign, app):
        opens = campaign.webhook("open", target=app)
        assert campaign.delivered == []
        campaign.emit(opens)

    def test_looked_before_a_mailing(campaign, app):
        app.status = 503
        campaign.webhook("open", target=app)
        assert campaign.delivered == []
        campaign.mailing(50)
        campaign.advance("3h")
    """
    ).assert_outcomes(passed=7, errors=7)


def test_a_test_without_a_delivery_passes_if_it_looked_failed_or_allowed_it(inner: Inner) -> None:
    looks = ("delivered == []", "len(campaign.discarded) == 3", "campaign.pending == []", "campaign.deliveries")
    inner(
        REFUSED
        + f"""
    @pytest.mark.parametrize("look", {looks})
    def test_looked(refused, campaign, look):
        assert eval(look if look.startswith(("len", "campaign")) else "campaign." + look)

    @pytest.mark.mockcampaign(allow=["nothing-delivered"])
    def test_allowed(refused):
        pass

    def test_nothing_was_due(campaign, app):
        campaign.webhook("open", target=app)
        campaign.run()

    def test_unreachable(campaign):
        campaign.emit(campaign.webhook("open", target="http://127.0.0.1:9"))
        with pytest.raises(Exception, match="at the first attempt"):
            campaign.run()
    """
    ).assert_outcomes(passed=7)


def test_a_result_without_a_delivery_is_not_compliant_even_if_allowed_or_skipped(
    inner: Inner, pytester: pytest.Pytester
) -> None:
    inner(
        REFUSED
        + """
    @pytest.mark.mockcampaign(allow=["nothing-delivered"])
    def test_allowed(refused):
        pass

    def test_skipped(refused):
        pytest.skip("not today")

    def test_failed(refused):
        pass
    """,
        "--mockcampaign-report-json=report.json",
    ).assert_outcomes(passed=2, errors=1, skipped=1)
    report = json.loads((pytester.path / "report.json").read_bytes())
    assert {scenario["name"].partition("::")[2]: scenario["verdict"] for scenario in report["scenarios"]} == {
        "test_allowed": "compliant",
        "test_skipped": "could-not-tell",
        "test_failed": "violated",
    }


def test_an_example_without_a_delivery_fails(inner: Inner) -> None:
    result = inner(
        """
        from hypothesis import given, settings
        from hypothesis.strategies import integers
        from conftest import App
        from mockcampaign import Policy
        import pytest

        @pytest.mark.mockcampaign(policy=Policy(event_age_max=60_000))
        @settings(max_examples=3, deadline=None)
        @given(count=integers(1, 2))
        def test_it(campaign, count):
            campaign.emit(campaign.webhook("open", target=App(404)), count)
            campaign.run()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: nothing was delivered, so the run shows nothing: the consumer *"])


def test_a_failing_or_skipped_test_fails_only_once(inner: Inner) -> None:
    inner(
        VIOLATED
        + """
    def test_failing(violated):
        assert False

    def test_skipped(violated):
        pytest.skip("not today")

    @pytest.mark.xfail(strict=True)
    def test_expected_to_fail(violated):
        assert False
    """
    ).assert_outcomes(failed=1, skipped=1, xfailed=1)


def test_markers_are_checked(inner: Inner) -> None:
    wrong = {
        "allow=['responds-201']": "*allow: unknown rule 'responds-201', did you mean 'responds-200'? *",
        "rules=['responds-200']": "*@pytest.mark.mockcampaign(rules), allowed: allow=[[]rule ids[]], seed=number*",
        "'responds-200'": "*@pytest.mark.mockcampaign('responds-200'), allowed: *",
        "policy={'timeout': 3}": "*marker: policy is a dict, allowed: mockcampaign.Policy(…)",
        "start='yesterday'": "*start: 'yesterday' is not a moment, allowed: a date-time with a zone*",
        "seed=-1": "*marker: seed is -1, allowed: a whole number from 0 to *",
    }
    tests = [
        f"""
    @pytest.mark.mockcampaign({arguments})
    def test_{number}(campaign):
        pass
    """
        for number, arguments in enumerate(wrong)
    ]
    result = inner(VIOLATED + "".join(tests))
    result.assert_outcomes(errors=len(wrong))
    result.stdout.fnmatch_lines(list(wrong.values()), consecutive=False)
    result.stdout.no_fnmatch_line("*campaign_settings.py*")


def test_the_help_groups_the_options_and_the_marker_is_registered(inner: Inner) -> None:
    text = inner("", "--help").stdout.str()
    [group] = [part for part in text.split("\n\n") if part.startswith("mockcampaign:")]
    assert "--mockcampaign-seed=SEED" in group
    assert "--mockcampaign-run-timeout=DURATION" in group
    assert "mockcampaign_seed (string):" in text
    assert "@pytest.mark.mockcampaign(allow=[]" in inner("", "--markers").stdout.str()
