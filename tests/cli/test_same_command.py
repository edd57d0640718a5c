"""The suggested commands repeat a check with what it was given, without secrets, and work as they are."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mockcampaign.cli import cli
from mockcampaign.cli.parameters import Command, DurationType
from mockcampaign.cli.same_command import same_command, unset_variables
from mockcampaign.samples.consumer import serve_consumer

LINE = "what to type next"


@click.command(cls=Command, name="check")
@click.argument("url")
@click.option("--budget", type=DurationType(), default="2m")
@click.option("--fields", type=str)
@click.option("-s", "--strict", is_flag=True)
@click.option("--secret", envvar="SECRET")
@click.option("--item", multiple=True)
@click.option("--run")
@click.option("--after", type=DurationType(), multiple=True)
@click.option("--seed", type=int)
def shown(**given: object) -> None:
    click.echo(same_command({"seed"}, {"secret": "SECRET", "run": "RUN"}, ["run"], ["pw"]))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("http://x/hook",), "http://x/hook"),
        (("http://x/hook?a=1&b=2",), "'http://x/hook?a=1&b=2'"),
        (("http://x/", "--budget", "90s", "-s"), "http://x/ --budget 1m30s --strict"),
        (("http://x/", "--fields", "it's all"), "http://x/ --fields 'it'\"'\"'s all'"),
        (("http://x/?token=a", "--item", "a b", "--item", "c"), "'http://x/?token=***' --item 'a b' --item c"),
        (
            ("http://x/", "--item", "http://x/one?token=a#b", "--after", "90s"),
            "http://x/ --item 'http://x/one?token=***#b' --after 1m30s",
        ),
        (("http://x/", "--seed", "7", "--secret", "acme:pw"), 'http://x/ --secret "$SECRET"'),
        (("http://x/", "--run", "docker stop db"), "http://x/ --run 'docker stop db'"),
        (
            ("http://x/", "--run", "sh -c 'flock db & sleep 1'"),
            """http://x/ --run 'sh -c '"'"'flock db & sleep 1'"'"''""",
        ),
        (("http://x/", "--run", "ssh root@db stop"), "http://x/ --run 'ssh root@db stop'"),
        *(
            (("http://x/", "--run", secret), 'http://x/ --run "$RUN"')
            for secret in (
                *("stop --with pw", "curl -u acme:geheim http://x", "mysql -pgeheim", "PGPASSWORD=geheim psql"),
                *("psql postgres://acme:geheim@db/x", "curl 'http://x/?sig=geheim'", "curl -H 'Authorization: x'"),
            )
        ),
    ],
)
def test_a_command_is_repeated_as_it_was_given(arguments: tuple[str, ...], expected: str) -> None:
    printed = CliRunner().invoke(shown, arguments, env={"SECRET": "other"}).output
    assert printed == f"mockcampaign check {expected}\n"


def main(*arguments: str) -> int:
    status: int = cli.main(arguments, standalone_mode=False)
    return status


def suggested(printed: str) -> list[str]:
    return [line.strip() for line in printed.partition(LINE)[2].splitlines() if line.strip()]


def test_the_suggested_command_examines_the_violated_rules(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_consumer("stores-first-event-only") as url:
        given = ("check", f"{url}/hook", "--probe", f"{url}/processed", "--seed", "5", "--budget", "1m30s")
        assert main(*given, "--rules", "responds-200,stores-every-event") == 1
        rule, explain, write = suggested(capsys.readouterr().out)
        assert rule == "mockcampaign rules stores-every-event"
        again = f"mockcampaign check {url}/hook --probe {url}/processed --budget 1m30s"
        assert explain == f"{again} --rules stores-every-event --explain"
        assert write == f"{again} --scenarios scenarios-of-check"
        assert main(*shlex.split(explain)[1:]) == 1
    assert capsys.readouterr().out.count("reproduce with curl:") == 1


def test_a_missing_probe_is_suggested_and_quiet_suggests_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_consumer() as url:
        given = ["check", f"{url}/hook", "--rules", "responds-200,stores-every-event"]
        assert main(*given) == 0
        expected = f"mockcampaign check {url}/hook --probe URL  # 1 must-rule skipped without it"
        assert suggested(capsys.readouterr().out) == [expected]
        assert main(*given, "--quiet") == 0
    assert LINE not in capsys.readouterr().out


def test_the_options_that_most_skipped_must_rules_need_are_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_consumer() as url:
        given = ["check", f"{url}/hook", "--probe", f"{url}/processed", "--rules"]
        assert main(*given, "responds-200,durability,newest-event-wins,rejects-wrong-credentials") == 0
        again = f"mockcampaign check {url}/hook --probe {url}/processed"
        assert suggested(capsys.readouterr().out) == [
            f"{again} --restart-cmd 'sh restart.sh'  # 2 must-rules skipped without it",
            *(
                f"{again} {option}  # 1 must-rule skipped without it"
                for option in ("--break-cmd 'sh break.sh' --restore-cmd 'sh restore.sh'", "--probe-state URL")
            ),
        ]


def test_rules_are_listed_with_and_without_color() -> None:
    colored, plain = (
        CliRunner().invoke(cli, ["rules", *more], color=True, env={"NO_COLOR": None}).output
        for more in ([], ["--no-color"])
    )
    assert "\x1b[" in colored
    assert click.unstyle(colored) == plain


def test_a_variable_that_is_not_set_is_named() -> None:
    assert unset_variables('check --run "$NOT_SET_HERE" --path "$PATH" --run "$NOT_SET_HERE"') == ["NOT_SET_HERE"]


def test_commands_are_suggested_as_they_were_given(capsys: pytest.CaptureFixture[str]) -> None:
    with serve_consumer() as url:
        given = ("check", f"{url}/hook", "--rules", "responds-200,stores-every-event")
        needless = ("--break-cmd", "true 1", "--restore-cmd", "true --password x", "--histories", "3")
        assert main(*given, *needless) == 0
        printed = capsys.readouterr().out
    [again] = suggested(printed)[1:]
    assert again.startswith(f"mockcampaign check {url}/hook")
    assert " --break-cmd 'true 1' --restore-cmd \"$RESTORE_COMMAND\"" in again
    unused = ("--break-cmd", "--restore-cmd", "--histories")
    assert "".join(f"\n{option} is not used by the selected rules" for option in unused) in printed
    assert f"{LINE}, after you have set RESTORE_COMMAND to the value, which may contain a secret\n" in printed


def test_the_variables_that_written_scenarios_read_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHECK_BASIC_AUTH", "acme:s3cret")
    with serve_consumer("responds-204") as url:
        assert main("check", f"{url}/hook", "--rules", "responds-200", "--scenarios", str(tmp_path)) == 1
    printed = capsys.readouterr().out
    assert f"{LINE}, after you have set HOOK_USER and HOOK_PASSWORD to the values" in printed
    assert suggested(printed)[-1] == f"mockcampaign run {tmp_path}"
    assert "s3cret" not in printed
