"""Lint as a test: who may import whom, who owns which library, who may read a clock, and what may have one name."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

import mockcampaign
from architecture import (
    Check,
    Sources,
    circles,
    crowded_folders,
    dynamic_imports,
    edges,
    forbidden_imports,
    imports,
    inside,
    level_numbers,
    lost_cancellations,
    namesake_classes,
    namesakes,
    read_sources,
    spelled_fields,
    stray_clocks,
    undeclared,
    unguarded_tables,
    unowned_libraries,
    upward_imports,
)
from mockcampaign.shape.builtin import FIELDS

SOURCES = read_sources(Path(mockcampaign.__file__).parent)

# From low to high, for each folder. A new module has to be entered here; it imports only what is on a lower level.
LEVELS = {
    "": """
        __init__ json_text shipped text wallclock < errors < model
        < masking policy pseudonyms serving tables whole_files
        < clocks durations extras < faults < shape < engine events samples transport < clients
        < campaign judging strategies < recording report < check load_test < locust scenario < server < double drill
        < cli pytest_plugin < __main__
    """,
    "clients": """
        kept_table optin_process recipient_list sent_mail smart_campaign suppression
        < definitions mail_planner recipient_table
        < client_store < recipient_commands < campaign_commands mail_commands suppression_commands < __init__
    """,
    "clocks": "clock_file led_process python < go_overlay",
    "clocks.python": "sitecustomize",
    "check": """
        behaviours examined probes rule_page shrink < reproduce settings < edge_cases < histories < bench < rule
        < calibration reproduction rules < examiner < result sweep < check
    """,
    "check.bench": """
        batch_outcome event_budget recording < context < bench_webhooks events rule_store < bench
        < aftermath control price raw_request restart
    """,
    "check.histories": "coverage draws history_steps < numbered reduce",
    "check.probes": """
        run_command shown_fields stored_list < question < store_probe < end_state sql_probe < probe_making
    """,
    "check.reproduce": "curl scenario_writer < transcript",
    "check.rules": """
        acknowledgement authentication bad_event batch durability http identity overlap payload random_histories
        redelivery resilience < order < __init__
    """,
    "cli": """
        coverage_table credentials jobs parameters probe_options progress terminal usage < ci options same_command
        < __init__ playing watching < drills printed_dry_runs < commands
    """,
    "cli.drills": "deploy_command provisioning_command",
    "cli.commands": """
        check clocks consumer demo drill generate judge load record reference replay reports serve shape < run soak
    """,
    "cli.commands.clocks": "clock_commands",
    "cli.commands.reports": "report_commands",
    "engine": "clock declared_faults event_streams outbox webhooks"
    " < duplicates failure_runs journal requests < outages < keeping < exporter journal_file < loop",
    "events": """
        field_values random_words rates < people < behaviour event_json sample < mail_events mailing
        < description generator < __init__ plot
    """,
    "load_test": "arrivals latencies < recoveries < live_sender < load_result < load_run load_text < load_page",
    "locust": "__init__",
    "judging": """
        consumer_store equivalents recorded serials situation < fact < finding ledger responses
        < diagnosis evidence journal_rules verdict < difference earlier failures
    """,
    "judging.earlier": "comparison < baseline",
    "judging.responses": "__init__ in_front rejections response_body",
    "pytest_plugin": """
        application_log hypothesis_examples results shown_frames < campaign_settings failure_report
        < check_options lifecycle scenario_files server_fixture < check_fixture < histories_fixture < __init__
    """,
    "drill": """
        cases deploy_plan deploy_traffic < case_scenario command deploy_rules server set_up_rules < deploy provisioning
    """,
    "double": "arguments inputs loops < consumer_targets mail_handle < control < in_process < standalone",
    "double.control": """
        deliveries home violations < campaign_clock differences < session
        < delivery_methods event_methods fault_methods time_methods verdict_methods webhook_methods < campaign_control
    """,
    "pseudonyms": "encodings harmless links substitutes < texts < persons < __init__",
    "recording": "recorder < sideline < proxy",
    "report": """
        attempts charts columns json_report sentences < advice timeline < scenario_text
        < annotations check_text comparison_text html junit markdown < formats
    """,
    "report.annotations": "github sarif",
    "samples": "known_shapes plain_server store < correct < bugs < consumer",
    "samples.bugs": """
        bug < acknowledgement authentication bad_event batch http http_server identity order payload redelivery
        < durability resilience < __init__
    """,
    "scenario": """
        judge_store language stopped_run < expectations plan replay shape_file < check_shapes load selection judge
        < judge_journal probing < play < dry_run run
    """,
    "scenario.expectations": "attempt_groups delivery_times expected_text < api_calls < claims wait_condition",
    "scenario.language": """
        annotations < documented nodes step_examples < document event_shape plain_values
        < client_contents endpoints expect < steps < scenario_file < schema < reference
    """,
    "server": """
        access_log background client_connections consumer_probe hub kept_recipients pacer response_types users
        < kept_declarations < state_file < served_campaign < http < examples vendor_api < verdicts < control_api < app
        < serve
    """,
    "server.background": "background_work < verdict_jobs",
    "server.control_api": """
        emit_operations entry_view state_view stored_operations time_operations user_operations
        < delivery_view fault_operations mail_operations stream webhook_commands
        < observe_operations < api
    """,
    "server.http": "guard paths request < access event_stream injected request_fields < operation < openapi routes",
    "server.verdicts": """
        check_request prepared store_reading verdict_views < check_work job_views verdict_operations
        < expect_operations job_start < check_operations run_operations
    """,
    "server.vendor_api": """
        client_fields clients_file webhook_credentials < collection user_operations webhook_operations < representations
        < recipient_list_operations < recipient_operations smart_campaign_operations
        < suppression_operations transactional_mail_operations < api
    """,
    "serving": "client_connection tls < http_limits < __init__",
    "shape": "field likeness moment < shape vocabulary < __init__ builtin nearness placeholders"
    " < clues < infer < captured",
    "strategies": "edits < drawing < __init__",
    "transport": """
        __init__ address idle_watch < led response script targets < always_ok connection dial inprocess
        < applications wire wsgi
    """,
}

INPUT_AND_OUTPUT = {
    "asyncio",
    "http",
    "select",
    "selectors",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "urllib.request",
}

# What a room never imports, though it is below it.
NEVER = {
    **dict.fromkeys(("clients", "events", "model", "policy", "pseudonyms", "report", "strategies"), INPUT_AND_OUTPUT),
    **dict.fromkeys((f"engine.{name}" for name in level_numbers(LEVELS["engine"]) if name != "loop"), INPUT_AND_OUTPUT),
    "judging": {*INPUT_AND_OUTPUT, "transport", "wallclock"},  # the journal is the only evidence
    "report": {*INPUT_AND_OUTPUT, "transport", "campaign"},
    "recording": {"campaign"},
    **{room: {"samples"} for room in ("check", "scenario", "server")},  # a judge knows no consumer
}

LAZY_HOMES = {
    "__init__": "`from mockcampaign import Campaign` imports the façade when somebody asks for it",
    "cli.__init__": "a command is imported when it is called",
    "pytest_plugin.__init__": "every pytest run of everybody who has the package installed imports it",
}
"""Modules that import others of ours by a function, so that an import of them is cheap."""

OTHERS_BY_FUNCTION = {
    "double.control.campaign_clock": "time_machine or freezegun, whichever the user has installed",
}
"""Modules that import by a function what is not ours."""

# A library, and the modules or folders that own it. msgspec is everybody's.
OWNERS = {
    "a2wsgi": {"transport.inprocess"},
    "click": {"cli"},
    "gevent": {"locust"},
    "hdrh": {"load_test.latencies"},
    "httptools": {"transport.response"},
    "hypothesis": {
        "check.rules.payload",
        "check.shrink",
        "pytest_plugin.hypothesis_examples",
        "strategies",
    },
    "jinja2": {"load_test.load_page", "report.html"},
    "locust": {"locust"},
    "markupsafe": {"load_test.load_page", "report.html"},
    "jmespath": {"judging.consumer_store"},
    "pytest": {"pytest_plugin"},
    "rich": {"cli.progress"},
    "sqlalchemy": {"check.probes.sql_probe"},
    "starlette": {"recording.proxy", "samples", "server.app", "server.control_api", "server.http", "server.verdicts"},
    "trustme": {"serving.tls"},
    "uvicorn": {"serving"},
    "uvloop": {"cli.playing"},
    "watchfiles": {"cli.watching"},
    "yaml": {"scenario.language"},
}

CLOCK_OWNERS = {
    "clocks.python",  # waits in place of `time.sleep`
    *("cli", "faults", "samples", "server", "serving", "transport", "wallclock"),
    "pytest_plugin.campaign_settings",  # draws the seed of a test that has none
}

PAUSING = {
    *(
        f"check.bench.{name}" for name in ("bench", "control", "restart", "rule_store")
    ),  # for a consumer that is busy or restarts, and a probe that settles
    "check.examiner",  # for a consumer that may forget what it has stored
    *(f"check.rules.{name}" for name in ("durability", "http", "overlap", "random_histories")),  # whose point it is
}

MIRRORS = [
    ("cli.commands", ""),  # a command has the name of what it does
    ("server.control_api", "server.vendor_api"),  # each of the two has its table of operations
    ("samples.bugs", "check.rules"),  # each family of rules has its family of bugs
]
"""Folders whose modules have the names of others on purpose."""

FIELD_ROOMS = (
    *("events", "strategies", "samples", "check", "judging", "pytest_plugin", "double"),
    *("campaign", "clients", "recording"),
)
"""Rooms that ask a shape for the fields of events. `shape.builtin` alone spells their names."""

FIELD_NAMES = (
    *("recipientId", "userListId", "remoteAddress", "mailingId", "mailId", "subscriptionId", "operatingSystem"),
    *("linkId", "linkUrl", "bounceType", "mediaTypesToAddresses"),
)
FIELD_WORDS = ("created", "type", "device", "browser", "link", "category", "clientId")
"""Names of fields that are words of other things, too."""

NO_EVENTS = ("scope", "message", "options")
"""Names of objects of a server or a test that are looked into by such words and are no events."""

MODULES_MAX = 14


def levels(sources: Sources) -> list[str]:
    return undeclared(sources, LEVELS) + upward_imports(sources, LEVELS, LAZY_HOMES)


def manners(sources: Sources) -> list[str]:
    return forbidden_imports(sources, NEVER)


def libraries(sources: Sources) -> list[str]:
    return unowned_libraries(sources, OWNERS, free={"msgspec"})


def functions(sources: Sources) -> list[str]:
    return dynamic_imports(sources, LAZY_HOMES.keys() | OTHERS_BY_FUNCTION)


def clocks(sources: Sources) -> list[str]:
    return stray_clocks(sources, CLOCK_OWNERS)


def names(sources: Sources) -> list[str]:
    return namesakes(sources, MIRRORS) + namesake_classes(sources)


def rounds(sources: Sources) -> list[str]:
    return circles(sources, LAZY_HOMES)


def crowds(sources: Sources) -> list[str]:
    return crowded_folders(sources, MODULES_MAX)


def fields(sources: Sources) -> list[str]:
    rooms = {module for module in sources if inside(module, FIELD_ROOMS)}
    said = {module for module in sources if inside(module, ["report"])}  # whose words are about other things, too
    return [
        *spelled_fields(sources, rooms, FIELD_NAMES, FIELD_WORDS, NO_EVENTS),
        *spelled_fields(sources, said, FIELD_NAMES, (), NO_EVENTS),
    ]


def test_modules_import_only_what_is_below_them() -> None:
    assert levels(SOURCES) == []


def test_modules_do_not_import_each_other() -> None:
    assert rounds(SOURCES) == []


def test_rooms_that_decide_do_no_input_or_output() -> None:
    assert manners(SOURCES) == []


def test_every_library_has_its_owner() -> None:
    assert libraries(SOURCES) == []


def test_nothing_is_imported_by_a_function() -> None:
    assert functions(SOURCES) == []


def test_only_owners_read_clocks_sleep_or_draw_without_a_seed() -> None:
    assert clocks(SOURCES) == []


def test_no_cancellation_is_lost() -> None:
    assert lost_cancellations(SOURCES) == []


def test_every_name_is_the_name_of_one_thing() -> None:
    assert names(SOURCES) == []


def test_folders_are_small() -> None:
    assert crowds(SOURCES) == []


def test_only_one_module_spells_the_fields_of_events() -> None:
    assert fields(SOURCES) == []


def test_the_lint_knows_every_built_in_field() -> None:
    assert {name for path in FIELDS for name in path} - {"EMAIL"} == {*FIELD_NAMES, *FIELD_WORDS}


def test_tables_by_an_enum_are_complete_at_import() -> None:
    assert unguarded_tables(SOURCES) == []


def test_only_rules_whose_point_it_is_let_time_pass() -> None:
    pauses = {module for module, text in SOURCES.items() if "mockcampaign.wallclock.pause" in imported(text)}
    assert {module for module in pauses if inside(module, ["check"])} == PAUSING


def imported(text: str) -> set[str]:
    return {one.name for one in imports(text)}


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, mockcampaign; "
        "print(sorted({m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'mockcampaign'}))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    heavy = set(ast.literal_eval(done.stdout))
    assert not heavy & {*OWNERS, "msgspec", "pydantic"}


PLANTED: list[tuple[Check, str, str, str]] = [
    # The check, the module that gets a line more, the line, and what the check says of it.
    (clocks, "engine.clock", "from time import time", "imports time.time"),
    (clocks, "engine.clock", "from asyncio import sleep\nasync def wait(): await sleep(1)", "uses asyncio.sleep"),
    (
        clocks,
        "engine.clock",
        "from asyncio import sleep as rest\nasync def wait(): await rest(0.1)",
        "uses asyncio.sleep",
    ),
    (clocks, "engine.clock", "import asyncio as aio\nasync def wait(): await aio.sleep(1)", "uses asyncio.sleep"),
    (clocks, "engine.clock", "import random as rnd\nDRAWN = rnd.random()", "uses random.random"),
    (clocks, "engine.clock", "from random import Random as R\nDRAWN = R().random()", "draws without a seed"),
    (clocks, "engine.clock", "import datetime as dt\nNOW = dt.datetime.now()", "uses datetime.datetime.now"),
    (clocks, "engine.clock", "from datetime import datetime\nNOW = datetime.now()", "uses datetime.datetime.now"),
    (clocks, "engine.clock", "from datetime import datetime as d\nread = d.now", "uses datetime.datetime.now"),
    (clocks, "engine.clock", "import time\nread = time.perf_counter_ns", "uses time.perf_counter_ns"),
    (clocks, "engine.clock", "from time import *", "imports time.*"),
    (clocks, "engine.clock", "import secrets", "imports secrets"),
    (clocks, "engine.clock", "import uuid\nDRAWN = uuid.uuid4()", "uses uuid.uuid4"),
    (
        lost_cancellations,
        "server.pacer",
        "async def rest(): await asyncio.wait_for(wake(), 1)",
        "uses asyncio.wait_for: use asyncio.timeout",
    ),
    (lost_cancellations, "server.pacer", "from asyncio import wait_for as rest", "imports wait_for"),
    (
        functions,
        "engine.clock",
        'import importlib\nimportlib.import_module("mockcampaign.cli")',
        "imports by a function",
    ),
    (functions, "engine.clock", 'from importlib import import_module as i\ni("x")', "imports by a function"),
    (functions, "engine.clock", '__import__("mockcampaign.cli")', "imports by a function"),
    (
        functions,
        "engine.clock",
        'NAME = "mockcampaign.cli.terminal"',
        "our module mockcampaign.cli.terminal in a string",
    ),
    (functions, "engine.clock", "from . import journal", "has a relative import"),
    (levels, "engine.clock", "import mockcampaign.cli.terminal", "imports cli.terminal, which is not below it"),
    (levels, "engine.clock", "from mockcampaign import transport", "imports transport.__init__, which is not below it"),
    (
        levels,
        "engine.clock",
        "def later():\n    from mockcampaign.engine import loop",
        "imports engine.loop, which is not",
    ),
    (levels, "engine.clock", "from mockcampaign.engine.loop import Loop", "which is not below it in 'engine'"),
    (levels, "engine.clock", "from mockcampaign.engine import outbox", "imports engine.outbox, which is not below it"),
    (levels, "engine.new", "", "new has no level in 'engine'"),
    (levels, "rooms.new", "", "rooms has no level in ''"),
    (
        rounds,
        "engine.clock",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mockcampaign.engine.loop import Loop",
        "engine.clock imports engine.loop imports",
    ),
    (manners, "engine.clock", "from asyncio import Queue", "imports asyncio.Queue"),
    (manners, "judging.ledger", "import urllib.request as web", "imports urllib.request"),
    (manners, "judging.ledger", "from mockcampaign.transport.wire import WireTransport", "imports transport.wire"),
    (manners, "check.rules.http", "from mockcampaign import samples", "imports samples.__init__"),
    (libraries, "engine.clock", "import starlette.routing as web", "uses starlette"),
    (libraries, "engine.clock", "from yaml import load", "uses yaml"),
    (libraries, "engine.clock", "import leftpad", "uses leftpad"),
    (names, "engine.proxy", "", "proxy is the name of modules in engine, recording"),
    (names, "samples.bugs.proxy", "", "proxy is the name of modules in recording, samples.bugs"),
    (names, "engine.clock", "class Campaign: ...", "Campaign is the name of classes in campaign, engine.clock"),
    (fields, "judging.ledger", 'NAME = "mailId"', "spells the field mailId"),
    (fields, "events.mailing", 'TEXT = f"{1} of a recipientId here"', "spells the field recipientId"),
    (fields, "strategies.new", 'PATH = ("mediaTypesToAddresses", "EMAIL")', "spells the field mediaTypesToAddresses"),
    (fields, "campaign", 'def read(event): return event["created"]', "looks up the field created"),
    (fields, "campaign", 'def read(event): return event.get("type", 1)', "looks up the field type"),
    (fields, "campaign", 'def read(event): return event.pop("link")', "looks up the field link"),
    (fields, "judging.ledger", 'def read(event): return "browser" in event', "looks up the field browser"),
    (fields, "pytest_plugin.inputs", 'EVENT = {"category": "hardbounce"}', "looks up the field category"),
    (
        unguarded_tables,
        "engine.clock",
        "from mockcampaign.model import EventType\nT = {EventType.OPEN: 1}",
        "engine.clock:",
    ),
    (unguarded_tables, "engine.clock", "T: Mapping[EventType, int] = {kind: 1}", "engine.clock:"),
    (unguarded_tables, "engine.clock", "T: Final[dict[Verdict, int]] = {'compliant': 1}", "engine.clock:"),
    (unguarded_tables, "engine.clock", "{'compliant': 1, 'violated': 2, 'could-not-tell': 3}[x]", "engine.clock:"),
]


@functools.cache
def before(check: Check) -> set[str]:
    """Return what the check says of the package as it is."""
    return set(check(SOURCES))


@pytest.mark.parametrize(("check", "module", "line", "said"), PLANTED)
def test_the_lint_finds_what_is_planted(check: Check, module: str, line: str, said: str) -> None:
    planted = {**SOURCES, module: f"{SOURCES.get(module, '')}\n{line}\n"}
    found = set(check(planted)) - before(check)
    assert any(said in one for one in found), found


def test_the_lint_finds_a_crowd() -> None:
    crowd = {f"recording.part_{number}": "" for number in range(MODULES_MAX)}
    assert f"'recording' has {MODULES_MAX + 3} modules" in crowds({**SOURCES, **crowd})


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasync def turn(): await asyncio.sleep(0)",
        "from random import Random\nDRAWN = Random(1).random()",
        "def time(): ...\ntime()",
        "from datetime import datetime, UTC\ndatetime.fromtimestamp(0, UTC)",
    ],
)
def test_the_lint_lets_pass_what_decides_nothing_by_chance(text: str) -> None:
    assert clocks({"engine.clock": text}) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("events.mailing", '"""Say why a mailId is short."""\nSIZE = 8\n"""Length of a mailId."""'),
        ("pytest_plugin.inputs", 'def read(scope): return scope["type"]'),
        ("events.mailing", 'KINDS = ("created", "type")\nNAME = "mailIds and linkIds"'),
        ("server.app", 'NAME = "mailId"'),
    ],
)
def test_the_lint_lets_pass_what_is_no_field_of_an_event(module: str, text: str) -> None:
    assert fields({module: text}) == []


@pytest.mark.slow
def test_the_lint_sees_every_import() -> None:
    assert len(list(edges(SOURCES))) > 1_000
