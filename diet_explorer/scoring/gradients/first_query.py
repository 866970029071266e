"""The last self-attention of an encoder whose classifier reads the first position: one query instead of all.

With one query per head, keys and values need not be formed: ``q · (W x_t) = (Wᵀ q) · x_t``, and the sum of values
weighted by attention is W times the weighted sum of inputs. Their weight gradients then have one outer product per
head, ``q ⊗ Σ_t ds_t x_t`` for the keys and ``g ⊗ Σ_t a_t x_t`` for the values, whose norms are products of norms.
A key's bias adds the same to every position's score, which softmax ignores: its gradient is zero.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from diet_explorer.scoring.gradients.plan import Plan
from diet_explorer.scoring.gradients.pooled_position import last_attention

_PLAIN_ATTENTION = frozenset(
    f"transformers.models.{module}.modeling_{module}.{name}SelfAttention"
    for module, name in (
        ("bert", "Bert"),
        ("camembert", "Camembert"),
        ("electra", "Electra"),
        ("roberta", "Roberta"),
        ("xlm_roberta", "XLMRoberta"),
    )
)
"""Classes that compute ``softmax(q kᵀ · scaling + mask) v`` per head from Linear layers query, key and value."""

AddSquares = Callable[[nn.Parameter, Tensor], None]


class FirstQueryAttention:
    """Takes over the forward pass of the last self-attention, of a class in ``_PLAIN_ATTENTION`` whose key and value
    the plan covers, and reports squared gradient norms.

    Query stays a module call of its own, on the first position, and is watched like any other.
    """

    def __init__(self, attention: nn.Module, plan: Plan) -> None:
        self.attention = attention
        self.replaced: frozenset[nn.Module] = frozenset({attention.key, attention.value})  # type: ignore[arg-type]
        self._plan = plan

    def install(self, add: AddSquares, active: Callable[[], bool]) -> None:
        """Take over the forward pass while `active` says so; `add` gets a parameter and squared norms (B,)."""
        original = self.attention.forward

        def forward(hidden_states: Tensor, attention_mask: Tensor | None = None, **more: object) -> object:
            if not active():
                return original(hidden_states, attention_mask, **more)
            return self._attend(hidden_states, attention_mask, add), None

        self.attention.__dict__["forward"] = forward

    def remove(self) -> None:
        """Give the forward pass back."""
        self.attention.__dict__.pop("forward", None)

    def _attend(self, hidden: Tensor, mask: Tensor | None, add: AddSquares) -> Tensor:
        """(B, T, d) → (B, 1, d), the attention's output at the first position."""
        attention = self.attention
        size, _, width = hidden.shape
        heads: int = attention.num_attention_heads  # type: ignore[assignment]
        scaling: float = attention.scaling  # type: ignore[assignment]
        key: nn.Linear = attention.key  # type: ignore[assignment]
        value: nn.Linear = attention.value  # type: ignore[assignment]
        query = attention.query(hidden[:, :1]).view(size, heads, -1)  # type: ignore[operator]
        directions = torch.einsum("bhe,hed->bhd", query, key.weight.view(heads, -1, width)) * scaling
        scores = torch.bmm(directions, hidden.transpose(1, 2))
        if mask is not None:
            seen = mask[:, :, 0]
            scores = (
                scores.masked_fill(~seen, torch.finfo(scores.dtype).min) if seen.dtype == torch.bool else scores + seen
            )
        summed = torch.bmm(torch.softmax(scores.float(), -1).to(hidden.dtype), hidden)
        output = torch.einsum("bhd,hed->bhe", summed, value.weight.view(heads, -1, width))
        if value.bias is not None:
            output = output + value.bias.view(heads, -1)
        query, summed = query.detach(), summed.detach()

        def on_directions(gradient: Tensor) -> None:
            squares = _squared(query * scaling) * _squared(gradient)
            add(key._parameters["weight"], squares.sum(1))  # type: ignore[arg-type]

        def on_output(gradient: Tensor) -> None:
            grads = _squared(gradient)
            weight, bias = (grads * _squared(summed)).sum(1), grads.sum(1)
            planned = self._plan.modules[value]
            add(value._parameters["weight"], weight + bias if planned.joint_bias else weight)  # type: ignore[arg-type]
            if "bias" in planned.wanted and not planned.joint_bias:
                add(value._parameters["bias"], bias)  # type: ignore[arg-type]

        directions.register_hook(on_directions)  # type: ignore[no-untyped-call]
        output.register_hook(on_output)  # type: ignore[no-untyped-call]
        return output.reshape(size, 1, -1)


def first_query_attention(model: nn.Module, plan: Plan) -> FirstQueryAttention | None:
    """The stand-in for the model's last self-attention; None where it is of another kind or not wholly covered."""
    layer = last_attention(model)
    attention = getattr(layer, "self", None)
    kind = type(attention)
    if attention is None or f"{kind.__module__}.{kind.__qualname__}" not in _PLAIN_ATTENTION:
        return None
    if "forward" in attention.__dict__ or attention.is_decoder or attention.is_causal:
        return None
    for part in (attention.query, attention.key, attention.value):
        planned = plan.modules.get(part)
        if type(part) is not nn.Linear or planned is None or "weight" not in planned.wanted or planned.calls != 1:
            return None
        if any(plan.uses[part._parameters[name]] != 1 for name in planned.wanted):  # type: ignore[index]
            return None
    return FirstQueryAttention(attention, plan)


def _squared(values: Tensor) -> Tensor:
    """(B, H, n) → (B, H), in full precision."""
    return values.float().square().sum(-1) if values.dtype != torch.float64 else values.square().sum(-1)
