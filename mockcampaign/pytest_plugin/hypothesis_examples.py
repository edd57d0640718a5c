"""Property tests: the fixtures begin anew for each example that Hypothesis runs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol

import pytest

FIXTURES = ("campaign", "campaign_server", "campaign_check", "campaign_histories")


class RenewableFixture(Protocol):
    """A fixture that can begin anew for each example."""

    def example(self) -> AbstractContextManager[None]: ...

    async def leave_loop(self) -> None: ...


RENEWABLE = pytest.StashKey[list[RenewableFixture]]()


def renew_for_each_example(item: pytest.Item, fixture: RenewableFixture) -> None:
    """Let the fixture begin anew for each example of a Hypothesis test."""
    item.stash.setdefault(RENEWABLE, []).append(fixture)


@contextmanager
def fresh_for_each_example(item: pytest.Item) -> Iterator[None]:
    """Let our fixtures begin anew for each example, and let Hypothesis know."""
    ours = item.stash.get(RENEWABLE, [])
    function: Any = getattr(item, "obj", None)
    function = getattr(function, "__func__", function)
    handle = function.hypothesis
    inner = handle.inner_test
    handle.inner_test = _in_example(inner, ours)
    before = _suppress_fixture_check(item, function)
    try:
        yield
    finally:
        handle.inner_test = inner
        if before is not None:
            function._hypothesis_internal_use_settings = before


@contextmanager
def _example(ours: Sequence[RenewableFixture]) -> Iterator[None]:
    with ExitStack() as stack:
        for one in ours:
            stack.enter_context(one.example())
        yield


def _in_example(inner: Any, ours: Sequence[RenewableFixture]) -> Any:
    if inspect.iscoroutinefunction(inner):

        @functools.wraps(inner)
        async def example(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            with _example(ours):
                try:
                    return await inner(*args, **kwargs)
                finally:
                    for one in ours:
                        await one.leave_loop()

        return example

    @functools.wraps(inner)
    def example_without_loop(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        with _example(ours):
            return inner(*args, **kwargs)

    return example_without_loop


def _suppress_fixture_check(item: Any, function: Any) -> Any:
    """Switch off the health check against function-scoped fixtures, which ours pass: they begin anew.

    If the test uses another function-scoped fixture, the check stays. Return the settings to restore, or None.
    """
    from hypothesis import HealthCheck, settings

    # The fixtures of `item._fixtureinfo` would include the parameters of `parametrize`.
    asked_for = item if pytest.version_tuple >= (8, 1) else item.nodeid
    for name in inspect.signature(item.function).parameters:
        definitions = item.session._fixturemanager.getfixturedefs(name, asked_for) or ()
        ours = name in FIXTURES and len(definitions) == 1  # and not overridden
        if definitions and definitions[-1].scope == "function" and not ours:
            return None
    before = getattr(function, "_hypothesis_internal_use_settings", settings.default)
    assert before is not None
    function._hypothesis_internal_use_settings = settings(
        parent=before, suppress_health_check={HealthCheck.function_scoped_fixture, *before.suppress_health_check}
    )
    return before
