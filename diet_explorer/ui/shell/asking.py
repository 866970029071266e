"""What pages ask, answered once: `asked` keeps an answer until what it rests on changes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.ui.shell.answers import Answers
from diet_explorer.workspace.run import Run

P = ParamSpec("P")
R = TypeVar("R")
Stamp = Callable[[Run], str]

ANSWERS = Answers()
"""Those of this process, whoever asked."""


def landed(run: Run) -> str:
    """Changes whenever scores land, which never change afterwards."""
    return run.store.stamp()


def landed_and_decided(run: Run) -> str:
    """Changes whenever scores land, a map is drawn or a decision is taken."""
    return f"{run.store.stamp()} {run.maps.stamp()} {run.dataset.ledger.position()}"


def asked(
    stamp: Stamp | None = landed_and_decided, *, entries: int = 512, shared: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep the answers of a function under its arguments; of a run, its id and its stamp count.

    An answer must not depend on who asks, since everybody gets it. What is kept is bounded for each dataset, so that
    nobody's decisions or pages push out the answers about another's; see `answers.Answers`.

    Parameters
    ----------
    stamp : callable or None
        Gives a text that changes with what the answer rests on; None where such a text is one of the arguments.
    entries : int
        How many answers are kept of one dataset, the latest ones.
    shared : bool
        Give everybody the same object instead of a copy of it; for what nobody changes and is costly to copy.
    """

    def decorate(question: Callable[P, R]) -> Callable[P, R]:
        name, parameters = f"{question.__module__}.{question.__qualname__}", signature(question)

        @wraps(question)
        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            given = parameters.bind(*args, **kwargs)
            given.apply_defaults()
            runs = list(_runs(given.arguments))
            stamps = None if stamp is None else "\n".join(stamp(run) for run in runs)
            kept: R = ANSWERS.get(
                runs[0].dataset.id,
                (name, _key(given.arguments)),
                stamps,
                lambda: question(*args, **kwargs),
                entries=entries,
                shared=shared,
            )
            return kept

        return answer

    return decorate


def _runs(value: object) -> Iterator[Run]:
    """The runs among what is asked with."""
    if isinstance(value, Run):
        yield value
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from _runs(entry)
    elif isinstance(value, Mapping):
        yield from _runs(list(value.values()))
    elif is_dataclass(value):
        yield from _runs([getattr(value, entry.name) for entry in fields(value)])


def _key(value: Any) -> Hashable:
    """What an answer is found by again, of what is asked with."""
    if isinstance(value, Run):
        return value.id
    if isinstance(value, ExampleFilter):
        return repr(value)
    if isinstance(value, (tuple, list)):
        return tuple(_key(entry) for entry in value)
    if isinstance(value, Mapping):
        return tuple((name, _key(entry)) for name, entry in value.items())
    if is_dataclass(value):
        return (type(value).__name__, *(_key(getattr(value, entry.name)) for entry in fields(value)))
    if not isinstance(value, Hashable):
        raise TypeError(f"{type(value).__name__} cannot be part of a question")
    return value
