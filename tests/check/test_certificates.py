"""The rule about certificates, with a correct consumer behind good and bad ones."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from pathlib import Path

import pytest
import uvicorn
from pytest_httpserver import HTTPServer

from endpoints import AUTHORITY, server_context, until
from mockcampaign.check.check import check
from mockcampaign.check.settings import Settings
from mockcampaign.cli import cli
from mockcampaign.errors import CouldNotTellError
from mockcampaign.judging.verdict import RunResult, exit_status
from mockcampaign.samples.consumer import consumer_app
from mockcampaign.serving import listen
from mockcampaign.transport.address import Routes
from mockcampaign.transport.wire import WireTransport

PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def checked(
    folder: Path, *names: str, ca_file: Path | None = None, url_name: str = "localhost", **validity: datetime.datetime
) -> RunResult:
    certificate = AUTHORITY.issue_cert(*names, **validity)
    (folder / "certificate.pem").write_bytes(certificate.private_key_and_cert_chain_pem.bytes())

    async def main() -> RunResult:
        config = uvicorn.Config(
            consumer_app(), ssl_certfile=folder / "certificate.pem", lifespan="off", log_level="critical"
        )
        server = uvicorn.Server(config)
        with contextlib.closing(listen("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            routes = Routes({(url_name, port): "127.0.0.1"})
            # An insecure sender delivers anyway: the rule asks whether Campaign would.
            transport = WireTransport(verify=False, routes=routes)
            serving = asyncio.create_task(server.serve([listening]))
            try:
                await until(lambda: server.started)
                settings = Settings(
                    now=1_750_000_000_000, seed=1, rules=("has-valid-certificate",), routes=routes, ca_file=ca_file
                )
                return await check(f"https://{url_name}:{port}/hook", transport=transport, settings=settings)
            finally:
                await transport.aclose()
                server.should_exit = True
                await serving

    return asyncio.run(main())


@pytest.fixture
def trusting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this machine trust our authority."""
    AUTHORITY.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


@pytest.mark.usefixtures("trusting")
def test_a_valid_certificate_passes(tmp_path: Path) -> None:
    result = checked(tmp_path, "localhost")
    assert [finding.outcome for finding in result.rules] == ["pass"]
    assert exit_status(result) == 0


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(
    ("name", "validity", "said"),
    [
        ("elsewhere.test", {}, "the certificate is for another host"),
        ("localhost", {"not_before": PAST, "not_after": PAST + datetime.timedelta(days=1)}, "certificate has expired"),
    ],
)
def test_a_certificate_for_another_name_or_time_is_a_hazard(
    tmp_path: Path, name: str, validity: dict[str, datetime.datetime], said: str
) -> None:
    [finding] = checked(tmp_path, name, **validity).rules
    assert (finding.id, finding.outcome, finding.identity) == ("has-valid-certificate", "warn", "handshake-failed")
    assert said in finding.actual


def test_a_certificate_of_an_unknown_authority_is_a_hazard(tmp_path: Path) -> None:
    result = checked(tmp_path, "localhost")
    [finding] = result.rules
    assert (finding.id, finding.outcome, finding.identity) == ("has-valid-certificate", "warn", "handshake-failed")
    assert "the certificate is not issued by a trusted authority" in finding.actual
    assert exit_status(result) == 0


def test_a_certificate_of_a_given_authority_passes_for_the_right_name_alone(tmp_path: Path) -> None:
    AUTHORITY.cert_pem.write_to_path(tmp_path / "authority.pem")
    found = [checked(tmp_path, name, ca_file=tmp_path / "authority.pem") for name in ("localhost", "elsewhere.test")]
    assert [finding.outcome for result in found for finding in result.rules] == ["pass", "warn"]


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize(("name", "outcome"), [("consumer.example", "pass"), ("localhost", "warn")])
def test_a_certificate_has_to_be_valid_for_a_name_that_is_routed(tmp_path: Path, name: str, outcome: str) -> None:
    [finding] = checked(tmp_path, name, url_name="consumer.example").rules
    assert finding.outcome == outcome


def test_a_certificate_that_fails_every_handshake_gets_a_hint() -> None:
    with HTTPServer(ssl_context=server_context("localhost")) as server, pytest.raises(CouldNotTellError) as refused:
        cli.main(["check", server.url_for("/hook"), "-q"], standalone_mode=False)
    said = str(refused.value)
    assert "the certificate is not issued by a trusted authority" in said
    assert "start the consumer" not in said
    assert said.endswith("--ca FILE trusts your own CA; --insecure examines everything else and reports that hazard")
