"""Whether a training of one's own can be scored: what cannot is refused in one line, before its first step."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset
from transformers import TrainingArguments

from diet_explorer.errors import ModelError
from diet_explorer.scoring.gradients.frozen_model import held, trainable, unwrap
from diet_explorer.scoring.gradients.head import find_head, nothing_chosen
from diet_explorer.scoring.gradients.outputs import CallForm, logits_of
from diet_explorer.scoring.gradients.parameter_groups import classifier
from diet_explorer.scoring.own_labels import label_of
from diet_explorer.training.batches import PaddingCollator
from diet_explorer.training.config import GradientMode
from diet_explorer.training.encoding import EncodedExamples

ONE_LABEL_ONLY = "Scores are about one label per text: train with one class per text and cross-entropy to score it."
_NO_PROBLEM = (None, "single_label_classification")
_PROBABILITIES = {"SigmoidBackward0": "sigmoids", "SoftmaxBackward0": "probabilities"}
_SAME_VALUES = ("ToCopyBackward0", "CloneBackward0", "ViewBackward0", "SqueezeBackward1", "SliceBackward0")
_PROBE_ROWS = 2
_ANY_NAMED = inspect.Parameter.VAR_KEYWORD


@dataclass(frozen=True)
class ModelUse:
    """How a model is called and what it gives: `head` are its classifier's parameters, empty where not known, and
    `classes` the number of its outputs."""

    form: CallForm
    head: frozenset[nn.Parameter]
    classes: int


def check_set_up(args: TrainingArguments, model: Any) -> None:
    """ModelError where the trainer, the model or the way of sharing it among devices is none that can be scored."""
    kinds = {kind.__name__ for kind in type(model).__mro__}
    if "SetFitModel" in kinds or "SentenceTransformer" in kinds:
        raise ModelError(
            f"{type(model).__name__} is trained to embed texts, not to tell classes apart; it has no scores.",
            "Use transformers.Trainer with a sequence classifier, such as AutoModelForSequenceClassification.",
        )
    if not isinstance(model, nn.Module):
        raise ModelError(
            f"A {type(model).__name__} cannot be scored: it is no torch.nn.Module.",
            "Use transformers.Trainer, or a class made from it, with a sequence classifier.",
        )
    if getattr(args, "fsdp", None) or getattr(args, "deepspeed", None):
        shared = "FSDP" if getattr(args, "fsdp", None) else "DeepSpeed"
        raise ModelError(
            f"A training that shares its weights among processes ({shared}) cannot be scored.",
            "Train on one device, or on several by torchrun alone (DistributedDataParallel).",
        )
    devices = {parameter.device for parameter in model.parameters()}
    if not devices:
        raise ModelError(f"{type(model).__name__} has no parameters.", "Score a model that is trained.")
    if len(devices) > 1 or torch.device("meta") in devices:
        raise ModelError(
            f"The model's parameters are on several devices ({', '.join(sorted(map(str, devices)))}).",
            "Load the model without device_map, so that it is on one device.",
        )


def check_problem(model: nn.Module) -> None:
    """ModelError where the model says that it learns several labels per text, or numbers."""
    config = getattr(unwrap(model), "config", None)
    problem = getattr(config, "problem_type", None)
    if problem not in _NO_PROBLEM:
        what = "a sigmoid per class, no softmax over them" if problem.startswith("multi") else "a number, no class"
        raise ModelError(f"The model's problem_type is {problem}: {what}.", ONE_LABEL_ONLY)


def check_columns(args: TrainingArguments, model: nn.Module) -> None:
    """ModelError where the Trainer would drop every column of the training data, since ``forward`` names none."""
    if args.remove_unused_columns and _names_nothing(unwrap(model)):
        raise ModelError(
            f"The Trainer gives {type(unwrap(model)).__name__} no column of the data: its forward names none of them.",
            "Name input_ids, attention_mask and labels in forward, or set remove_unused_columns=False.",
        )


def check_labels(args: TrainingArguments, loader: Any) -> None:
    """ModelError where the first training example has several labels, or a number as its label."""
    examples = getattr(loader, "dataset", None)
    if examples is None or isinstance(examples, IterableDataset) or not hasattr(examples, "__getitem__"):
        return  # looking at a stream might take its first example away
    try:
        example = examples[0]
    except Exception:  # noqa: BLE001  whatever is wrong with the data, the training will say it
        return
    label = label_of(args, example)
    if label is None or isinstance(label, str | bytes):
        return
    values = np.asarray(label.detach().cpu() if isinstance(label, Tensor) else label)
    if values.size != 1:
        raise ModelError(
            f"The training examples have {values.size} labels each (shape {values.shape}), not one class.",
            ONE_LABEL_ONLY,
        )
    if values.dtype.kind == "f":
        raise ModelError("The training examples have numbers with a fraction as labels, not classes.", ONE_LABEL_ONLY)


def probe(model: nn.Module, encoded: EncodedExamples, collator: PaddingCollator, grand: GradientMode) -> ModelUse:
    """Call a model on two examples as it will be called for scoring; ModelError where that cannot give scores."""
    whole = unwrap(model)
    device = next(whole.parameters()).device
    rows = range(min(_PROBE_ROWS, len(encoded)))
    batch = {name: value.to(device) for name, value in collator([encoded.tokens(row) for row in rows]).items()}
    labels = torch.zeros(len(rows), dtype=torch.long, device=device)
    learned = [parameter for parameter in whole.parameters() if parameter.requires_grad]
    with held(whole), trainable(learned), torch.enable_grad():
        form, logits = _called(whole, batch, labels)
        _check_logits(whole, logits)
        head = find_head(whole, lambda: logits_of(whole, whole(**form.inputs(batch, labels))))
    chosen = [parameter for parameter in learned if grand == "all" or parameter in head]
    if grand != "off" and not chosen:
        raise nothing_chosen(whole, grand, head)
    return ModelUse(form, head, logits.shape[1])


def _names_nothing(model: nn.Module) -> bool:
    """Whether a model's ``forward`` takes its inputs as keywords of any name only."""
    parameters = list(inspect.signature(type(classifier(model)).forward).parameters.values())[1:]  # without self
    return {parameter.kind for parameter in parameters} <= {_ANY_NAMED, inspect.Parameter.VAR_POSITIONAL}


