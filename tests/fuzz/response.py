"""Fuzz whatever an endpoint can do on a connection: `python tests/fuzz/response.py -max_total_time=60`.

All options are libFuzzer's. An input is what happens on one connection, encoded; the laws are those of
`tests/transport/test_response.py`: one outcome, within its limits, never an exception, however the bytes are cut. A
failing input is written to a file, whose name as the only argument plays it again.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

with atheris.instrument_imports(include=["mockcampaign.transport"]):
    from feeding import FRAGMENTS, KEPT, feed, in_one_piece
    from mockcampaign.model import PHASES, NoResponse, Responded, TimedOut

LOOP = asyncio.new_event_loop()
ENDINGS = ("eof", "", "rst", "taken", "late")
TAKES = (10_000, 50, 0)
"""How many bytes of the request the operating system takes at once; it has a hundred and more."""


def assert_fits(outcome: object) -> None:
    match outcome:
        case Responded(status=status, body=body, body_bytes=body_bytes):
            assert 100 <= status <= 999
            assert len(body) == min(KEPT, body_bytes)
        case NoResponse(phase=phase) | TimedOut(phase=phase):
            assert phase in PHASES
        case _:
            raise AssertionError(outcome)


def one_input(data: bytes) -> None:
    """The size of the pieces in which the answer comes, what happens besides, and the answer."""
    if len(data) < 2:
        return
    size, besides, answer = data[0] or len(data), data[1], data[2:]
    ending = ENDINGS[besides % len(ENDINGS)]
    takes = TAKES[besides // len(ENDINGS) % len(TAKES)]
    events: list[bytes | str] = [answer[at : at + size] for at in range(0, len(answer), size)]
    outcome = LOOP.run_until_complete(feed([*events, ending] if ending else events, takes=takes))
    if takes == TAKES[0] and ending in ("eof", ""):
        expected = in_one_piece(answer, closed=ending == "eof")
        assert outcome == expected, (outcome, expected)
    if ending in ("eof", "rst", "late"):
        assert outcome is not None
    if outcome is not None:
        assert_fits(outcome)


def seeds() -> Iterator[bytes]:
    """Answers that are nearly well-formed, to begin with."""
    for start in FRAGMENTS[:7]:
        for field in FRAGMENTS[7:15]:
            for rest in (b"abc", b"3\r\nabc\r\n0\r\n\r\n"):
                yield start + field + b"\r\n" + rest


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        dictionary = folder / "fragments.dict"
        dictionary.write_text(
            "".join('"{}"\n'.format("".join(f"\\x{byte:02x}" for byte in fragment)) for fragment in FRAGMENTS)
        )
        (folder / "seeds").mkdir()
        for index, seed in enumerate(seeds()):
            for size in (0, 1, 7):
                (folder / "seeds" / f"{index}-{size}").write_bytes(bytes((size, index % 15)) + seed)
        atheris.Setup([*sys.argv, f"-dict={dictionary}", "-max_len=1000", str(folder / "seeds")], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
