"""What README and docs show is there: every block of code runs, against stand-ins, or is compared with the program.

The tutorial's blocks run for real: `tests/docs/test_tutorial.py`.
"""

from __future__ import annotations

import functools
import inspect
import re
import shlex
import tomllib
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
from tests.docs import tables

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TEAM = ROOT / "docs" / "running-for-a-team.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN = {"bibtex", "caddy", "nginx", "text"}
"""What is no program of ours: shown, and looked at by people."""
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def blocks(language: str, *pages: Path) -> list[str]:
    texts = [page.read_text(encoding="utf-8") for page in pages]
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", "\n".join(texts), re.MULTILINE | re.DOTALL)


def shown(language: str) -> list[Any]:
    """The blocks of all pages that need no run of their own, named by page."""
    pages = [page for page in PAGES if page != TUTORIAL or language != "python"]
    return [
        pytest.param(block, id=f"{page.stem}-{n}") for page in pages for n, block in enumerate(blocks(language, page))
    ]


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


@pytest.mark.parametrize("block", shown("python"))
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


def words_of(block: str) -> Iterator[list[str]]:
    """The commands of a shell block, as lists of words without variables before them."""
    for line in block.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&")
        lexer.whitespace_split = True
        commands: list[list[str]] = [[]]
        for word in lexer:
            if word in (";", "&"):
                commands.append([])
            elif commands[-1] or not re.match(r"[A-Z_]+=", word):
                commands[-1].append(word)
        yield from filter(None, commands)


@pytest.mark.parametrize("block", shown("sh"))
def test_shell(block: str) -> None:
    for words in words_of(block):
        CHECKS[words[0]](words[1:])


def check_program(words: list[str]) -> None:
    """A command of ours with options that it has."""
    command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known


def check_make(words: list[str]) -> None:
    """Targets that the Makefile has."""
    assert all(f"\n{word}:" in MAKEFILE for word in words if "=" not in word)


def check_python(words: list[str]) -> None:
    """A module of the checkout whose source, or that of one beside it, has the options."""
    assert words[0] == "-m"
    module = ROOT / Path(*words[1].split(".")).with_suffix(".py")
    texts = "".join(path.read_text(encoding="utf-8") for path in module.parent.glob("*.py"))
    assert module.exists()
    assert [word for word in words if word.startswith("--") and f'"{word}"' not in texts] == []


def check_pip(words: list[str]) -> None:
    """Extras that the package has."""
    named = re.findall(r"diet-explorer\[(.*?)\]", " ".join(words))
    assert {extra for extras in named for extra in extras.split(",")} <= EXTRAS.keys()


def check_docker(words: list[str]) -> None:
    assert words[0] == "compose"
    assert (ROOT / "compose.yaml").exists()


def check_export(words: list[str]) -> None:
    """Variables that are read."""
    settings = {f"DIET_EXPLORER_{field.upper()}" for field in Settings.model_fields}
    assert {word.partition("=")[0] for word in words} <= settings


CHECKS = {
    "diet-explorer": check_program,
    "make": check_make,
    "python": check_python,
    "pip": check_pip,
    "docker": check_docker,
    "export": check_export,
}
"""How each kind of command of the pages is checked; another one is an error."""


@pytest.mark.parametrize("block", shown("toml"))
def test_toml(block: str) -> None:
    assert tomllib.loads(block)


def test_every_block_is_of_a_language_that_is_tested() -> None:
    fences = (line for page in PAGES for line in page.read_text(encoding="utf-8").splitlines())
    languages = {line.strip().removeprefix("```") for line in fences if line.strip().startswith("```")}
    assert languages - {""} <= NOT_RUN | {"python", "sh", "toml"}


def test_what_operators_read_is_there() -> None:
    """Every setting, make target, metric and file that the page for operators names."""
    text = TEAM.read_text(encoding="utf-8")
    settings = {f"DIET_EXPLORER_{field.upper()}" for field in Settings.model_fields}
    assert set(re.findall(r"DIET_EXPLORER_[A-Z_]+[A-Z]", text)) <= settings
    asked = HealthChecks("app", {"store": lambda: None})
    metrics = Metrics("app", asked, list, list)
    given = {family.name for family in metrics.registry.collect()}
    metrics.close()
    named = set(re.findall(r"\bdiet_explorer_[a-z_]+[a-z]", text))
    assert {name.removesuffix("_total").removesuffix("_info") for name in named} <= given
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert all((TEAM.parent / link).exists() for link in links)


@pytest.mark.parametrize(("page", "marks"), tables.TABLES)
def test_the_docs_show_what_the_code_says(page: str, marks: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    made = tables.filled(text, marks, tables.TABLES[page, marks]())
    assert text == made, "make docs writes it again"


def test_a_call_that_is_not_there_is_seen() -> None:
    workspace = calls(diet_explorer.Workspace)("workspace")
    with pytest.raises(AttributeError):
        workspace.score("data").audit.suspect_order()
    with pytest.raises(TypeError):
        workspace.score("data").audit.suspects(highest=3)
