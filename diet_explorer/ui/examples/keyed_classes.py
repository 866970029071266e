"""Which classes the keys 1 to 9 stand for, where there are more than keys."""

from __future__ import annotations

from collections.abc import Sequence

from diet_explorer.analysis.card import ExampleCard
from diet_explorer.workspace.dataset import Dataset

KEYS = 9


def keyed_classes(
    dataset: Dataset,
    example: ExampleCard,
    checkpoint: float,
    seed: int | None,
    *,
    blind: bool = False,
    wanted: Sequence[str] = (),
) -> tuple[str, ...]:
    """The classes of the keys: all where there are keys for them, in their order, else the most likely ones.

    Then the given class comes first, after it those that people want (`wanted`) and the others by the probability that
    the model gives them. Whoever decides `blind` gets the most frequent classes instead, which say nothing about this
    example.
    """
    classes = dataset.classes
    if len(classes) <= KEYS:
        return tuple(classes)
    if blind:
        counts = dataset.report.classes
        ordered = sorted(classes, key=lambda name: -sum(counts.get(name, {}).values()))
    else:
        likely = example.probabilities(checkpoint, seed)
        ordered = sorted(classes, key=lambda name: -likely.get(name, 0.0))
    return tuple(dict.fromkeys([example.label, *wanted, *ordered]))[:KEYS]
