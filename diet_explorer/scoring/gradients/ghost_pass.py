"""One forward and one activation-only backward pass over a batch, watched by hooks that apply the ghost rules."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from diet_explorer.errors import ModelError
from diet_explorer.scoring.gradients.fallback import Forward, cross_entropy
from diet_explorer.scoring.gradients.first_query import first_query_attention
from diet_explorer.scoring.gradients.ghost_rules import Call, Piece, SharedInput, squared_norm
from diet_explorer.scoring.gradients.plan import Plan, has_batch_dimension, sole_tensor
from diet_explorer.scoring.gradients.pooled_position import first_position, last_attention
from diet_explorer.scoring.gradients.short_attention import ShortAttention


class StructureChanged(Exception):
    """The model used its modules differently from what the plan says."""


class GhostPass:
    """Hooks on the modules of a plan; idle except during `run`.

    `bucket` names for each parameter what its squared norms are added up under. The model's last attention is cut down
    to the position that the classifier reads, where it has one.
    """

    def __init__(self, plan: Plan, bucket: Mapping[nn.Parameter, str], model: nn.Module) -> None:
        self.plan = plan
        self._bucket = bucket
        last = last_attention(model)
        self._last_output: nn.Module | None = None if last is None else last.output  # type: ignore[assignment]
        self._first_query = first_query_attention(model, plan)
        self._handles: list[RemovableHandle] = []
        self._active = False

    def install(self) -> None:
        """Put the hooks in place."""
        self._handles = [
            module.register_forward_hook(self._on_forward, with_kwargs=True) for module in self.plan.modules
        ]
        if self._last_output is not None:
            self._handles.append(self._last_output.register_forward_pre_hook(self._on_last_output))
        if self._first_query is not None:
            self._first_query.install(self._add_squares, lambda: self._active)

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        if self._first_query is not None:
            self._first_query.remove()

    def run(self, forward: Forward, batch: Mapping[str, object], labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (B, K) in fp32, and squared gradient norms (B,) per bucket; StructureChanged where a module was called
        more or less often than planned, or without a batch dimension."""
        self._batch_size = labels.shape[0]
        self._calls: Counter[nn.Module] = Counter()
        self._inputs: dict[int, tuple[Tensor, SharedInput]] = {}
        self._leaves: list[Tensor] = []
        self._pending: dict[nn.Parameter, list[Piece]] = defaultdict(list)
        self._squares: dict[str, Tensor] = {}
        self._active = True
        try:
            with ShortAttention():
                logits = forward(batch)
            replaced = self._first_query.replaced if self._first_query is not None else frozenset()
            for module, planned in self.plan.modules.items():
                if self._calls[module] != (0 if module in replaced else planned.calls):
                    raise StructureChanged
            self._inputs.clear()
            loss = cross_entropy(logits, labels)
            # The caller's autocast is for the forward pass; left on, it would take the sums in the hooks in half too.
            with torch.autocast(labels.device.type, enabled=False):
                if self._leaves and loss.requires_grad:
                    torch.autograd.grad(loss, self._leaves, allow_unused=True)
                for parameter, pieces in self._pending.items():
                    self._add(parameter, pieces)
            return logits.detach().float(), self._squares
        finally:
            self._active = False
            del self._calls, self._inputs, self._leaves, self._pending, self._squares

    def _on_last_output(self, module: nn.Module, args: tuple[object, ...]) -> tuple[object, ...] | None:
        return first_position(module, args) if self._active else None

    def _on_forward(
        self, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: Tensor
    ) -> Tensor | None:
        if not self._active:
            return None
        inputs = sole_tensor(args, kwargs)
        if inputs is None or not has_batch_dimension(module, inputs, output, self._batch_size):
            raise StructureChanged
        self._calls[module] += 1
        call = Call(module, self._shared(inputs), self._statistics(output))
        watched = output
        if not output.requires_grad:
            # Gradients start here. The copy may be written to in place by the model, which a leaf may not.
            leaf = output.detach().requires_grad_()
            self._leaves.append(leaf)
            watched = leaf.expand(self._batch_size, *leaf.shape[1:]).clone()
        watched.register_hook(partial(self._on_gradient, call))  # type: ignore[no-untyped-call]
        return None if watched is output else watched

    def _shared(self, inputs: Tensor) -> SharedInput:
        """The same object for the same tensor, so that its Gram matrix is computed once."""
        known = self._inputs.get(id(inputs))
        if known is None:
            batched = inputs.detach().expand(self._batch_size, *inputs.shape[1:])
            known = self._inputs[id(inputs)] = inputs, SharedInput(batched)
        return known[1]

    @staticmethod
    def _statistics(output: Tensor) -> tuple[Tensor, Tensor] | None:
        """Mean and reciprocal deviation that LayerNorm's own backward has kept."""
        node = output.grad_fn
        if node is None or node.name() != "NativeLayerNormBackward0":
            return None
        return node._saved_result1, node._saved_result2  # type: ignore[attr-defined]

    def _on_gradient(self, call: Call, gradient: Tensor) -> None:
        if not self._active:
            return
        if call.inputs.overwritten:
            raise ModelError(
                f"{type(call.module).__name__} got an input that the model later overwrites in place.",
                "Use an out-of-place operation there; gradient norms need the input as it was.",
            )
        planned = self.plan.modules[call.module]
        for name, piece in planned.rule.pieces(call, gradient, planned.wanted, planned.joint_bias).items():
            parameter = call.module._parameters[name]
            assert parameter is not None
            if self.plan.uses[parameter] == 1:
                self._add(parameter, [piece])
            else:
                self._pending[parameter].append(piece)
                if len(self._pending[parameter]) == self.plan.uses[parameter]:
                    self._add(parameter, self._pending.pop(parameter))
        del call.inputs

    def _add(self, parameter: nn.Parameter, pieces: list[Piece]) -> None:
        self._add_squares(parameter, squared_norm(pieces))

    def _add_squares(self, parameter: nn.Parameter, squares: Tensor) -> None:
        key = self._bucket[parameter]
        self._squares[key] = self._squares[key] + squares if key in self._squares else squares
