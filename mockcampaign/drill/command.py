"""Runs the team's own set-up, a command whose environment says where the server is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence

from mockcampaign.errors import CouldNotTellError, InvalidInputError
from mockcampaign.text import unknown

VARIABLE_PREFIX = "MOCKCAMPAIGN_"
"""Prefix of the environment variables that each command gets, such as `MOCKCAMPAIGN_REST_URL`."""

SHOWN_CHARACTERS = 500
"""Number of characters of a command's last output that a message shows."""


class SetUpCommand:
    """A command with its environment, which may name values of the server as `{url}`."""

    def __init__(self, words: Sequence[str], variables: Mapping[str, str], *, seconds_max: float) -> None:
        """`variables` are further environment variables. A run is stopped after `seconds_max` of wall time."""
        self.words = tuple(words)
        self._variables = dict(variables)
        self._seconds_max = seconds_max
        self.output = ""
        """End of what the last run printed on standard error, or else on standard output."""

    def check(self, values: Mapping[str, str]) -> None:
        """Raise `InvalidInputError` if a variable names a value that does not exist."""
        for name, text in self._variables.items():
            try:
                text.format_map(values)
            except KeyError as error:
                raise InvalidInputError(f"--env {name}: {unknown('value', str(error.args[0]), list(values))}") from None
            except (ValueError, IndexError, AttributeError) as error:
                raise InvalidInputError(f"--env {name}: {error}, allowed: {{NAME}}, and {{{{ for a brace") from None

    def run(self, values: Mapping[str, str]) -> int | None:
        """Run the command and return its exit status, or None if it had to be stopped.

        Raises `CouldNotTellError` if it cannot be started.
        """
        own = {f"{VARIABLE_PREFIX}{name.upper()}": value for name, value in values.items()}
        own |= {name: text.format_map(values) for name, text in self._variables.items()}
        try:
            done = subprocess.run(
                self.words,
                env={**os.environ, **own},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._seconds_max,
                check=False,
            )
        except OSError as error:
            raise CouldNotTellError(f"command {self.words[0]}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            return None
        printed = done.stderr.strip() or done.stdout.strip()
        self.output = printed.decode("utf-8", "replace")[-SHOWN_CHARACTERS:]
        return done.returncode
