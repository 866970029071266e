"""Scores of examples: definitions, exact gradient norms, and recording them during a training.

``from diet_explorer.scoring import gradient_norms`` gives the function that stands alone. It is looked up when asked
for, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from diet_explorer.scoring.gradients.norms import gradient_norms, head_gradient_norms

__all__ = ["gradient_norms", "head_gradient_norms"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from diet_explorer.scoring.gradients.norms import gradient_norms, head_gradient_norms

    return {"gradient_norms": gradient_norms, "head_gradient_norms": head_gradient_norms}[name]
