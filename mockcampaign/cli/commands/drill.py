"""`mockcampaign drill`: what happens rarely and has to work: a set-up whose calls fail, and a deployment."""

from __future__ import annotations

import click

from mockcampaign.cli.drills.deploy_command import deploy
from mockcampaign.cli.drills.provisioning_command import provisioning
from mockcampaign.cli.usage import unknown_command


class _Drills(click.Group):
    """The group of all drills."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            raise unknown_command(args[0], list(self.commands), ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Drills)
def drill() -> None:
    """Practise what happens rarely: setting webhooks up, and deploying the consumer."""


drill.add_command(provisioning)
drill.add_command(deploy)
