"""Commands and types of parameters that say in our own words what is wrong, and what would be allowed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mockcampaign.durations import format_duration, parse_duration
from mockcampaign.errors import InvalidInputError
from mockcampaign.model import EventType
from mockcampaign.text import short
from mockcampaign.whole_files import check_writable, is_same_file, why_not


class Command(click.Command):
    """A command that does not repeat unexpected arguments: one may be part of a password, cut off by a space."""

    allow_extra_args = True  # so that click leaves them to us

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, after a look at the files that its parameters name."""
        read, written = _files(self.params, ctx.params)
        check_outputs(written, read)
        return super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        extra = super().parse_args(ctx, args)
        if extra:
            form = " ".join([ctx.command_path, *self.collect_usage_pieces(ctx)])
            raise click.UsageError(f"got unexpected extra argument, allowed: {form}", ctx)
        return extra


Named = tuple[str, Path]
"""The name of an option, and the path that it names."""


def check_outputs(written: Sequence[Named], read: Iterable[Path]) -> None:
    """Raise `InvalidInputError` for files that cannot be written, that are also read, or that two options name."""
    inputs = list(read)
    for index, (option, path) in enumerate(written):
        try:
            if not path.parent.is_dir():
                raise InvalidInputError(f"{option} {path}: there is no folder {path.parent}, allowed: one that exists")
            for other, path_of_other in written[:index]:
                if is_same_file(path_of_other, path):
                    raise InvalidInputError(f"{other} and {option} both name {path}, allowed: a file for each")
            if any(is_same_file(one, path) for one in inputs):
                raise InvalidInputError(f"{option} {path}: this run reads that file, allowed: another one")
            check_writable(path)
        except OSError as error:
            raise InvalidInputError(f"{option} {path}: cannot be written: {why_not(error)}") from None
        except ValueError as error:  # a name with a NUL
            raise InvalidInputError(f"{option}: cannot be written: {error}") from None


def _files(parameters: Iterable[click.Parameter], values: Mapping[str, Any]) -> tuple[list[Path], list[Named]]:
    """Return the paths of files to read, and those of files to write with their options."""
    read: list[Path] = []
    written: list[Named] = []
    for parameter in parameters:
        value = values.get(parameter.name or "")
        paths = [path for path in (value if isinstance(value, tuple) else (value,)) if isinstance(path, Path)]
        if parameter.type is NEW_FILE:
            written += [(parameter.opts[0], path) for path in paths]
        else:
            read += [path for path in paths if path.is_file()]
    return read, written


class WordType(click.Choice[str]):
    """One of some words."""

    def __init__(self, choices: Sequence[str]) -> None:
        super().__init__(list(choices))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in self.choices:
            self.fail(f"{value!r}, allowed: {', '.join(self.choices)}", param, ctx)
        return str(value)


class TypedFile(click.ParamType[tuple[EventType, Path]]):
    """A type of events, and a file of captured ones, as in `click=captured.json`."""

    name = "type=file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[EventType, Path]:
        if isinstance(value, tuple):
            return value
        word, sign, path = value.partition("=")
        if not sign:
            self.fail(f"{value!r} has no type, allowed: TYPE=FILE such as click=captured.json", param, ctx)
        kind = EventType(WordType(list(EventType)).convert(word, param, ctx))
        return kind, EXISTING_FILE.convert(path, param, ctx)


class _Range:
    """The numbers that are allowed, with one limit or two."""

    def __init__(self, least: float, most: float | None) -> None:
        self.allowed = f"allowed: a number from {least}{'' if most is None else f' to {most}'}"
        self.least, self.most = least, most

    def holds(self, number: float) -> bool:
        return self.least <= number and (self.most is None or number <= self.most)


class WholeNumber(click.IntRange):
    """A whole number from `least` to `most`."""

    def __init__(self, least: int, most: int | None = None) -> None:
        super().__init__(least, most)
        self._range = _Range(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{short(str(value))!r}, {self._range.allowed}", param, ctx)
        if not self._range.holds(number):
            self.fail(f"{short(str(number))}, {self._range.allowed}", param, ctx)
        return number


class Number(click.FloatRange):
    """A number from `least` to `most`."""

    def __init__(self, least: float, most: float | None = None) -> None:
        super().__init__(least, most)
        self._range = _Range(least, most)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{short(str(value))!r}, {self._range.allowed}", param, ctx)
        if not self._range.holds(number):
            self.fail(f"{short(str(number))}, {self._range.allowed}", param, ctx)
        return number


class FileType(click.Path):
    """The path of a file, which exists or may be written."""

    def __init__(self, *, exists: bool = False, regular: bool = True) -> None:
        super().__init__(path_type=Path, dir_okay=False)
        self._must_exist = exists
        self._must_be_regular = exists and regular

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(value)
        allowed = "allowed: a file that exists" if self._must_exist else "allowed: a file"
        if path.is_dir():
            self.fail(f"{os.fspath(path)!r} is a folder, {allowed}", param, ctx)
        if self._must_exist and not path.exists():
            self.fail(f"{os.fspath(path)!r} does not exist, {allowed}", param, ctx)
        if self._must_be_regular and not path.is_file():
            self.fail(f"{os.fspath(path)!r} is a pipe or a device, {allowed}", param, ctx)
        return path


class FolderType(click.Path):
    """The path of a folder, which need not exist."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        path = Path(value)
        if path.is_file():
            self.fail(f"{os.fspath(path)!r} is a file, allowed: a folder", param, ctx)
        return path


class DurationType(click.ParamType[int]):
    """A duration such as `30s`, in milliseconds."""

    name = "duration"

    def __init__(self, least: int = 0) -> None:
        """`least`: the shortest duration that is allowed, in milliseconds."""
        self._least = least

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            milliseconds = parse_duration(value)
        except InvalidInputError as error:
            self.fail(str(error), param, ctx)
        if milliseconds < self._least:
            self.fail(f"{value!r} is too short, allowed: {format_duration(self._least)} or longer", param, ctx)
        return milliseconds


EXISTING_FILE = FileType(exists=True)
SECRET_FILE = FileType(exists=True, regular=False)
NEW_FILE = FileType()
FOLDER = FolderType()


class Names(click.ParamType[tuple[str, ...]]):
    """Names that are separated by commas."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        return value if isinstance(value, tuple) else tuple(name.strip() for name in value.split(",") if name.strip())
