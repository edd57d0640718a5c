"""The fixture `campaign_histories` plays random histories on an application in the test's process."""

from __future__ import annotations

import pytest

from conftest import Inner

TEST = """
    from mockcampaign.samples.consumer import application
    from mockcampaign.samples.bugs import BUGS
    from mockcampaign.samples.correct import Consumer
    from mockcampaign.samples.store import Store

    def test_histories(campaign_histories):
        consumer = {consumer}(Store(), None)
        campaign_histories(application(consumer), "/hook", probe=consumer.store.events, count=60)
"""


EXAMPLES = """
    from hypothesis import given, settings, strategies as st
    from mockcampaign.samples.consumer import application
    from mockcampaign.samples.correct import Consumer
    from mockcampaign.samples.store import Store

    @settings(max_examples=3, deadline=None)
    @given(count=st.integers(1, 3))
    def test_in_examples(campaign_histories, count):
        consumer = Consumer(Store(), None)
        campaign_histories(application(consumer), "/hook", probe=consumer.store.events, count=count)

    def test_beside_a_check(campaign_check, campaign_histories):
        consumer = Consumer(Store(), None)
        inner, started = application(consumer), []

        async def app(scope, receive, send):
            started.extend([1] * (scope["type"] == "lifespan"))
            await inner(scope, receive, send)

        campaign_histories(app, "/hook", probe=lambda: consumer.store.events(), count=3)
        consumer.store = Store()
        campaign_check(app, "/hook", probe=lambda: consumer.store.events(), rules=["responds-200"])
        assert len(started) == 1
"""


def test_histories_begin_anew_in_each_example_and_share_the_check_of_a_test(inner: Inner) -> None:
    inner(EXAMPLES).assert_outcomes(passed=2)


@pytest.mark.parametrize(("consumer", "failed"), [("Consumer", False), ("BUGS['never-deduplicates'].consumer", True)])
def test_histories_fail_a_test_if_one_does(inner: Inner, consumer: str, failed: bool) -> None:
    result = inner(TEST.format(consumer=consumer))
    if failed:
        result.stdout.fnmatch_lines(["*After the history (lost-ack, 1 event), 1 duplicate is in the store*"])
    else:
        result.assert_outcomes(passed=1)
