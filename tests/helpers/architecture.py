"""Lint that reads source text: each check takes the text of all modules and returns a sentence for each violation.

A module has the name by which it is imported, without the package's; `engine.__init__` is the file of a folder.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = "mockcampaign"

Sources = Mapping[str, str]
"""The text of each module."""


class Import(NamedTuple):
    """One name that a module imports, wherever in it, for whatever purpose."""

    line: int
    name: str
    """The full name, `time.sleep` for `from time import sleep`."""
    alias: str
    """The name that the module gets by it."""
    bound: str
    """What that name stands for: `concurrent` for `import concurrent.futures`."""


def read_sources(root: Path) -> dict[str, str]:
    """Return the text of every module of the package in that folder."""
    return {".".join(path.relative_to(root).with_suffix("").parts): path.read_text() for path in root.rglob("*.py")}


@cache
def nodes(text: str) -> list[ast.AST]:
    """Return all nodes of a module's syntax tree."""
    return list(ast.walk(ast.parse(text)))


def dotted(node: ast.AST) -> str:
    """Return the name that an expression spells, or an empty text if it is no name with or without dots."""
    if isinstance(node, ast.Attribute):
        return f"{start}.{node.attr}" if (start := dotted(node.value)) else ""
    return node.id if isinstance(node, ast.Name) else ""


def last_name(node: ast.AST) -> str:
    """Return the name that an expression spells, without what is before the last dot."""
    return dotted(node).rpartition(".")[2]


@cache
def imports(text: str) -> list[Import]:
    """Return all imports of a module, also those in functions and under TYPE_CHECKING."""
    found: list[Import] = []
    for node in nodes(text):
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.partition(".")[0]
                bound = each.name if each.asname else first
                found.append(Import(node.lineno, each.name, each.asname or first, bound))
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                name = "." * node.level + f"{node.module or ''}.{each.name}"
                found.append(Import(node.lineno, name, each.asname or each.name, name))
    return found


def references(text: str) -> Iterator[tuple[ast.expr, str]]:
    """Yield the expressions that name something imported, each with its full name, whatever its alias is."""
    aliases = {one.alias: one.bound for one in imports(text)}
    for node in nodes(text):
        if isinstance(node, ast.Attribute | ast.Name):
            first, dot, rest = dotted(node).partition(".")
            if first in aliases:
                yield node, f"{aliases[first]}{dot}{rest}"


def module_of(name: str, sources: Sources) -> str | None:
    """Return our module that holds an imported name, or None if it is not ours."""
    package, _, rest = name.partition(".")
    if package != PACKAGE:
        return None
    parts = rest.split(".") if rest else []
    for end in range(len(parts), -1, -1):
        module = ".".join(parts[:end])
        for candidate in (module, f"{module}.__init__".removeprefix(".")):
            if candidate in sources:
                return candidate
    return None


def edges(sources: Sources) -> Iterator[tuple[str, int, str]]:
    """Yield which module imports which of our modules, and in which line."""
    for module, text in sources.items():
        for one in imports(text):
            target = module_of(one.name, sources)
            if target is not None and target != module:
                yield module, one.line, target


def inside(module: str, homes: Iterable[str]) -> bool:
    """Return whether a module is one of these modules, or inside one of these folders."""
    return any(module == home or module.startswith(f"{home}.") for home in homes)


def folders(sources: Sources) -> dict[str, set[str]]:
    """Return the modules and folders directly in each folder; the package itself is the empty name."""
    found: dict[str, set[str]] = defaultdict(set)
    for module in sources:
        parts = module.split(".")
        for end in range(len(parts)):
            found[".".join(parts[:end])].add(parts[end])
    return found


