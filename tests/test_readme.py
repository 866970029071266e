"""What the README shows is there: every call of its Python blocks, every command and option of its shell blocks."""

from __future__ import annotations

import functools
import inspect
import re
import shlex
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
import typer.main

import diet_explorer
import diet_explorer.scoring
from diet_explorer.cli.app import app
from diet_explorer.config import Settings
from diet_explorer.jobs.health import HealthChecks
from diet_explorer.jobs.metrics import Metrics
from diet_explorer.workspace.run import Run

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEAM = ROOT / "docs" / "running-for-a-team.md"


def blocks(language: str, *pages: Path) -> list[str]:
    texts = [page.read_text(encoding="utf-8") for page in pages or (README,)]
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", "\n".join(texts), re.MULTILINE | re.DOTALL)


class StandIn:
    """Has the attributes of a class, checks the arguments of its methods, and stands in for what they return."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        if name in getattr(self._kind, "__dataclass_fields__", {}):
            return StandIn(typing.get_type_hints(self._kind)[name])
        attribute = inspect.getattr_static(self._kind, name)
        if isinstance(attribute, property | functools.cached_property):
            getter = attribute.fget if isinstance(attribute, property) else attribute.func
            return self._of(typing.get_type_hints(getter).get("return"))
        return calls(attribute, self)

    def _of(self, hint: Any) -> StandIn:
        if isinstance(hint, typing.TypeVar):
            return StandIn(Run)
        return self if hint is typing.Self else StandIn(typing.get_origin(hint) or hint)


def calls(function: Any, of: StandIn | None = None) -> Any:
    """The function with its arguments checked and nothing done."""

    def call(*given: Any, **named: Any) -> StandIn:
        inspect.signature(function).bind(*(() if of is None else (of,)), *given, **named)
        if isinstance(function, type):
            return StandIn(function)
        hint = typing.get_type_hints(function).get("return") if inspect.isfunction(function) else None
        return (of or StandIn(None))._of(hint)

    return call


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.splitlines()[0])
def test_python(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Workspace", "ScoreRecorder"):
        monkeypatch.setattr(diet_explorer, name, calls(getattr(diet_explorer, name)), raising=False)
    function = diet_explorer.scoring.gradient_norms
    monkeypatch.setattr(diet_explorer.scoring, "gradient_norms", calls(function), raising=False)
    names = (
        "Trainer",
        "args",
        "dataset",
        "labels",
        "logits_a",
        "logits_b",
        "model",
        "texts",
        "tokenizer",
        "train",
        "workspace",
    )
    exec(compile(block, README.name, "exec"), {name: MagicMock() for name in names})


def shell_commands() -> Iterator[list[str]]:
    for line in "\n".join(blocks("sh", README, TEAM)).splitlines():
        for command in line.split(";"):
            words = shlex.split(command, comments=True)
            if words[:1] == ["diet-explorer"]:
                yield words[1:]


@pytest.mark.parametrize("words", list(shell_commands()), ids=" ".join)
def test_shell(words: list[str]) -> None:
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


def test_what_operators_read_is_there() -> None:
    """Every setting, make target, metric and file that the page for operators names."""
    text = TEAM.read_text(encoding="utf-8")
    settings = {f"DIET_EXPLORER_{field.upper()}" for field in Settings.model_fields}
    assert set(re.findall(r"DIET_EXPLORER_[A-Z_]+[A-Z]", text)) <= settings
    targets = re.findall(r"^make ([a-z]+)", "\n".join(blocks("sh", TEAM)), re.MULTILINE)
    assert all(f"\n{target}:" in (ROOT / "Makefile").read_text(encoding="utf-8") for target in targets)
    asked = HealthChecks("app", {"store": lambda: None})
    metrics = Metrics("app", asked, list, list)
    given = {family.name for family in metrics.registry.collect()}
    metrics.close()
    named = set(re.findall(r"\bdiet_explorer_[a-z_]+[a-z]", text))
    assert {name.removesuffix("_total").removesuffix("_info") for name in named} <= given
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert all((TEAM.parent / link).exists() for link in links)


def test_every_setting_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if name.upper() not in text] == []


def test_a_call_that_is_not_there_is_seen() -> None:
    workspace = calls(diet_explorer.Workspace)("workspace")
    with pytest.raises(AttributeError):
        workspace.score("data").audit.suspect_order()
    with pytest.raises(TypeError):
        workspace.score("data").audit.suspects(highest=3)
