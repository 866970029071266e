"""Which parameters are the classifier's: those outside the pre-trained backbone, or the layer that makes the logits."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from diet_explorer.errors import ModelError
from diet_explorer.scoring.gradients.parameter_groups import head_parameters


def find_head(model: nn.Module, forward: Callable[[], Tensor]) -> frozenset[nn.Parameter]:
    """Parameters of a model's classifier; empty where they are not known.

    Parameters
    ----------
    model : nn.Module
        Where it has a ``base_model``, the classifier is what is outside of it; otherwise it is the layer whose output
        are the logits, if no layer with parameters comes after it.
    forward : callable
        Calls the model on a few examples and gives its logits (B, K).
    """
    outside = head_parameters(model)
    return outside or _last_layer(model, forward)


def nothing_chosen(model: nn.Module, parameters: str, head: Collection[nn.Parameter]) -> ModelError:
    """Why gradient norms over all parameters, or over the classifier's, cannot be taken of a model."""
    name = type(model).__name__
    if parameters == "head" and not head:
        return ModelError(
            f"The classifier head of {name} is not known: there is no base_model, and no layer whose output are the "
            "logits.",
            "Take gradient norms over all parameters, or none.",
        )
    what = "no trainable parameter" if parameters == "all" else "no trainable classifier head"
    return ModelError(f"{name} has {what}.", "Set requires_grad on the parameters that gradient norms shall cover.")


def _last_layer(model: nn.Module, forward: Callable[[], Tensor]) -> frozenset[nn.Parameter]:
    """The layer that is called last, if the logits are what it gives."""
    last: list[tuple[nn.Module, object]] = []

    def note(module: nn.Module, _: object, output: object) -> None:
        last[:] = [(module, output)]

    layers = [module for module in model.modules() if module._parameters and not any(module.children())]
    handles = [module.register_forward_hook(note) for module in layers]
    try:
        with torch.no_grad():
            logits = forward()
    finally:
        for handle in handles:
            handle.remove()
    if not last:
        return frozenset()
    layer, output = last[0]
    if not isinstance(output, Tensor) or output.shape != logits.shape:
        return frozenset()
    same = torch.allclose(output.float(), logits.float(), rtol=1e-5, atol=1e-6)
    return frozenset(layer.parameters()) if same else frozenset()
