"""The probe of stored events that the options of a command describe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mockcampaign.errors import InvalidInputError, naming

if TYPE_CHECKING:
    from mockcampaign.check.settings import Settings


def check_probe(*, url: str | None, command: str | None, events: str | None, count: str | None) -> None:
    """Raise `InvalidInputError` for options that contradict each other."""
    from mockcampaign.check.probes.run_command import runnable
    from mockcampaign.judging.consumer_store import check_jmespath
    from mockcampaign.transport.address import parse_address

    if url is not None and command is not None:
        raise InvalidInputError("allowed: one of --probe and --probe-command, found both")
    if events is not None and count is not None:
        raise InvalidInputError("allowed: one of --probe-events and --probe-count, found both")
    for option, path in (("--probe-events", events), ("--probe-count", count)):
        if path is not None:
            if url is None and command is None:
                raise InvalidInputError(
                    f"{option} has no effect alone, allowed: {option} with --probe or --probe-command"
                )
            with naming(option):
                check_jmespath(path)
    if url is not None:
        with naming("--probe"):
            parse_address(url)
    if command is not None:
        runnable(command, "--probe-command")


def check_probed(settings: Settings, *, url: str | None, command: str | None) -> None:
    """Raise `InvalidInputError` for fields and placeholders of a probe that the events do not have."""
    from mockcampaign.check.probes.run_command import parsed
    from mockcampaign.check.probes.store_probe import command_placeholders
    from mockcampaign.shape.placeholders import in_braces, require_roles

    unknown = sorted(set(settings.probe_fields) - set(settings.top_names))
    if unknown:
        raise InvalidInputError(f"--probe-fields: {unknown[0]!r} is unknown, allowed: {', '.join(settings.top_names)}")
    require_roles(in_braces(url or "", "--probe"), settings.shape, "--probe")
    if command is not None:
        require_roles(command_placeholders(parsed(command), "--probe-command"), settings.shape, "--probe-command")
