"""Decide, once per model, which parameters the fast rules cover; everything else takes the exact slower path.

A parameter is covered when every use of it in the forward pass is a call of a known module on inputs with a batch
dimension. Two forward passes over two and three examples show the calls and the shapes; the autograd graph shows how
often each parameter is really used, also where a model multiplies with ``module.weight`` itself and no hook fires.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from diet_explorer.scoring.gradients.fallback import Forward
from diet_explorer.scoring.gradients.frozen_model import trainable
from diet_explorer.scoring.gradients.ghost_rules import OuterPiece, Rule, rule_for
from diet_explorer.scoring.gradients.token_batches import take_rows


@dataclass(frozen=True)
class PlannedModule:
    """A module whose calls are watched."""

    rule: Rule  # how its gradients are formed
    wanted: frozenset[str]  # its covered parameters
    joint_bias: bool  # the weight's rule counts the bias along
    calls: int  # per forward pass


@dataclass(frozen=True)
class Plan:
    """Which module covers which parameters."""

    modules: Mapping[nn.Module, PlannedModule]  # those that are watched
    uses: Mapping[nn.Parameter, int]  # per forward pass, of every covered parameter
    slow: tuple[str, ...]  # names of the parameters for the slower path


def sole_tensor(args: tuple[object, ...], kwargs: Mapping[str, object]) -> Tensor | None:
    """The one tensor a module was called with, None if there is not exactly one argument."""
    values = [*args, *kwargs.values()]
    return values[0] if len(values) == 1 and isinstance(values[0], Tensor) else None


def has_batch_dimension(module: nn.Module, inputs: Tensor | None, output: object, batch_size: int) -> bool:
    """Whether row b of input and output belongs to example b.

    The ids of an Embedding may come once for all examples, as position ids do: its output is then expanded.
    """
    if inputs is None or not isinstance(output, Tensor) or inputs.dim() < 2 or output.dim() < 2:
        return False
    lengths = {inputs.shape[0], output.shape[0]}
    return lengths == {batch_size} or (is_shared_lookup(module, inputs) and lengths == {1})


def is_shared_lookup(module: nn.Module, inputs: Tensor) -> bool:
    """Whether an Embedding is looked up by ids (1, T), once for the whole batch."""
    return isinstance(module, nn.Embedding) and inputs.dim() == 2 and inputs.shape[0] == 1


def candidates(model: nn.Module, chosen: Mapping[str, nn.Parameter]) -> dict[nn.Module, Rule]:
    """Modules that own chosen parameters, are of a known class, and are not tampered with by foreign hooks."""
    wanted = set(chosen.values())
    rules = {}
    for module in model.modules():
        own = {name for name, parameter in module._parameters.items() if parameter in wanted}
        rule = rule_for(module) if own else None
        altered = module._forward_hooks or module._forward_pre_hooks or "forward" in module.__dict__
        if rule is not None and own <= rule.kinds.keys() and not altered:
            rules[module] = rule
    return rules


def make_plan(
    model: nn.Module,
    forward: Forward,
    chosen: Mapping[str, nn.Parameter],
    batch: Mapping[str, object],
    batch_size: int,
    excluded: frozenset[str] = frozenset(),
) -> Plan:
    """Plan how to cover the `chosen` parameters by watching the model, held still, on the first examples of `batch`;
    `excluded` ones must take the slower path whatever their modules.

    To be called without autocast, under which several uses share one cast weight and count as one.
    """
    rules = candidates(model, chosen)
    owners: dict[nn.Parameter, list[tuple[nn.Module, str]]] = defaultdict(list)
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                owners[parameter].append((module, name))

    watched = [_watch(forward, rules, chosen, batch, batch_size, rows) for rows in (2, 3)]
    calls = watched[0][0]
    steady = {module for module in rules if all(seen[module] == calls[module] for seen, _ in watched)}

    covered: dict[nn.Parameter, int] = {}
    slow = []
    for name, parameter in chosen.items():
        expected = sum(len(calls[module]) for module, _ in owners[parameter])
        known = all(module in steady and all(calls[module]) for module, _ in owners[parameter])
        kinds = {rules[module].kinds[attribute] for module, attribute in owners[parameter] if module in rules}
        counted = all(used[parameter] == expected for _, used in watched)
        if known and counted and len(kinds) == 1 and name not in excluded:
            covered[parameter] = expected
        else:
            slow.append(name)

    modules = {}
    for module, rule in rules.items():
        wanted = frozenset(name for name, parameter in module._parameters.items() if parameter in covered)
        once = all(covered[module._parameters[name]] == 1 for name in wanted)  # type: ignore[index]
        joint = rule.kinds["weight"] is OuterPiece and wanted == {"weight", "bias"} and once
        if wanted:
            modules[module] = PlannedModule(rule, wanted, joint, len(calls[module]))
    return Plan(modules, covered, tuple(slow))


def _watch(
    forward: Forward,
    rules: Mapping[nn.Module, Rule],
    chosen: Mapping[str, nn.Parameter],
    batch: Mapping[str, object],
    batch_size: int,
    rows: int,
) -> tuple[dict[nn.Module, list[bool]], Counter[nn.Parameter]]:
    """Per module, whether each of its calls had a batch dimension; and per parameter, its uses in the graph."""
    calls: dict[nn.Module, list[bool]] = defaultdict(list)

    def note(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object], output: object) -> None:
        calls[module].append(has_batch_dimension(module, sole_tensor(args, kwargs), output, rows))

    handles = [module.register_forward_hook(note, with_kwargs=True) for module in rules]
    first = torch.arange(rows) % batch_size
    try:
        with trainable(chosen.values()):
            logits = forward(take_rows(batch, first, batch_size))
            return calls, _count_uses(logits)
    finally:
        for handle in handles:
            handle.remove()


def _count_uses(logits: Tensor) -> Counter[nn.Parameter]:
    """How many nodes of the autograd graph read each parameter."""
    uses: Counter[nn.Parameter] = Counter()
    seen = set()
    waiting = [logits.grad_fn] if logits.grad_fn is not None else []
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        for following, _ in node.next_functions:
            if following is None:
                continue
            parameter = getattr(following, "variable", None)
            if parameter is None:
                waiting.append(following)
            else:
                uses[parameter] += 1
    return uses


def disagreements(
    plan: Plan,
    names: Mapping[nn.Parameter, str],
    squares: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
) -> frozenset[str]:
    """Names of covered parameters whose squared norms (B,) by the fast rules differ from those by autograd, which are
    `expected`; in `squares` a weight counts its bias along where the plan says so."""
    joint = {
        names[module._parameters["weight"]]: names[module._parameters["bias"]]  # type: ignore[index]
        for module, planned in plan.modules.items()
        if planned.joint_bias
    }
    biases = set(joint.values())
    total = torch.stack(list(expected.values())).sum(0).sqrt()
    half = any(parameter.dtype in (torch.float16, torch.bfloat16) for parameter in plan.uses)
    tolerance = 5e-2 if half else 1e-3
    wrong = set()
    for name in (names[parameter] for parameter in plan.uses):
        if name in biases:
            continue
        want = (expected[name] + expected[joint[name]] if name in joint else expected[name]).sqrt()
        have = squares[name].sqrt() if name in squares else torch.zeros_like(want)
        if not torch.all((have - want).abs() <= tolerance * want + 1e-2 * tolerance * total):
            wrong |= {name, joint.get(name, name)}
    return frozenset(wrong)
