"""Per-example squared gradient norms of single modules, without forming a weight gradient per example.

Each rule takes what one call of a module saw (its input) and what came back (the gradient of its output), and says
how the gradient of each of its parameters is made up for every example of the batch, as a `Piece`. Pieces of one
parameter that was used several times are merged before the norm is taken, so that cross terms count.

A Linear layer with input rows ``a_t`` and output gradients ``g_t`` has the weight gradient ``Σ_t g_t a_tᵀ``, whose
squared Frobenius norm is ``Σ_{t,u} (a_t·a_u)(g_t·g_u)`` (Goodfellow 2015, arXiv 1510.01799; "ghost norm" in Li et al.
2021, arXiv 2110.05679). All sums are taken in fp32 or wider, also under autocast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from diet_explorer.scoring.gradients.wide_products import wide_products

_CHUNK_BYTES = 32 * 2**20
"""Largest block of per-example weight gradients that the direct rule forms at once."""

_STRIP = 64
"""Rows of a Gram matrix computed at once; fewer save more of its symmetric half, but make slow products (measured)."""

_RMS_NORMS = frozenset(
    f"transformers.models.{module}.{name}"
    for module, name in (
        ("llama.modeling_llama", "LlamaRMSNorm"),
        ("mistral.modeling_mistral", "MistralRMSNorm"),
        ("qwen2.modeling_qwen2", "Qwen2RMSNorm"),
        ("qwen3.modeling_qwen3", "Qwen3RMSNorm"),
        ("t5.modeling_t5", "T5LayerNorm"),
        ("umt5.modeling_umt5", "UMT5LayerNorm"),
    )
)
"""Classes that compute ``weight * x / sqrt(mean(x²) + variance_epsilon)``; matched by name, so none is imported."""


def _full_precision(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def _as_rows(tensor: Tensor) -> Tensor:
    """(B, …, d) as (B, T, d) in full precision."""
    return _full_precision(tensor).reshape(tensor.shape[0], -1, tensor.shape[-1])


def _gram(rows: Tensor) -> list[Tensor]:
    """``R Rᵀ`` per example in strips of `_STRIP` rows, each (B, ≤ _STRIP, …) from the diagonal to the right.

    The matrix is symmetric, so what is left of the diagonal block is not computed.
    """
    length = rows.shape[1]
    if length <= _STRIP:
        return [wide_products(rows, rows)[:, :, :length]]
    starts = range(0, length, _STRIP)
    return [torch.bmm(rows[:, start : start + _STRIP], rows[:, start:].transpose(1, 2)) for start in starts]


def _gram_dot(inputs: list[Tensor], grads: list[Tensor], constant: float) -> Tensor:
    """``Σ_{t,u} (A_tu + constant) G_tu`` per example from the strips of two Gram matrices, (B,)."""
    parts = []
    for left, right in zip(inputs, grads, strict=True):
        products = (left + constant if constant else left) * right
        height, width = products.shape[1:]
        if width == height:
            parts.append(products.sum((1, 2)))
        else:
            # every entry to the right of the diagonal block stands for two
            parts.append(products[:, :, :height].sum((1, 2)) + 2 * products[:, :, height:].sum((1, 2)))
    # The exact value is never negative; rounding can push a vanishing one just below zero.
    return torch.stack(parts).sum(0).clamp_min_(0) if len(parts) > 1 else parts[0].clamp_min_(0)


@dataclass
class SharedInput:
    """An input tensor together with its Gram matrix, which query, key and value projections share."""

    tensor: Tensor
    gram_strips: list[Tensor] | None = field(default=None, repr=False)
    _version: int = field(init=False)

    def __post_init__(self) -> None:
        self._version = self.tensor._version

    @property
    def overwritten(self) -> bool:
        """Whether the model has written to the tensor in place since."""
        return self.tensor._version != self._version

    def rows(self) -> Tensor:
        """The input as (B, T, d) in full precision."""
        return _as_rows(self.tensor)

    def gram(self) -> list[Tensor]:
        """``A Aᵀ`` per example, in strips, computed once."""
        if self.gram_strips is None:
            self.gram_strips = _gram(self.rows())
        return self.gram_strips


@dataclass
class Call:
    """One call of a module in the forward pass: what its rule needs once the output's gradient arrives."""

    module: nn.Module
    inputs: SharedInput
    statistics: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class OuterPiece:
    """A gradient ``Σ_t g_t a_tᵀ``; with `bias`, the gradient ``Σ_t g_t`` of the bias is counted along."""

    inputs: SharedInput
    grads: Tensor
    bias: bool = False


