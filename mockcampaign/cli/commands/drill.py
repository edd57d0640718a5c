"""`mockcampaign drill`: what happens rarely and has to work: a set-up whose calls fail, and a deployment."""

from __future__ import annotations

import click

from mockcampaign.cli.drills.deploy_command import deploy
from mockcampaign.cli.drills.provisioning_command import provisioning
from mockcampaign.cli.usage import SubCommands


@click.group(cls=SubCommands)
def drill() -> None:
    """Practise what happens rarely: setting webhooks up, and deploying the consumer."""


drill.add_command(provisioning)
drill.add_command(deploy)
