import pytest
from django_hook.models import Event


def processed():
    return [event.payload for event in Event.objects.order_by("id")]


@pytest.mark.django_db
def test_in_process_within_the_transaction_of_the_test(campaign):
    from django_hook.wsgi import application

    opens = campaign.webhook("open", target=application, path="/hook")
    campaign.emit(opens, count=120)
    with campaign.fault("lost-ack", times=2):
        campaign.run()
    assert processed() == campaign.delivered


def test_over_a_socket(campaign, live_server, transactional_db):
    opens = campaign.webhook("open", target=live_server, path="/hook")
    campaign.emit(opens, count=120)
    campaign.run()
    assert processed() == campaign.delivered
