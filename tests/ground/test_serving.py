"""Serving on a real port: what it serves, what it rejects, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from starlette.applications import Starlette

from mockcampaign.errors import InvalidInputError
from mockcampaign.serving import base_url, check_tls_files, listen, serve_in_thread, serve_until_signalled
from mockcampaign.serving.tls import TlsOptions, tls_files

LOOPBACK = "127.0.0.1"


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Responds 200 with the path."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


def answer_of(url: str, path: str = "/x") -> bytes:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


_BEFORE: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def others() -> None:
    """A server that other tests of the session share may go on in this process."""
    _BEFORE.clear()
    _BEFORE.update(threading.enumerate())


def served_threads() -> list[threading.Thread]:
    """Return the server threads that this test has started."""
    return [
        thread for thread in threading.enumerate() if thread.name == "mockcampaign-served" and thread not in _BEFORE
    ]


def test_it_serves_while_the_context_is_open_and_releases_port_and_thread() -> None:
    with serve_in_thread(app) as url:
        assert url == f"http://127.0.0.1:{port_of(url)}"
        assert answer_of(url) == b"/x"
        assert len(served_threads()) == 1
    assert served_threads() == []
    with pytest.raises(ConnectionRefusedError):
        answer_of(url)
    listen(LOOPBACK, port_of(url)).close()


def test_a_port_can_be_served_again_at_once_after_the_server_closed_connections() -> None:
    with socket.socket() as client:
        with serve_in_thread(app) as url:
            client.connect((LOOPBACK, port_of(url)))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1) == b"H"
        while client.recv(1_000):
            pass
    with serve_in_thread(app, port=port_of(url)) as again:
        assert again == url
        assert answer_of(again) == b"/x"


def test_two_servers_at_a_time_have_different_ports() -> None:
    with serve_in_thread(app) as one, serve_in_thread(app) as other:
        assert one != other
        assert [answer_of(url) for url in (one, other)] == [b"/x", b"/x"]


def test_an_error_within_the_context_ends_the_server() -> None:
    with pytest.raises(KeyError), serve_in_thread(app) as url:
        raise KeyError
    assert served_threads() == []
    listen(LOOPBACK, port_of(url)).close()


@pytest.mark.slow
def test_an_open_request_does_not_keep_the_server_from_ending() -> None:
    arrived, cancelled = threading.Event(), threading.Event()

    async def stuck(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        arrived.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with socket.socket() as client:
        with serve_in_thread(stuck) as url:
            client.connect((LOOPBACK, port_of(url)))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert arrived.wait(30)
        assert cancelled.is_set()
    assert served_threads() == []


def test_a_taken_port_is_rejected_and_stays_with_its_owner() -> None:
    with serve_in_thread(app) as url:
        port = port_of(url)
        with pytest.raises(InvalidInputError) as refused, serve_in_thread(app, port=port):
            pass
        assert str(refused.value).startswith(f"cannot listen on 127.0.0.1 port {port}: ")
        assert str(refused.value).endswith(", allowed: an address of this machine and a free port, or 0 to pick one")
        assert answer_of(url) == b"/x"
        assert len(served_threads()) == 1


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("192.0.2.1", 0),
        ("2001:db8::1", 0),
        ("nobody.invalid", 0),
        ("x" * 64, 0),
        ("ä..b", 0),
        ("\udc80", 0),
        ("a\x00b", 0),
        ("a\nb", 0),
        ("", 0),
        (LOOPBACK, -1),
        (LOOPBACK, 65_536),
        ("::1", 65_536),
    ],
)
def test_a_foreign_or_invalid_address_is_rejected_in_one_line(host: str, port: int) -> None:
    with pytest.raises(InvalidInputError) as refused:
        listen(host, port)
    message = str(refused.value)
    assert message.startswith(f"cannot listen on {host if host.isprintable() and host else repr(host)} port {port}: ")
    assert message.endswith(", allowed: an address of this machine and a free port, or 0 to pick one")
    assert message.isprintable()


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        (LOOPBACK, "http://127.0.0.1:"),
        ("localhost", "http://localhost:"),
        ("0.0.0.0", "http://127.0.0.1:"),
        ("0", "http://127.0.0.1:"),
        pytest.param("::1", "http://[::1]:", marks=needs_ipv6),
        pytest.param("::", "http://[::1]:", marks=needs_ipv6),
        pytest.param("::0", "http://[::1]:", marks=needs_ipv6),
    ],
)
def test_the_url_leads_to_the_socket(host: str, shown: str) -> None:
    with contextlib.closing(listen(host, 0)) as listening:
        url = base_url("http", host, listening)
        port = listening.getsockname()[1]
        assert url == f"{shown}{port}"
        family = listening.family
        with socket.socket(family) as client:
            client.connect((url.removeprefix("http://").rpartition(":")[0].strip("[]"), port))


def test_the_scheme_is_the_callers() -> None:
    with contextlib.closing(listen(LOOPBACK, 0)) as listening:
        assert base_url("https", LOOPBACK, listening).startswith("https://127.0.0.1:")


@needs_ipv6
def test_it_serves_on_ipv6() -> None:
    with serve_in_thread(app, host="::1") as url:
        assert url == f"http://[::1]:{port_of(url)}"
        assert answer_of(url) == b"/x"


def test_the_application_starts_before_the_url_is_known_and_stops_at_the_end() -> None:
    happened = []

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        happened.append("started")
        yield
        happened.append("stopped")

    with serve_in_thread(Starlette(lifespan=lifespan)):
        assert happened == ["started"]
    assert happened == ["started", "stopped"]


def test_an_application_that_fails_at_its_start_is_an_error_with_its_own_message_above(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("no database")
        yield

    with contextlib.closing(listen(LOOPBACK, 0)) as briefly:
        port = briefly.getsockname()[1]
    with pytest.raises(InvalidInputError) as failed, serve_in_thread(Starlette(lifespan=lifespan), port=port):
        pytest.fail("serves an application that is not there")
    assert str(failed.value) == "the application did not start; see its own message above"
    assert "RuntimeError: no database" in capsys.readouterr().err
    assert served_threads() == []
    listen(LOOPBACK, port).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_server_and_restores_the_handlers(number: signal.Signals) -> None:
    """Install a handler of our own, so that an uncaught signal does not end the tests."""
    uncaught = []
    before = {one: signal.signal(one, lambda *_: uncaught.append(_)) for one in (signal.SIGINT, signal.SIGTERM)}
    ours = {one: signal.getsignal(one) for one in before}
    answers = []

    def user(url: str) -> None:
        answers.append(answer_of(url))
        os.kill(os.getpid(), number)

    try:
        with contextlib.closing(listen(LOOPBACK, 0)) as listening:
            thread = threading.Thread(target=user, args=(base_url("http", LOOPBACK, listening),))
            asyncio.run(serve_until_signalled(app, listening, tls_files=None, ready=thread.start))
            thread.join()
        assert {one: signal.getsignal(one) for one in before} == ours
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    assert (answers, uncaught) == ([b"/x"], [])


@pytest.fixture
def pem_files(tmp_path: Path) -> dict[str, str]:
    """Paths of a certificate chain, its key, the same key behind a pass phrase, another key, and worse."""
    certificate, other = trustme.CA().issue_cert("localhost"), trustme.CA().issue_cert("localhost")
    contents = {
        "certificate": certificate.cert_chain_pems[0].bytes(),
        "key": certificate.private_key_pem.bytes(),
        "other key": other.private_key_pem.bytes(),
        "locked key": load_pem_private_key(certificate.private_key_pem.bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass phrase")
        ),
        "garbage": b"\xff\x00 garbage",
        "empty": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return {name: str(tmp_path / name) for name in (*contents, "nowhere")}


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        ("certificate", "other key"),
        ("certificate", "locked key"),
        ("certificate", "garbage"),
        ("certificate", "certificate"),
        ("certificate", "nowhere"),
        ("garbage", "key"),
        ("empty", "empty"),
        ("key", "certificate"),
        ("nowhere", "key"),
    ],
)
def test_unusable_tls_files_are_rejected_in_one_line(pem_files: dict[str, str], certificate: str, key: str) -> None:
    files = (pem_files[certificate], pem_files[key])
    with contextlib.closing(listen(LOOPBACK, 0)) as listening, pytest.raises(InvalidInputError) as refused:
        asyncio.run(serve_until_signalled(app, listening, tls_files=files, ready=pytest.fail))
    message = str(refused.value)
    assert message.startswith(f"certificate {files[0]} and key {files[1]}: ")
    assert message.endswith(", allowed: two PEM files that belong together, the key without a pass phrase")
    assert message.isprintable()


def test_a_missing_tls_file_is_named(pem_files: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match=": No such file or directory, allowed: "):
        check_tls_files(pem_files["nowhere"], pem_files["key"])


def test_tls_files_that_belong_together_are_accepted(pem_files: dict[str, str]) -> None:
    check_tls_files(pem_files["certificate"], pem_files["key"])


def test_certificates_without_a_temporary_folder_need_a_file_for_the_ca(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a root file system that is read-only."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with contextlib.ExitStack() as stack:
        with pytest.raises(InvalidInputError, match=r"^--tls: no temporary folder .*, allowed: .*, or --tls-ca-file$"):
            tls_files(TlsOptions(tls=True), (), "--allow-host", stack, stack)
        named = TlsOptions(tls=True, tls_ca_file=tmp_path / "ca.pem")
        files, _ = tls_files(named, (), "--allow-host", stack, stack)
        assert files is not None
        check_tls_files(*files)