def split(first: str, second: str) -> tuple[str, str, str]:
    """Return the innermost folder that holds two modules, and which of its members holds each."""
    one, other = first.split("."), second.split(".")
    depth = next(depth for depth, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return ".".join(one[:depth]), one[depth], other[depth]


# Who may import whom


Levels = Mapping[str, str]
"""For each folder its modules and folders from the lowest level to the highest, with `<` between levels."""


def level_numbers(levels: str) -> dict[str, int]:
    """Return the number of the level of each name."""
    return {name: number for number, names in enumerate(levels.split("<")) for name in names.split()}


def undeclared(sources: Sources, levels: Levels) -> list[str]:
    """Find modules and folders without a level, and levels without a module.

    An `__init__` needs a level only if it imports something of ours, or something of ours imports it.
    """
    linked = {module for one, _, other in edges(sources) for module in (one, other)}
    found = [f"there is no folder {folder!r}" for folder in levels.keys() - folders(sources).keys()]
    for folder, members in folders(sources).items():
        declared = set(level_numbers(levels.get(folder, "")))
        optional = {"__init__"} if f"{folder}.__init__".removeprefix(".") not in linked else set()
        found += [f"{name} has no level in {folder!r}" for name in sorted(members - declared - optional)]
        found += [f"{name} has a level in {folder!r}, and does not exist" for name in sorted(declared - members)]
    return found


def upward_imports(sources: Sources, levels: Levels, lazy_homes: Iterable[str] = ()) -> list[str]:
    """Find imports of something on the same level or above. Lazy homes import it only when somebody asks for it."""
    found = []
    for module, line, target in edges(sources):
        folder, one, other = split(module, target)
        numbers = level_numbers(levels.get(folder, ""))
        if module in lazy_homes or one not in numbers or other not in numbers:
            continue
        if numbers[other] >= numbers[one]:
            found.append(f"{module}:{line} imports {target}, which is not below it in {folder!r}")
    return found


def forbidden_imports(sources: Sources, never: Mapping[str, Iterable[str]]) -> list[str]:
    """Find imports that their levels would allow, of modules or libraries that a room never uses."""
    found = []
    for module, text in sources.items():
        names = {name for room, listed in never.items() if inside(module, [room]) for name in listed}
        for one in imports(text):
            name = module_of(one.name, sources) or one.name
            if inside(name, names):
                found.append(f"{module}:{one.line} imports {name}")
    return found


def circles(sources: Sources, lazy_homes: Iterable[str] = ()) -> list[str]:
    """Find modules that import each other, directly or through others."""
    after: dict[str, set[str]] = defaultdict(set)
    for module, _, target in edges(sources):
        if module not in lazy_homes:
            after[module].add(target)

    def way_back(start: str) -> list[str] | None:
        ways = [[start]]
        seen = {start}
        for way in ways:
            for target in sorted(after[way[-1]]):
                if target == start:
                    return [*way, start]
                if target not in seen:
                    seen.add(target)
                    ways.append([*way, target])
        return None

    found: dict[frozenset[str], str] = {}
    for module in sorted(after):
        way = way_back(module)
        if way is not None:
            found.setdefault(frozenset(way), " imports ".join(way))
    return list(found.values())


def dynamic_imports(sources: Sources, allowed: Iterable[str] = ()) -> list[str]:
    """Find imports by a function, which no other check sees, and our modules' names in strings for such a function."""
    functions = {"importlib.import_module", "importlib.__import__", "__import__", "pkgutil.resolve_name"}
    found = []
    for module, text in sources.items():
        if module in allowed:
            continue
        if any(one.level for one in nodes(text) if isinstance(one, ast.ImportFrom)):
            found.append(f"{module} has a relative import")
        called = {node for node, name in references(text) if name in functions}
        for node in nodes(text):
            if node in called or (isinstance(node, ast.Name) and node.id == "__import__"):
                found.append(f"{module}:{node.lineno} imports by a function")
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                starts = node.value.startswith(f"{PACKAGE}.") and module_of(node.value, sources)
                if starts and node.value.removeprefix(f"{PACKAGE}.") in {starts, starts.removesuffix(".__init__")}:
                    found.append(f"{module}:{node.lineno} has the name of our module {node.value} in a string")
    return found


# Who may use what


def unowned_libraries(sources: Sources, owners: Mapping[str, Iterable[str]], free: Iterable[str] = ()) -> list[str]:
    """Find uses of a third-party library outside the modules that own it. Free ones belong to everybody."""
    found = []
    for module, text in sources.items():
        for one in imports(text):
            library = one.name.partition(".")[0]
            if library in sys.stdlib_module_names or library in (PACKAGE, "", *free):
                continue
            if not inside(module, owners.get(library, ())):
                found.append(f"{module}:{one.line} uses {library}")
    return found


WAITS = {"asyncio.sleep"}
"""Functions that wait, unless they are called with 0."""

CLOCKS = {
    *(f"time.{name}{unit}" for name in ("time", "monotonic", "perf_counter", "process_time") for unit in ("", "_ns")),
    *("time.sleep", "time.localtime", "time.gmtime", "time.ctime", "time.asctime"),
    *(f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")),
    "datetime.date.today",
}
"""Functions that read a clock or sleep."""

SEEDLESS = {
    *(f"random.{name}" for name in ("random", "uniform", "randint", "randrange", "randbytes", "getrandbits", "seed")),
    *(f"random.{name}" for name in ("choice", "choices", "shuffle", "sample", "triangular", "betavariate", "gauss")),
    *(f"random.{name}" for name in ("expovariate", "gammavariate", "lognormvariate", "normalvariate", "paretovariate")),
    *("random.weibullvariate", "random.vonmisesvariate", "random.SystemRandom", "os.urandom", "os.getrandom"),
    *("uuid.uuid1", "uuid.uuid4", "secrets"),
}
"""Functions that draw without a seed."""


def stray_clocks(sources: Sources, owners: Iterable[str]) -> list[str]:
    """Find readings of a clock, sleeps, and draws without a seed, under whatever name, outside their owners."""
    found = []
    for module, text in sources.items():
        if inside(module, owners):
            continue
        found += [
            f"{module}:{one.line} imports {one.name}"
            for one in imports(text)
            if one.name in CLOCKS | SEEDLESS or one.name.endswith(("time.*", "random.*", "asyncio.*"))
        ]
        found += [f"{module}:{one.line} imports secrets" for one in imports(text) if one.name.startswith("secrets")]
        resolved = dict(references(text))
        yields = set()
        for node in nodes(text):
            if isinstance(node, ast.Call):
                name, given = resolved.get(node.func), [*node.args, *node.keywords]
                if name in WAITS and ast.unparse(node.args or [ast.Constant(None)]) == "0":
                    yields.add(node.func)
                if name == "random.Random" and not given:
                    found.append(f"{module}:{node.lineno} draws without a seed")
        for node, name in resolved.items():
            if name in CLOCKS | SEEDLESS or (name in WAITS and node not in yields):
                found.append(f"{module}:{node.lineno} uses {name}")
    return found


def lost_cancellations(sources: Sources) -> list[str]:
    """Find uses of `asyncio.wait_for`, which loses cancellations before Python 3.12; its code object is harmless."""
    found = []
    for module, text in sources.items():
        found += [f"{module}:{one.line} imports wait_for" for one in imports(text) if one.name == "asyncio.wait_for"]
        looked_at = {node.value for node in nodes(text) if isinstance(node, ast.Attribute) and node.attr == "__code__"}
        found += [
            f"{module}:{node.lineno} uses asyncio.wait_for: use asyncio.timeout"
            for node, name in references(text)
            if name == "asyncio.wait_for" and node not in looked_at
        ]
    return found


# Names


def crowded_folders(sources: Sources, most: int) -> list[str]:
    """Find folders with more modules than that, without `__init__` and `__main__`."""
    counts = Counter(module.rpartition(".")[0] for module in sources if not module.endswith("__"))
    return [f"{folder!r} has {count} modules" for folder, count in counts.items() if count > most]


def namesakes(sources: Sources, mirrors: Iterable[tuple[str, str]]) -> list[str]:
    """Find modules of one name. A folder may mirror another; the empty name is any folder."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module in sorted(sources):
        folder, _, name = module.rpartition(".")
        if not name.startswith("__"):
            homes[name].append(folder)
    found = []
    for name, named in homes.items():
        rest = [folder for folder in named if folder not in {mirror for mirror, _ in mirrors}]
        extra = [
            mirror
            for mirror, original in mirrors
            if mirror in named and len(named) > 1 and not (rest if original == "" else original in rest)
        ]
        if len(rest) + len(extra) > 1:
            found.append(f"{name} is the name of modules in {', '.join(folder or 'the package' for folder in named)}")
    return found


def classes(text: str) -> Iterator[ast.ClassDef]:
    """Yield all classes of a module, also those in classes and functions."""
    return (node for node in nodes(text) if isinstance(node, ast.ClassDef))


def namesake_classes(sources: Sources) -> list[str]:
    """Find classes of one name."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module in sorted(sources):
        for node in classes(sources[module]):
            homes[node.name].append(module)
    return [f"{name} is the name of classes in {', '.join(named)}" for name, named in homes.items() if len(named) > 1]


# Tables


VALUES_BY = {"Role"}
"""Enums by which values of one event stand together: some of its fields, and no table of all roles."""


def unguarded_tables(sources: Sources) -> list[str]:
    """Find tables keyed by an enum or a literal type that do not go through `tables.complete`.

    A table is a dict display whose declared type has such a key, that has a member of an enum among its keys, or whose
    keys are just the values of a literal type.
    """
    enums = {node.name for text in sources.values() for node in classes(text) if _is_enum(node)} - VALUES_BY
    literals = _literal_types(sources)
    found = []
    for module, text in sources.items():
        calls = [node for node in nodes(text) if isinstance(node, ast.Call) and last_name(node.func) == "complete"]
        guarded = {node for call in calls for node in ast.walk(call)}
        declared = {
            node.value
            for node in nodes(text)
            if isinstance(node, ast.AnnAssign) and _key_type(node.annotation) in enums | literals.keys()
        }
        for node in nodes(text):
            if not isinstance(node, ast.Dict) or not node.keys or node in guarded:
                continue
            members = [key.value for key in node.keys if isinstance(key, ast.Attribute)]
            values = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            by_enum = any(last_name(member) in enums for member in members)
            if by_enum or node in declared or (len(values) > 2 and values in literals.values()):
                found.append(f"{module}:{node.lineno} has a table by an enum that nobody knows to be complete")
    return found


def _is_enum(node: ast.ClassDef) -> bool:
    return any(last_name(base) in ("Enum", "StrEnum", "IntEnum", "Flag") for base in node.bases)


def _literal_types(sources: Sources) -> dict[str, set[object]]:
    """Return the values of each literal type that has a name of its own."""
    found: dict[str, set[object]] = {}
    for node in (node for text in sources.values() for node in nodes(text) if isinstance(node, ast.Assign)):
        if isinstance(node.value, ast.Subscript) and last_name(node.value.value) == "Literal":
            values = {each.value for each in ast.walk(node.value.slice) if isinstance(each, ast.Constant)}
            found |= {target.id: values for target in node.targets if isinstance(target, ast.Name)}
    return found


def _key_type(annotation: ast.expr) -> str | None:
    """Return the type of the keys of an annotated dict, or None for any other type."""
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name | ast.Attribute):
        kind = last_name(annotation.value)
        if kind in ("dict", "Mapping") and isinstance(annotation.slice, ast.Tuple):
            return last_name(annotation.slice.elts[0])
        if kind in ("Final", "ClassVar"):
            return _key_type(annotation.slice)
    return None


# Fields of events


def spelled_fields(
    sources: Sources, rooms: Iterable[str], names: Iterable[str], words: Iterable[str], others: Iterable[str] = ()
) -> list[str]:
    """Find names of events' fields in the texts of these rooms, and plain words by which they look into events.

    Names are found wherever a text contains one as a word, except in docstrings. Words that mean other things, too, are
    found where something is looked up by them, except in the objects that `others` names.
    """
    name, plain = re.compile(rf"\b(?:{'|'.join(map(re.escape, names))})\b"), set(words)
    found = []
    for module, text in sources.items():
        if not inside(module, rooms):
            continue
        documented = {node.value for node in nodes(text) if isinstance(node, ast.Expr)}
        for node in nodes(text):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documented:
                found += [f"{module}:{node.lineno} spells the field {one}" for one in name.findall(node.value)]
            found += [
                f"{module}:{key.lineno} looks up the field {key.value}"
                for key in _looked_up(node, others)
                if isinstance(key, ast.Constant) and key.value in plain
            ]
    return found


def _looked_up(node: ast.AST, others: Iterable[str]) -> list[ast.expr | None]:
    """Return the keys by which a node makes a dict or looks into one, unless that has one of these names."""
    if isinstance(node, ast.Dict):
        # An ASGI message says its type as well, such as "http" or "http.request".
        of_asgi = [isinstance(value, ast.Constant) and str(value.value).startswith("http") for value in node.values]
        return [key for key, is_so in zip(node.keys, of_asgi, strict=True) if not is_so]
    if isinstance(node, ast.Subscript):
        return [] if last_name(node.value) in others else [node.slice]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        looks = node.func.attr in ("get", "pop", "setdefault") and last_name(node.func.value) not in others
        return [*node.args[:1]] if looks else []
    if isinstance(node, ast.Compare):
        return [node.left] if isinstance(node.ops[0], ast.In | ast.NotIn) and _is_event(node.comparators[0]) else []
    return []


def _is_event(node: ast.expr) -> bool:
    return last_name(node) in ("event", "fields", "payload", "one", "other")


Check = Callable[[Sources], list[str]]
