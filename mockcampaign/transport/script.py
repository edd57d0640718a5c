"""Turns a request with wire faults into a script of what to write when, sans I/O. `Connection` carries it out."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from mockcampaign.faults import (
    Chunked,
    ContentType,
    CutBody,
    ExpectContinue,
    HeaderCase,
    Http10,
    IdleConnection,
    LostAck,
    NewConnection,
    SplitHeaders,
    StallBody,
    TrickleBody,
    last_of,
)
from mockcampaign.model import NoResponse, Outcome, Request
from mockcampaign.transport.address import encode_headers, encode_start, parse_address


class Piece(msgspec.Struct, frozen=True):
    """Bytes that are written together."""

    data: bytes
    pause: int | None = 0
    """Wall-clock milliseconds of silence before these bytes. None: silence until the time-out."""


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """How one request is sent, and how its response is treated."""

    head: tuple[Piece, ...]
    body: tuple[Piece, ...]
    """Empty if the head's last piece contains it."""
    patience: int | None
    """Milliseconds for which the body waits for status 100; None: it does not wait."""
    cut: Outcome | None
    """Outcome if the sender ends the connection instead of waiting for a response."""
    reset: bool
    """Whether the sender ends the connection by a reset."""
    dropped: str | None
    """When to drop the response if it is an acknowledgement: a key of `LOST`, or None."""
    fresh: bool
    """Whether the request needs a connection of its own."""
    idle: int | None
    """Milliseconds for which a kept connection has to be idle before the request is sent on it."""
    reusable: bool
    """Whether the connection may be kept for another request."""


def script(request: Request, host_header: str | None = None) -> Script:
    """Return the script of a request; `host_header` takes the place of the URL's host.

    Raises `InvalidInputError` as `parse_address` and `encode_headers` do.
    """
    faults = request.faults
    body = request.body
    chunked = last_of(faults, Chunked)
    if chunked is not None and not _speaks_http_1_0(request):
        body = _in_chunks(body, chunked.chunk_bytes)
    expect = None if _speaks_http_1_0(request) else last_of(faults, ExpectContinue)
    cut, lost, idle = last_of(faults, CutBody), last_of(faults, LostAck), last_of(faults, IdleConnection)
    fresh = last_of(faults, NewConnection) is not None
    head_pieces = _head_pieces(_head(request, host_header), last_of(faults, SplitHeaders))
    body_pieces = _body_pieces(body, cut, last_of(faults, StallBody), last_of(faults, TrickleBody))
    if expect is None and body_pieces and body_pieces[0].pause == 0:
        # Written together, as without faults: only faults separate head and body.
        last = head_pieces.pop()
        head_pieces.append(Piece(last.data + body_pieces.pop(0).data, last.pause))
    return Script(
        head=tuple(head_pieces),
        body=tuple(body_pieces),
        patience=None if expect is None else expect.timeout,
        cut=None if cut is None else cut_outcome(cut, len(body)),
        reset=cut is not None and cut.ending == "rst",
        dropped=None if lost is None else lost.dropped,
        fresh=fresh,
        idle=None if idle is None else idle.idle,
        reusable=not fresh and not _speaks_http_1_0(request),
    )


def header_fields(request: Request) -> list[tuple[bytes, bytes]]:
    """Return all header fields but `Host`, as the faults change them. Raises as `encode_headers` does."""
    faults = request.faults
    fields = list(encode_headers(request.headers))
    content_type = last_of(faults, ContentType)
    if content_type is not None:
        spelled = (b"Content-Type", content_type.value.encode("ascii"))
        fields = [spelled if name.lower() == b"content-type" else (name, value) for name, value in fields]
    # A sender that speaks HTTP/1.0 knows neither chunks nor status 100 (RFC 9112, 6.1, and RFC 9110, 10.1.1).
    old = _speaks_http_1_0(request)
    if last_of(faults, Chunked) is not None and not old:
        fields.append((b"Transfer-Encoding", b"chunked"))
    else:
        fields.append((b"Content-Length", b"%d" % len(request.body)))
    if last_of(faults, ExpectContinue) is not None and not old:
        fields.append((b"Expect", b"100-continue"))
    if last_of(faults, NewConnection) is not None and not old:
        fields.append((b"Connection", b"close"))
    return fields


def cut_outcome(cut: CutBody, body_bytes: int) -> Outcome:
    """Return the outcome of an attempt whose body, of this length on the wire, is cut."""
    return NoResponse("send", f"the body was cut after {cut.position(body_bytes):,} of {body_bytes:,} bytes")


def _speaks_http_1_0(request: Request) -> bool:
    return last_of(request.faults, Http10) is not None


def _head(request: Request, host_header: str | None) -> bytes:
    host = parse_address(request.url).host_header if host_header is None else host_header
    fields = [(b"Host", host.encode("ascii")), *header_fields(request)]
    case = last_of(request.faults, HeaderCase)
    if case is not None:
        fields = [(name.upper() if case.case == "upper" else name.lower(), value) for name, value in fields]
    start = encode_start(request.method, request.url, "1.0" if _speaks_http_1_0(request) else "1.1")
    return b"".join([start, *(b"%s: %s\r\n" % field for field in fields), b"\r\n"])


def _head_pieces(head: bytes, split: SplitHeaders | None) -> list[Piece]:
    if split is None:
        return [Piece(head)]
    size = split.piece_bytes
    return [Piece(head[at : at + size], split.pause if at else 0) for at in range(0, len(head), size)]


def _body_pieces(body: bytes, cut: CutBody | None, stall: StallBody | None, trickle: TrickleBody | None) -> list[Piece]:
    end = len(body) if cut is None else cut.position(len(body))
    starts = set(range(0, end, trickle.piece_bytes if trickle else max(end, 1)))
    stall_at = None if stall is None else stall.position(len(body))
    if stall_at is not None and stall_at < end:
        starts.add(stall_at)
    pieces = []
    ordered = [*sorted(starts), end]
    for at, following in pairwise(ordered):
        pause: int | None = trickle.pause if trickle is not None and at else 0
        if stall is not None and at == stall_at:
            pause = stall.pause
        pieces.append(Piece(body[at:following], pause))
    return pieces


def _in_chunks(body: bytes, size: int) -> bytes:
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join([b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks] + [b"0\r\n\r\n"])
