"""Names for the parts of a model: embeddings, layers, head."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from torch import nn


def classifier(model: nn.Module) -> nn.Module:
    """The model itself, or what peft's wrapper holds, whose own ``base_model`` would still have the head."""
    unwrap = getattr(model, "get_base_model", None)
    return unwrap() if callable(unwrap) else model


def backbone(model: nn.Module) -> nn.Module | None:
    """The pre-trained backbone of a classifier, also inside peft's wrapper."""
    whole = classifier(model)
    inner = getattr(whole, "base_model", None)
    return inner if isinstance(inner, nn.Module) and inner is not whole else None


def head_parameters(model: nn.Module) -> frozenset[nn.Parameter]:
    """Parameters outside ``model.base_model``, the pre-trained backbone; empty for models without one."""
    inner = backbone(model)
    if inner is None:
        return frozenset()
    inside = set(inner.parameters())
    return frozenset(parameter for parameter in model.parameters() if parameter not in inside)


def group_names(
    model: nn.Module, parameters: Mapping[str, nn.Parameter], head: Collection[nn.Parameter]
) -> dict[nn.Parameter, str]:
    """Group of every parameter, in the order of a forward pass; `head` are those of the classifier.

    Layers are the entries of a ``ModuleList`` ("layer 0", …; "encoder layer 0" where there is a decoder as well).
    What is neither layer, head nor embedding is a "pooler" or, such as a final norm, "other".
    """
    lists = [name for name, module in model.named_modules() if isinstance(module, nn.ModuleList)]
    stacks = sorted(name for name in lists if not any(name.startswith(f"{outer}.") for outer in lists))
    embedded = {
        parameter for module in model.modules() if isinstance(module, nn.Embedding) for parameter in module.parameters()
    }
    groups = {
        parameter: "head" if parameter in head else _group(name, stacks, parameter in embedded)
        for name, parameter in parameters.items()
    }
    order = _in_order(groups.values())
    return {parameter: group for group in order for parameter, own in groups.items() if own == group}


def _group(name: str, stacks: list[str], embedded: bool) -> str:
    for stack in stacks:
        if name.startswith(f"{stack}."):
            layer = name.removeprefix(f"{stack}.").split(".")[0]
            side = next((part for part in ("encoder", "decoder") if len(stacks) > 1 and part in stack.split(".")), "")
            return f"{side} layer {layer}".strip()
    if embedded or "embed" in name.lower():
        return "embeddings"
    return "pooler" if "pooler" in name else "other"


def _in_order(groups: Iterable[str]) -> list[str]:
    parts = ("embeddings", "layer", "encoder", "decoder", "pooler", "other", "head")

    def rank(group: str) -> tuple[int, int]:
        last = group.split()[-1]
        return parts.index(group.split()[0]), int(last) if last.isdigit() else 0

    return sorted(set(groups), key=rank)
