"""How a classifier is called, and where its logits are in what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from transformers.utils.generic import ModelOutput

from diet_explorer.errors import ModelError
from diet_explorer.scoring.gradients.parameter_groups import classifier

LABELS = "labels"


@dataclass(frozen=True)
class CallForm:
    """Which inputs a classifier takes, as `transformers.Trainer` chooses them: by the signature of its ``forward``.

    Attributes
    ----------
    accepted : frozenset of str or None
        Names of its inputs; None where it takes any.
    with_labels : bool
        Whether it gives logits only when it is given labels too.
    """

    accepted: frozenset[str] | None = None
    with_labels: bool = False

    @classmethod
    def of(cls, model: nn.Module, *, with_labels: bool = False) -> CallForm:
        """The form of a model's ``forward``, also inside peft's wrapper."""
        parameters = inspect.signature(classifier(model).forward).parameters
        if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
            return cls(None, with_labels)
        return cls(frozenset(parameters), with_labels)

    def inputs(self, batch: Mapping[str, object], labels: Tensor) -> dict[str, object]:
        """What the model is called with, of a batch as the tokenizer made it."""
        taken = {name: value for name, value in batch.items() if self.accepted is None or name in self.accepted}
        taken.pop(LABELS, None)
        return {**taken, LABELS: labels} if self.with_labels else taken


def logits_of(model: nn.Module, output: object) -> Tensor:
    """Logits (B, K) from what `model` returned: a tensor, an object or mapping with ``logits``, or a tuple or mapping
    of which the first tensor of that form is taken.

    ModelError where there are none.
    """
    logits = _candidate(output)
    if not isinstance(logits, Tensor) or logits.dim() != 2:
        raise ModelError(
            f"{type(model).__name__} does not return logits of shape (examples, classes).",
            "Use a model for sequence classification.",
        )
    return logits


def _candidate(output: object) -> object:
    if isinstance(output, Tensor):
        return output
    named = output.get("logits") if isinstance(output, Mapping) else getattr(output, "logits", None)
    if named is not None or isinstance(output, ModelOutput):
        return named
    parts = list(output.values()) if isinstance(output, Mapping) else output
    if not isinstance(parts, list | tuple):
        return None
    return next((part for part in parts if isinstance(part, Tensor) and part.dim() == 2), None)