@dataclass(frozen=True)
class VectorPiece:
    """A gradient that is small enough to be formed: (B, n)."""

    gradient: Tensor


@dataclass(frozen=True)
class LookupPiece:
    """Gradient rows (B, T, d) that add up by table row `ids` (B, T); the row `padding_idx` has no gradient."""

    ids: Tensor
    grads: Tensor
    padding_idx: int | None


Piece = OuterPiece | VectorPiece | LookupPiece
PieceKind = type[OuterPiece] | type[VectorPiece] | type[LookupPiece]


class Rule(Protocol):
    """How one class of modules forms its parameter gradients."""

    kinds: ClassVar[Mapping[str, PieceKind]]
    """Parameter name → kind of piece; a module with other parameters is not covered."""

    def accepts(self, module: nn.Module) -> bool:
        """Whether this module's settings are covered by the rule."""
        ...

    def pieces(self, call: Call, grads: Tensor, wanted: frozenset[str], joint_bias: bool) -> dict[str, Piece]:
        """Gradients of the `wanted` parameters; with `joint_bias` the weight's piece covers the bias too."""
        ...


class LinearRule:
    """``nn.Linear``, and ``Conv1D`` of GPT-2, which is a Linear with the weight transposed."""

    kinds: ClassVar[Mapping[str, PieceKind]] = {
        "weight": OuterPiece,
        "bias": VectorPiece,
    }

    def accepts(self, module: nn.Module) -> bool:
        return True

    def pieces(self, call: Call, grads: Tensor, wanted: frozenset[str], joint_bias: bool) -> dict[str, Piece]:
        rows = _as_rows(grads)
        pieces: dict[str, Piece] = {}
        if "weight" in wanted:
            pieces["weight"] = OuterPiece(call.inputs, rows, bias=joint_bias)
        if "bias" in wanted and not joint_bias:
            pieces["bias"] = VectorPiece(rows.sum(1))
        return pieces


class LayerNormRule:
    """``nn.LayerNorm`` over the last dimension: ``Σ_t g_t ⊙ x̂_t`` and ``Σ_t g_t``."""

    kinds: ClassVar[Mapping[str, PieceKind]] = {
        "weight": VectorPiece,
        "bias": VectorPiece,
    }

    def accepts(self, module: nn.Module) -> bool:
        return len(module.normalized_shape) == 1  # type: ignore[arg-type]

    def pieces(self, call: Call, grads: Tensor, wanted: frozenset[str], joint_bias: bool) -> dict[str, Piece]:
        rows = _as_rows(grads)
        pieces: dict[str, Piece] = {}
        if "weight" in wanted:
            inputs = call.inputs.rows()
            if call.statistics is None:
                mean = inputs.mean(-1, keepdim=True)
                scale = (inputs.var(-1, keepdim=True, correction=0) + call.module.eps).rsqrt()  # type: ignore[operator]
            else:
                mean, scale = (value.reshape(*inputs.shape[:2], 1) for value in call.statistics)
            pieces["weight"] = VectorPiece(torch.addcmul(-mean * scale, inputs, scale).mul_(rows).sum(1))
        if "bias" in wanted:
            pieces["bias"] = VectorPiece(rows.sum(1))
        return pieces


class RMSNormRule:
    """``weight * x / sqrt(mean(x²) + ε)``: ``Σ_t g_t ⊙ x̂_t``."""

    kinds: ClassVar[Mapping[str, PieceKind]] = {"weight": VectorPiece}

    def accepts(self, module: nn.Module) -> bool:
        return not isinstance(module, nn.RMSNorm) or len(module.normalized_shape) == 1

    def pieces(self, call: Call, grads: Tensor, wanted: frozenset[str], joint_bias: bool) -> dict[str, Piece]:
        inputs = call.inputs.rows()
        epsilon: float | None = getattr(
            call.module, "eps" if isinstance(call.module, nn.RMSNorm) else "variance_epsilon"
        )
        if epsilon is None:
            epsilon = torch.finfo(call.inputs.tensor.dtype).eps
        scale = (inputs.square().mean(-1, keepdim=True) + epsilon).rsqrt_()
        return {"weight": VectorPiece((inputs * scale).mul_(_as_rows(grads)).sum(1))}


