"""Scenario files as pytest items."""

from __future__ import annotations

import pytest

from conftest import Inner
from mockcampaign.serving import serve_in_thread
from plugin_apps import App

SCENARIO = """
name: Two hours lose nothing
consumer:
  url: http://127.0.0.1:1/hook
  fixture: app
webhooks:
  opens: {type: open}
steps:
  - activate: opens
  - emit: {type: open, count: 250}
  - outage: {for: 2h}
  - run: until-idle
  - expect:
      opens: {delivered: 250, batch_events: [100, 100, 50]}
"""

PROBED = """
    import json
    import pytest

    @pytest.fixture
    def probed():
        events = []
        def consumer(environ, start_response):
            if environ["REQUEST_METHOD"] == "POST":
                events.extend(json.loads(environ["wsgi.input"].read()))
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(events[::LOSING]).encode()]
        return consumer
    """


@pytest.mark.slow
def test_each_scenario_is_an_item(inner: Inner, pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("deeper")
    (folder / "outage.scenario.yaml").write_text(SCENARIO)
    matrix = SCENARIO.replace("count: 250", "count: '${matrix.count}'").replace("Two hours lose nothing", "A matrix")
    matrix = matrix.replace("delivered: 250, batch_events: [100, 100, 50]", "discarded: 0")
    matrix = f"tags: [matrix, slow-one]\nmatrix: {{count: [1, 250]}}\n{matrix}"
    (folder / "matrix.scenario.yaml").write_text(matrix)
    result = inner("", "--collect-only", "-q")
    result.stdout.fnmatch_lines(
        [
            "deeper/matrix.scenario.yaml::A matrix *1*",
            "deeper/matrix.scenario.yaml::A matrix *250*",
            "deeper/outage.scenario.yaml::Two hours lose nothing",
        ]
    )
    inner("").assert_outcomes(passed=3)
    inner("", "-k", "matrix").assert_outcomes(passed=2, deselected=1)
    inner("", "--strict-markers", "-m", "slow-one").assert_outcomes(passed=2, deselected=1)
    inner("", "deeper/outage.scenario.yaml::Two hours lose nothing").assert_outcomes(passed=1)
    inner("", "-o", "mockcampaign_scenarios=false").assert_outcomes()


def test_a_failing_scenario_shows_the_line_of_its_expectation(inner: Inner, pytester: pytest.Pytester) -> None:
    (pytester.path / "t.scenario.yaml").write_text(SCENARIO.replace("delivered: 250", "delivered: 251"))
    result = inner("", "--mockcampaign-seed=5")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*_ Two hours lose nothing _*",
            "t.scenario.yaml:14:26: opens.delivered: 251, got 250",
            "NOT COMPLIANT  Two hours lose nothing",
            "    +0s … +1h59m50s  opens  batch of 100, attempts 1-720 every 10s  connection refused",
            "  FAIL opens.delivered: 251",
            "  seed 5; to repeat it:",
            "    pytest 't.scenario.yaml::Two hours lose nothing' --mockcampaign-seed 5",
        ],
        consecutive=False,
    )
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize(("losing", "passed"), [(1, 1), (2, 0)])
def test_the_probe_is_requested_in_process_too(
    inner: Inner, pytester: pytest.Pytester, losing: int, passed: int
) -> None:
    scenario = SCENARIO.replace("  fixture: app\n", '  probe: {url: "http://127.0.0.1:1/processed", events: "@"}\n')
    scenario += "      consumer: {processed: exactly-once}\n"
    (pytester.path / "t.scenario.yaml").write_text(scenario)
    pytester.makeini("[pytest]\nmockcampaign_consumer = probed\n")
    pytester.makepyfile(conftest=f"LOSING = {losing}\n" + "\n".join(line[4:] for line in PROBED.splitlines()))
    result = inner("")
    result.assert_outcomes(passed=passed, failed=1 - passed)
    if not passed:
        result.stdout.fnmatch_lines(
            ["*consumer.processed: exactly-once, got 125 of 250 delivered events are missing from the store, first *"]
        )


def test_the_consumer_fixture_is_a_url_or_missing(inner: Inner, pytester: pytest.Pytester) -> None:
    with serve_in_thread(App()) as url:
        (pytester.path / "t.scenario.yaml").write_text(SCENARIO.replace("fixture: app", "fixture: elsewhere"))
        direct = SCENARIO.replace("  fixture: app\n", "").replace("http://127.0.0.1:1", url)
        (pytester.path / "u.scenario.yaml").write_text(direct.replace("Two hours", "Two other hours"))
        source = f"import pytest\n@pytest.fixture\ndef elsewhere(): return {url!r}\ndef test_it(): pass\n"
        pytester.makepyfile(conftest=source)
        inner_result = inner("")
    inner_result.assert_outcomes(passed=2)


def test_an_inconclusive_scenario_fails_and_says_why(inner: Inner, pytester: pytest.Pytester) -> None:
    with serve_in_thread(App()) as url:
        pass
    unreachable = SCENARIO.replace("  fixture: app\n", "").replace("http://127.0.0.1:1", url)
    (pytester.path / "t.scenario.yaml").write_text(unreachable.replace("  - outage: {for: 2h}\n", ""))
    result = inner("")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*inconclusive: consumer * connection refused at the first attempt*"])


def test_a_broken_file_is_a_collection_error_in_one_line(inner: Inner, pytester: pytest.Pytester) -> None:
    (pytester.path / "t.scenario.yaml").write_text(SCENARIO.replace("emit:", "emti:"))
    result = inner("")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*t.scenario.yaml:10:5: unknown step 'emti', did you mean 'emit'? *"])
    assert "Traceback" not in result.stdout.str()
    (pytester.path / "t.scenario.yaml").write_text(SCENARIO.replace("fixture: app", "fixture: nobody"))
    inner("").stdout.fnmatch_lines(["*fixture 'nobody' not found*"])