def _called(model: nn.Module, batch: Mapping[str, Tensor], labels: Tensor) -> tuple[CallForm, Tensor]:
    """The form in which a model gives logits, with labels if it must have them, and these logits."""
    failure: Exception | None = None
    for with_labels in (False, True):
        form = CallForm.of(model, with_labels=with_labels)
        try:
            output = model(**form.inputs(batch, labels))
        except Exception as error:  # noqa: BLE001  somebody's model may raise anything; it is reported
            failure = failure or error
            continue
        return form, logits_of(model, output)
    reason = (str(failure).strip() or type(failure).__name__).splitlines()[0]
    raise ModelError(
        f"{type(model).__name__} cannot be called with the tokenizer's columns ({', '.join(batch)}): {reason}",
        "Its forward must take them by these names and return logits, as for transformers.Trainer.",
    ) from failure


def _check_logits(model: nn.Module, logits: Tensor) -> None:
    name = type(model).__name__
    if logits.shape[1] < 2:
        raise ModelError(f"{name} has one output, a sigmoid or a number, not one per class.", ONE_LABEL_ONLY)
    node = logits.grad_fn
    while node is not None and node.name() in _SAME_VALUES:
        node = node.next_functions[0][0]
    given = _PROBABILITIES.get(node.name()) if node is not None else None
    if given is not None:
        raise ModelError(
            f"{name} returns {given}, not logits, which scores are computed from.",
            "Return the outputs of the last layer as they are. " + ONE_LABEL_ONLY,
        )
