"""Exact per-example gradient norms (GraNd) over every trainable parameter, cheaper than a training step.

One forward pass and one backward pass over a batch with all parameters frozen, so that only activation gradients flow
and no weight gradient is ever formed; per-example norms come from each module's inputs and output gradients
(`ghost_rules`). What those rules do not cover takes an exact slower path and is reported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import torch
from torch import Tensor, nn

from diet_explorer.errors import BadInputError, ModelError
from diet_explorer.scoring.gradients.fallback import per_example_squared_norms, vectorised_squared_norms
from diet_explorer.scoring.gradients.frozen_model import held, isolated_random_state, unwrap
from diet_explorer.scoring.gradients.ghost_pass import GhostPass, StructureChanged
from diet_explorer.scoring.gradients.head import find_head, nothing_chosen
from diet_explorer.scoring.gradients.outputs import LABELS, CallForm, logits_of
from diet_explorer.scoring.gradients.parameter_groups import group_names, head_parameters
from diet_explorer.scoring.gradients.plan import candidates, disagreements, make_plan
from diet_explorer.scoring.gradients.token_batches import padding_is_ignored, real_lengths, split_by_tokens, take_rows

_TOKENS_PER_PART = {"cpu": 1536, "cuda": 32768}
"""Tokens worked on at once: on a CPU few enough for its caches, on an accelerator enough to fill it."""


@dataclass(frozen=True)
class GradientPass:
    """The result of one pass over a batch of B examples with K classes.

    Attributes
    ----------
    logits : Tensor
        (B, K) fp32.
    norms : Tensor
        (B,) fp32, in [0, ∞), high for hard or mislabelled examples: the norm of the gradient of each example's own
        cross-entropy over all chosen parameters.
    head_norms : Tensor or None
        (B,) fp32, the same over the classifier only, that is over the chosen parameters outside ``model.base_model``;
        None where no classifier is known, or none of it is among the chosen parameters.
    groups : dict of str to Tensor
        (B,) fp32 each: the same per group of parameters, in the order of the forward pass ("embeddings", "layer 0",
        …, "head"). Their squares add up to ``norms ** 2``. Empty unless asked for.
    """

    logits: Tensor
    norms: Tensor
    head_norms: Tensor | None
    groups: dict[str, Tensor]


@dataclass(frozen=True)
class Coverage:
    """How many of the chosen scalars the fast rules cover."""

    total: int  # scalars chosen
    fast: int  # scalars on the fast path
    slow: tuple[str, ...]  # names of the parameters on the exact slower path

    @property
    def fast_share(self) -> float:
        """Share of scalars on the fast path, in [0, 1]."""
        return self.fast / self.total if self.total else 1.0

    def __str__(self) -> str:
        share = f"{100 * self.fast_share:.1f} % of parameters by the fast path"
        return f"{share}; by the slower one: {', '.join(self.slow)}" if self.slow else share


class GradientNorms:
    """Reusable engine for exact per-example gradient norms of one model.

    Parameters
    ----------
    model : nn.Module
        A sequence classifier: called with the batch as keyword arguments, it returns logits (B, K), as a tensor, as
        ``.logits``, or in a mapping or tuple. Its examples must not influence one another in evaluation mode.
    parameters : {"all", "head"}
        "all" trainable parameters at the time of construction, or only those of the classifier "head" outside
        ``model.base_model``, which needs no backward pass through the backbone.
    groups : bool
        Also give the norms per group of parameters.
    head : collection of nn.Parameter, optional
        The classifier's parameters; by default those outside ``model.base_model``.
    form : CallForm, optional
        Which inputs the model is called with; by default all of a batch but its labels.

    Attributes
    ----------
    coverage : Coverage
        Which parameters take the slower path. Judged by class before the first batch, exact after it.

    Raises
    ------
    ModelError
        If nothing is trainable, or the model has no head.

    Notes
    -----
    At the first batch the engine watches the model on two and three examples, plans, and compares every parameter with
    plain autograd on two examples; a parameter that disagrees takes the slower path. As a context manager the engine
    freezes the model once for many batches and gives it back as it was (modes, flags, hooks, gradients, random state)
    at the end or after an exception; a call outside ``with`` does so by itself. Do not train the model meanwhile.

    Examples
    --------
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> config = BertConfig(
    ...     vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    ... )
    >>> model = BertForSequenceClassification(config)
    >>> batch = {"input_ids": torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]]),
    ...          "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])}
    >>> with GradientNorms(model, groups=True) as norms:
    ...     result = norms(batch, torch.tensor([0, 1]))
    >>> result.norms.shape, list(result.groups)
    (torch.Size([2]), ['embeddings', 'layer 0', 'pooler', 'head'])
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        parameters: Literal["all", "head"] = "all",
        groups: bool = False,
        head: Collection[nn.Parameter] | None = None,
        form: CallForm | None = None,
    ) -> None:
        self._model = unwrap(model)
        self._form = form or CallForm()
        everything = {name: value for name, value in self._model.named_parameters() if value.requires_grad}
        head = head_parameters(self._model) if head is None else frozenset(head)
        self._chosen = everything if parameters == "all" else {n: p for n, p in everything.items() if p in head}
        if not self._chosen:
            raise nothing_chosen(self._model, parameters, head)
        self._has_head = not head.isdisjoint(self._chosen.values())
        groups_of = group_names(self._model, self._chosen, head)
        self._bucket = {value: groups_of[value] if groups or value in head else "body" for value in groups_of}
        self._groups = tuple(dict.fromkeys(groups_of.values())) if groups else ()
        self._ghost: GhostPass | None = None
        self._cuts_padding = self._vectorises = False
        self._entered: ExitStack | None = None

    @property
    def coverage(self) -> Coverage:
        """Which parameters take the slower path."""
        if self._ghost is not None:
            slow = self._ghost.plan.slow
        else:
            known = {value for module in candidates(self._model, self._chosen) for value in module.parameters(False)}
            slow = tuple(name for name, parameter in self._chosen.items() if parameter not in known)
        total = sum(parameter.numel() for parameter in self._chosen.values())
        return Coverage(total, total - sum(self._chosen[name].numel() for name in slow), slow)

    def __enter__(self) -> Self:
        if self._entered is not None:
            raise RuntimeError("This GradientNorms is already in use.")
        with ExitStack() as stack:
            stack.enter_context(held(self._model))
            stack.callback(self._use, None)
            self._use(self._ghost)
            self._entered = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        entered, self._entered = self._entered, None
        if entered is not None:
            entered.close()

    def __call__(self, batch: Mapping[str, Tensor], labels: Tensor) -> GradientPass:
        """Score one batch.

        Parameters
        ----------
        batch : mapping of str to Tensor
            Inputs (B, T) as the tokenizer made them; labels in it are ignored.
        labels : Tensor
            (B,) class ids.

        Raises
        ------
        BadInputError
            If the labels do not fit the batch or the model's classes.
        ModelError
            If the model does not return logits (B, K), or uses its parameters differently from call to call.
        """
        if self._entered is None:
            with self:
                return self(batch, labels)
        device = next(iter(self._chosen.values())).device
        with torch.inference_mode(False), torch.enable_grad(), isolated_random_state(self._model):
            tokens = {name: _on_device(value, device) for name, value in batch.items() if name != LABELS}
            classes = _checked_labels(labels, tokens, device)
            return self._score(self._form.inputs(tokens, classes), classes)

    def _score(self, batch: Mapping[str, object], labels: Tensor) -> GradientPass:
        ghost = self._ghost or self._new_plan(batch, labels)
        try:
            logits, squares = self._run(ghost, batch, labels)
        except StructureChanged:
            ghost = self._new_plan(batch, labels)
            try:
                logits, squares = self._run(ghost, batch, labels)
            except StructureChanged as error:
                raise ModelError(
                    f"{type(self._model).__name__} uses its parameters differently from one forward pass to the next.",
                    "Gradient norms need a model whose evaluation is deterministic.",
                ) from error
        zero = torch.zeros(len(labels), device=labels.device)
        return GradientPass(
            logits=logits,
            norms=sum(squares.values(), zero).sqrt(),
            head_norms=squares.get("head", zero).sqrt() if self._has_head else None,
            groups={name: squares.get(name, zero).sqrt() for name in self._groups},
        )

    def _run(self, ghost: GhostPass, batch: Mapping[str, object], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (B, K), and squared norms (B,) per bucket, part by part."""
        size = len(labels)
        if self._cuts_padding:
            tokens = _TOKENS_PER_PART.get(labels.device.type, _TOKENS_PER_PART["cuda"])
            parts = split_by_tokens(batch, size, tokens)
        else:
            parts = [(torch.arange(size, device=labels.device), dict(batch))]
        slow = ghost.plan.slow
        order = torch.cat([rows for rows, _ in parts]).argsort()
        done = []
        for rows, part in parts:
            logits, squares = ghost.run(self._forward, part, labels[rows])
            if slow:
                for name, value in zip(slow, self._slow_squares(slow, part, labels[rows]), strict=True):
                    key = self._bucket[self._chosen[name]]
                    squares[key] = squares[key] + value if key in squares else value
            done.append((logits, squares))
        names = {name for _, squares in done for name in squares}
        return (
            torch.cat([logits for logits, _ in done])[order],
            {
                name: torch.cat([squares.get(name, logits.new_zeros(len(logits))) for logits, squares in done])[order]
                for name in sorted(names)
            },
        )

    def _use(self, ghost: GhostPass | None) -> None:
        """Exchange the hooks on the model."""
        if self._ghost is not None:
            self._ghost.remove()
        if ghost is not None:
            self._ghost = ghost
            ghost.install()

    def _new_plan(self, batch: Mapping[str, object], labels: Tensor) -> GhostPass:
        """Plan on the first examples of the batch, and move to the slower path whatever disagrees with autograd.

        Parameters that ever needed the slower path stay there. All this happens without autocast, whose rounding would
        pass for disagreement.
        """
        with torch.autocast(labels.device.type, enabled=False):
            return self._new_plan_in_full_precision(batch, labels)

    def _new_plan_in_full_precision(self, batch: Mapping[str, object], labels: Tensor) -> GhostPass:
        self._use(None)
        size = len(labels)
        excluded = frozenset(self._ghost.plan.slow) if self._ghost is not None else frozenset[str]()
        plan = make_plan(self._model, self._forward, self._chosen, batch, size, excluded)
        # The shortest and the longest example, so that padding is seen at work.
        lengths = real_lengths(batch)
        order = torch.arange(size, device=labels.device) if lengths is None else lengths.argsort(stable=True)
        rows = torch.stack([order[0], order[-1]])
        few, classes = take_rows(batch, rows, size), labels[rows]
        self._cuts_padding = padding_is_ignored(self._forward, few)
        expected = per_example_squared_norms(self._forward, list(self._chosen.values()), few, classes)
        names = {parameter: name for name, parameter in self._chosen.items()}
        ghost = GhostPass(plan, names, self._model)
        ghost.install()
        try:
            squares = ghost.run(self._forward, few, classes)[1]
            wrong = disagreements(plan, names, squares, dict(zip(self._chosen, expected, strict=True)))
        except StructureChanged:
            wrong = frozenset(names[parameter] for parameter in plan.uses)
        finally:
            ghost.remove()
        if wrong:
            plan = make_plan(self._model, self._forward, self._chosen, batch, size, excluded | wrong)
        slow = [index for index, name in enumerate(self._chosen) if name in plan.slow]
        self._vectorises = bool(slow) and self._can_vectorise(plan.slow, few, classes, expected[slow])
        ghost = GhostPass(plan, self._bucket, self._model)
        self._use(ghost)
        return ghost

    def _forward(self, batch: Mapping[str, object]) -> Tensor:
        return logits_of(self._model, self._model(**batch))

    def _slow_squares(self, slow: Sequence[str], batch: Mapping[str, object], labels: Tensor) -> Tensor:
        """(parameters, B) squared norms of the parameters on the slower path."""
        parameters = {name: self._chosen[name] for name in slow}
        if self._vectorises:
            return vectorised_squared_norms(self._model, parameters, batch, labels)
        return per_example_squared_norms(self._forward, list(parameters.values()), batch, labels)

    def _can_vectorise(
        self, slow: Sequence[str], batch: Mapping[str, object], labels: Tensor, expected: Tensor
    ) -> bool:
        """Whether ``torch.func`` gets through this model, and to the `expected` squared norms (parameters, B)."""
        try:
            again = vectorised_squared_norms(self._model, {n: self._chosen[n] for n in slow}, batch, labels)
        except RuntimeError:
            # vmap refuses control flow that depends on data; the loop over examples takes anything.
            return False
        return torch.allclose(again.sum(0).sqrt(), expected.sum(0).sqrt(), rtol=1e-3)


def gradient_norms(model: nn.Module, batch: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """Exact gradient norm (GraNd) of each example's cross-entropy over all trainable parameters of a classifier.

    Parameters
    ----------
    model : nn.Module
        Any Hugging Face sequence classifier; scored in evaluation mode and given back as it was.
    batch : mapping of str to Tensor
        Inputs (B, T) as the tokenizer made them, padded.
    labels : Tensor
        (B,) class ids.

    Returns
    -------
    Tensor
        (B,) fp32, in [0, ∞); high means hard or mislabelled (Paul et al. 2021, arXiv 2107.07075).

    Raises
    ------
    BadInputError
        If the labels do not fit the batch or the model's classes.
    ModelError
        If nothing is trainable or the model does not return logits (B, K).

    Notes
    -----
    For more than one batch keep a `GradientNorms`, which plans only once.

    Examples
    --------
    >>> from transformers import BertConfig, BertForSequenceClassification
    >>> config = BertConfig(
    ...     vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    ... )
    >>> model = BertForSequenceClassification(config)
    >>> batch = {"input_ids": torch.tensor([[2, 7, 9, 3], [2, 8, 3, 0]]),
    ...          "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])}
    >>> gradient_norms(model, batch, torch.tensor([0, 1])).shape
    torch.Size([2])
    """
    return GradientNorms(model)(batch, labels).norms


def head_gradient_norms(model: nn.Module, batch: Mapping[str, Tensor], labels: Tensor) -> GradientPass:
    """The same over the classifier head only, without a backward pass through the backbone.

    For a head of one Linear with bias and input ``h`` the norm is ``el2n · sqrt(1 + ‖h‖²)``.

    Parameters
    ----------
    model, batch, labels
        As for `gradient_norms`.

    Returns
    -------
    GradientPass
        Its ``norms`` equal its ``head_norms``.
    """
    whole = unwrap(model)
    with held(whole), isolated_random_state(whole):
        head = find_head(whole, lambda: logits_of(whole, whole(**{n: v for n, v in batch.items() if n != LABELS})))
    return GradientNorms(model, parameters="head", head=head)(batch, labels)


def _on_device(value: object, device: torch.device) -> object:
    if not isinstance(value, Tensor):
        return value
    # Tensors made in inference mode cannot take part in autograd.
    return value.clone().to(device) if value.is_inference() else value.to(device)


def _checked_labels(labels: Tensor, batch: Mapping[str, object], device: torch.device) -> Tensor:
    if labels.dim() != 1 or labels.is_floating_point() or not len(labels):
        raise BadInputError(
            f"labels have shape {tuple(labels.shape)} and type {labels.dtype}.",
            "Pass one integer class id per example.",
        )
    ids = batch.get("input_ids")
    if isinstance(ids, Tensor) and len(ids) != len(labels):
        raise BadInputError(
            f"There are {len(ids)} examples in input_ids and labels for {len(labels)} examples.",
            "Pass one label per example.",
        )
    return labels.to(device, torch.long)
