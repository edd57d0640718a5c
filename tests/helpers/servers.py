"""The fake server on a real port, for tests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import requests

from mockcampaign.clients.definitions import ClientDefinition
from mockcampaign.clocks.clock_file import ClockFile
from mockcampaign.policy import DEFAULT_CLIENT_ID, Policy
from mockcampaign.server.app import server_app
from mockcampaign.server.consumer_probe import ProbeOptions, consumer_probe
from mockcampaign.server.served_campaign import ServedCampaign, ServerSettings, first_webhook_id
from mockcampaign.server.users import Users, users_of
from mockcampaign.serving import serve_in_thread
from mockcampaign.transport.targets import AllowedTargets
from mockcampaign.transport.wire import WireTransport

CLIENT = DEFAULT_CLIENT_ID
OTHER_CLIENT = CLIENT + 1
FIRST_ID = first_webhook_id(1)
"""Id of the first webhook of a server with the seed of these tests."""
USER, PASSWORD = "acme", "s3cret-of-acme"
OTHER_USER, OTHER_PASSWORD = "other", "s3cret-of-other"


class Server:
    """A running server, with its two APIs for programs."""

    def __init__(self, url: str, campaign: ServedCampaign) -> None:
        self.url = url
        self.campaign = campaign
        self._session = requests.Session()

    def rest(self, method: str, path: str, form: Any = None, **more: Any) -> requests.Response:
        """Call the vendor's API for the first client, unless `client` says otherwise."""
        client = more.pop("client", CLIENT)
        auth = more.pop("auth", (OTHER_USER, OTHER_PASSWORD) if client == OTHER_CLIENT else (USER, PASSWORD))
        url = f"{self.url}/rest/{client}{path}"
        return self._session.request(method, url, data=form, auth=auth, timeout=30, **more)

    def control(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        """Call the double's own API."""
        return self._session.request(method, f"{self.url}/__mockcampaign{path}", json=body, timeout=30, **more)

    def create(self, target: str = "http://127.0.0.1:9/hook", event_type: str = "open", **more: Any) -> int:
        """Create a webhook; returns its id."""
        client = more.pop("client", CLIENT)
        form = {"targetUrl": target, "type": event_type, "format": "json", **more}
        answer = self.rest("POST", "/webhooks", form, client=client)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def activated(self, target: str, event_type: str = "open", **more: Any) -> int:
        """Create and activate a webhook; returns its id."""
        number = self.create(target, event_type, **more)
        assert self.rest("POST", f"/webhooks/{number}/activate", client=more.get("client", CLIENT)).status_code == 200
        return number

    def advance(self, by: str) -> None:
        """Let virtual time pass."""
        assert self.control("POST", "/clock/advance", {"by": by}).status_code == 200

    def state(self) -> Any:
        """Return the state from the control API."""
        return self.control("GET", "/state").json()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


@contextlib.contextmanager
def running_server(
    *,
    speed: float = 0,
    policy: Policy = Policy(),
    seed: int = 1,
    targets: AllowedTargets | None = None,
    port: int = 0,
    start: int | None = None,
    probe: ProbeOptions | None = None,
    clients: Mapping[int, ClientDefinition] = {},
    clock: ClockFile | None = None,
) -> Iterator[Server]:
    """Run a server with two clients; without a speed, only `advance` moves its clock."""
    users = Users(
        {
            CLIENT: users_of(CLIENT, [(USER, PASSWORD)]),
            OTHER_CLIENT: users_of(OTHER_CLIENT, [(OTHER_USER, OTHER_PASSWORD)]),
        }
    )
    transport = WireTransport(targets=targets)
    settings = ServerSettings(speed=speed, policy=policy, seed=seed, start=start, clients=clients)
    campaign = ServedCampaign(transport, users, settings, clock=clock)
    asking = WireTransport()
    campaign.consumer = consumer_probe(probe or ProbeOptions(), asking, settings.event_shapes, timeout=5_000)
    with serve_in_thread(
        server_app(campaign, host_names=("campaign.test",)), port=port, ending=campaign.closing.set
    ) as url:
        server = Server(url, campaign)
        try:
            yield server
        finally:
            server.close()
