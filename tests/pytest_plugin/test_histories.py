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


@pytest.mark.parametrize(("consumer", "failed"), [("Consumer", False), ("BUGS['never-deduplicates'].consumer", True)])
def test_histories_fail_a_test_if_one_does(inner: Inner, consumer: str, failed: bool) -> None:
    result = inner(TEST.format(consumer=consumer))
    if failed:
        result.stdout.fnmatch_lines(["*After the history (lost-ack, 1 event), 1 duplicate is in the store*"])
    else:
        result.assert_outcomes(passed=1)