class EmbeddingRule:
    """``nn.Embedding``: ``Σ_{t,u} [id_t = id_u] (g_t·g_u)``, and no gradient for the padding row."""

    kinds: ClassVar[Mapping[str, PieceKind]] = {"weight": LookupPiece}

    def accepts(self, module: nn.Module) -> bool:
        return module.max_norm is None and not module.scale_grad_by_freq and not module.sparse

    def pieces(self, call: Call, grads: Tensor, wanted: frozenset[str], joint_bias: bool) -> dict[str, Piece]:
        ids = call.inputs.tensor.reshape(call.inputs.tensor.shape[0], -1)
        padding_idx: int | None = call.module.padding_idx  # type: ignore[assignment]
        return {"weight": LookupPiece(ids, _as_rows(grads), padding_idx)}


_RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: LinearRule(),
    Conv1D: LinearRule(),
    nn.LayerNorm: LayerNormRule(),
    nn.RMSNorm: RMSNormRule(),
    nn.Embedding: EmbeddingRule(),
}


def rule_for(module: nn.Module) -> Rule | None:
    """The rule of exactly this class, never of a subclass, which may compute something else; None if there is none."""
    kind = type(module)
    rule = _RULES.get(kind)
    if rule is None and f"{kind.__module__}.{kind.__qualname__}" in _RMS_NORMS:
        rule = _RULES[nn.RMSNorm]
    return rule if rule is not None and rule.accepts(module) else None


def squared_norm(pieces: Sequence[Piece]) -> Tensor:
    """Squared norm per example of the sum of all pieces of one parameter, (B,); the pieces are of one kind."""
    outer = [piece for piece in pieces if isinstance(piece, OuterPiece)]
    if outer:
        return _outer_squared_norm(outer)
    vectors = [piece.gradient for piece in pieces if isinstance(piece, VectorPiece)]
    if vectors:
        return torch.stack(vectors).sum(0).square_().sum(1) if len(vectors) > 1 else vectors[0].square().sum(1)
    return _lookup_squared_norm([piece for piece in pieces if isinstance(piece, LookupPiece)])


def _outer_squared_norm(pieces: Sequence[OuterPiece]) -> Tensor:
    """Gram or direct, whichever takes fewer multiplications for this length and these widths."""
    bias = pieces[0].bias
    if len(pieces) == 1:
        inputs, grads = pieces[0].inputs, pieces[0].grads
    else:
        inputs = SharedInput(torch.cat([piece.inputs.rows() for piece in pieces], dim=1))
        grads = torch.cat([piece.grads for piece in pieces], dim=1)
    length, width_out = grads.shape[1:]
    width_in = inputs.tensor.shape[-1]
    gram_width = width_out if inputs.gram_strips is not None else width_in + width_out
    gram_columns = length if length <= _STRIP else (length + _STRIP) / 2
    if gram_columns * gram_width <= width_in * width_out:
        return _gram_dot(inputs.gram(), _gram(grads), 1.0 if bias else 0.0)
    norms = _direct_squared_norm(inputs.rows(), grads)
    return norms + grads.sum(1).square().sum(1) if bias else norms


def _direct_squared_norm(inputs: Tensor, grads: Tensor) -> Tensor:
    size = inputs.shape[2] * grads.shape[2] * grads.element_size()
    examples = max(1, _CHUNK_BYTES // size)
    chunks = zip(torch.split(inputs, examples), torch.split(grads, examples), strict=True)
    return torch.cat([torch.bmm(a.transpose(1, 2), g).square_().sum((1, 2)) for a, g in chunks])


def _lookup_squared_norm(pieces: Sequence[LookupPiece]) -> Tensor:
    ids = torch.cat([piece.ids for piece in pieces], dim=1)
    grads = torch.cat([piece.grads for piece in pieces], dim=1)
    same = ids.unsqueeze(1) == ids.unsqueeze(2)
    if pieces[0].padding_idx is not None:
        same &= (ids != pieces[0].padding_idx).unsqueeze(1)
    strips = _gram(grads)
    heights = [strip.shape[1] for strip in strips]
    shared = [rows[:, :, -strip.shape[2] :] for rows, strip in zip(torch.split(same, heights, 1), strips, strict=True)]
    return _gram_dot(shared, strips, 0.0)
