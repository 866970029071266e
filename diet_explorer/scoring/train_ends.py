"""How trainings end that end by an exception: the Trainer tells its callbacks nothing of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from transformers import Trainer


@runtime_checkable
class HearsOfErrors(Protocol):
    """A callback that wants to know why a training ended."""

    def on_train_error(self, error: BaseException) -> None:
        """Called once when an exception, an interrupt included, leaves ``Trainer.train``."""


def report_train_errors() -> None:
    """Have `on_train_error` called for every callback that has it; the exception goes on as it was.

    ``Trainer.train`` is wrapped for that, once for all trainers, since a callback never sees its trainer.
    """
    if not isinstance(getattr(Trainer.train, "reports_errors", None), bool):
        Trainer.train = _reporting(Trainer.train)  # type: ignore[method-assign]


def _reporting(train: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(train)
    def reporting(self: Trainer, *args: Any, **keywords: Any) -> Any:
        try:
            return train(self, *args, **keywords)
        except BaseException as error:
            for callback in self.callback_handler.callbacks:
                if isinstance(callback, HearsOfErrors):
                    callback.on_train_error(error)
            raise

    reporting.reports_errors = True  # type: ignore[attr-defined]
    return reporting
