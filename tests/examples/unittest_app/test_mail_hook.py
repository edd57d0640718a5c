import unittest

import mail_hook

import mockcampaign


class LostResponseTest(unittest.TestCase):
    def setUp(self):
        mail_hook.stored.clear()

    def test_a_lost_response_does_not_count_twice(self):
        with mockcampaign.campaign(mail_hook.application, "/hook") as campaign:
            campaign.emit("open", count=250)
            with campaign.fault("lost-ack", times=1):
                campaign.run()
            assert len(mail_hook.stored) == 250
            campaign.assert_compliant(processed=mail_hook.stored.values())


class LostResponseAsyncTest(unittest.IsolatedAsyncioTestCase):
    async def test_two_hours_of_outage_lose_nothing(self):
        mail_hook.stored.clear()
        async with mockcampaign.campaign(mail_hook.application, "/hook", type="click") as campaign:
            campaign.emit("click", count=250, over="10m")
            campaign.outage("2h")
            await campaign.run()
            assert list(mail_hook.stored.values()) == campaign.delivered


if __name__ == "__main__":
    unittest.main()
