"""Which class each number means that a training of one's own learns: by names, else by the examples themselves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset
from transformers import TrainingArguments

from diet_explorer.errors import ModelError
from diet_explorer.training.encoding import EncodedExamples

_LOOKED_AT = 256  # training examples, and so many for each class
_PER_CLASS = 8
_MOST = 2_000
_MANY_ROWS = 100_000  # a dataset with more rows is searched for the least number of examples
_FEWEST = 3  # examples of a number that agree about its class
_AGREEING = 0.8  # share of them that must


def label_of(args: TrainingArguments, example: Any) -> Any:
    """The label of a training example; None where it has none."""
    if not isinstance(example, Mapping):
        return None
    return next((example[name] for name in _names(args) if name in example), None)


def trained_classes(
    args: TrainingArguments, loader: Any, encoded: EncodedExamples, classes: Sequence[str]
) -> dict[int, str]:
    """Class by the number that stands for it in the training examples, as far as that can be known.

    By the names of the examples' ClassLabel; without these, by the examples that are the dataset's, told by their
    tokens.
    """
    examples = getattr(loader, "dataset", None)
    features = getattr(examples, "features", None) or {}
    for name in _names(args):
        if hasattr(features.get(name), "names"):
            return dict(enumerate(features[name].names))
    if (
        isinstance(examples, IterableDataset)
        or not hasattr(examples, "__getitem__")
        or not hasattr(examples, "__len__")
    ):
        return {}  # looking at a stream might take its first examples away
    return _by_tokens(args, examples, encoded, classes)


def class_order(
    classes: Sequence[str], model_config: Any, outputs: int, trained: Mapping[int, str] | None = None
) -> NDArray[np.int64]:
    """Where each of the dataset's classes stands in the model's output; ModelError where they are not the same.

    Classes are matched by ``id2label``; where it is missing or has only the library's own names, by what the training
    examples say (`trained`), and where they say nothing by position. Classes that are the numbers from 0 on stand for
    themselves, whatever the model calls them.
    """
    if outputs != len(classes):
        raise ModelError(
            f"The model has {outputs} classes, the dataset {len(classes)}.",
            "Score the dataset that the model is for.",
        )
    known = getattr(model_config, "id2label", None) or {}
    names = {int(code): str(name) for code, name in known.items()}
    learned = {code: name for code, name in (trained or {}).items() if name in classes and 0 <= code < outputs}
    numbers = {code: str(code) for code in range(outputs)}
    if set(names.values()) != set(classes) == set(numbers.values()):
        names = numbers
    elif _has_no_names(names):
        is_whole = len(set(learned.values())) == len(classes)
        names = learned if is_whole else dict(enumerate(classes))
    if set(names.values()) != set(classes) or sorted(names) != list(range(outputs)):
        raise ModelError(
            f"The model's classes ({', '.join(names.values())}) are not the dataset's ({', '.join(classes)}).",
            "Set model.config.id2label and label2id to the dataset's class names.",
        )
    others = {code: name for code, name in learned.items() if names[code] != name}
    if others:
        said = ", ".join(f"{code} is {name!r}, not {names[code]!r}" for code, name in sorted(others.items())[:3])
        raise ModelError(
            f"The training examples number the classes otherwise than the model's id2label or the dataset: {said}.",
            "Set model.config.id2label and label2id to the classes as the training examples number them.",
        )
    positions = {name: code for code, name in names.items()}
    return np.array([positions[name] for name in classes], dtype=np.int64)


def order_is_assumed(classes: Sequence[str], model_config: Any, trained: Mapping[int, str]) -> bool:
    """Whether `class_order` has nothing to go by but the order of the dataset's classes."""
    has_names = not _has_no_names(getattr(model_config, "id2label", None) or {})
    is_numbered = set(classes) == {str(code) for code in range(len(classes))}
    return not has_names and not is_numbered and not set(trained.values()) & set(classes)


def assumed_words(classes: Sequence[str]) -> str:
    """What is said where `order_is_assumed`."""
    taken = ", ".join(f"{code} for {name!r}" for code, name in enumerate(classes[:3]))
    return (
        f"Which class each number means is said neither by model.config.id2label nor by the training examples; {taken}"
        f"{' …' if len(classes) > 3 else ''} are taken, the dataset's order. If that is wrong, all scores are: set "
        "id2label and label2id, and train again."
    )


def _has_no_names(id2label: Mapping[Any, Any]) -> bool:
    return all(str(name) == f"LABEL_{int(code)}" for code, name in id2label.items())


def _names(args: TrainingArguments) -> list[str]:
    return [*(getattr(args, "label_names", None) or ()), "labels", "label"]


def _by_tokens(
    args: TrainingArguments, examples: Any, encoded: EncodedExamples, classes: Sequence[str]
) -> dict[int, str]:
    """Class by number, from training examples whose tokens are those of rows of the dataset, where they agree."""
    votes: dict[int, Counter[int]] = defaultdict(Counter)
    try:
        chosen = [examples[index] for index in _some(len(examples), len(encoded), len(classes))]
        labels, texts = [label_of(args, example) for example in chosen], [_tokens(example) for example in chosen]
        cut = max(map(len, texts), default=0)
        for label, tokens in zip(labels, texts, strict=True):
            for row in _rows_of(tokens, encoded, cut):
                votes[int(label)][int(encoded.labels[row])] += 1
    except Exception:  # noqa: BLE001  somebody's data may be anything; whatever is wrong with it, the training will say
        return {}
    agreed = {}
    for number, counts in votes.items():
        code, times = counts.most_common(1)[0]
        if times >= max(_FEWEST, _AGREEING * counts.total()):
            agreed[number] = classes[code]
    return agreed if len(set(agreed.values())) == len(agreed) else {}


def _some(examples: int, rows: int, classes: int) -> list[int]:
    """Positions of examples to look at, evenly over all."""
    most = _LOOKED_AT if rows > _MANY_ROWS else min(max(_LOOKED_AT, _PER_CLASS * classes), _MOST)
    positions: list[int] = np.unique(np.linspace(0, examples - 1, min(examples, most)).astype(int)).tolist()
    return positions


def _tokens(example: Any) -> NDArray[np.int64]:
    """The token ids of an example without padding."""
    tokens = _array(example["input_ids"])
    return tokens[_array(example["attention_mask"]).astype(bool)] if "attention_mask" in example else tokens


def _array(values: Any) -> NDArray[Any]:
    return np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values)


def _rows_of(tokens: NDArray[np.int64], encoded: EncodedExamples, cut: int) -> list[int]:
    """Rows of the dataset with these tokens, or with the same beginning where one of both was cut."""
    flat, starts, lengths = encoded.columns["input_ids"], encoded.offsets[:-1], encoded.lengths
    longest = int(lengths.max(initial=0))
    is_like = lengths == len(tokens)
    if len(tokens) > longest:
        is_like |= lengths == longest
    if len(tokens) == cut:
        is_like |= lengths > cut
    rows = np.flatnonzero(is_like)
    # Before a cut the last token may be the one that ends every text.
    shared = np.minimum(lengths, len(tokens)) - (lengths != len(tokens))
    for position in range(int(shared.max(initial=0))):
        here = flat[np.minimum(starts[rows] + position, len(flat) - 1)]
        rows = rows[(position >= shared[rows]) | (here == tokens[min(position, len(tokens) - 1)])]
        if not len(rows):
            break
    like: list[int] = rows.tolist()
    return like
