"""What the program imports is among the packages that it asks for, not there by the grace of another's."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = [*(ROOT / "diet_explorer").rglob("*.py"), ROOT / "app.py", *(ROOT / "pages").glob("*.py")]
BROUGHT_ALONG = {"ipython"}  # where it is not, nobody is in a notebook


def imported() -> Iterator[tuple[str, str]]:
    """Each import of another's package: its top name, and where it stands."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for top in {module.partition(".")[0] for module in modules} - {"diet_explorer", *sys.stdlib_module_names}:
                yield top, f"{path.relative_to(ROOT)}:{node.lineno}"


def plain(requirement: str) -> str:
    """A package's name as all its spellings mean it."""
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_every_import_is_of_a_package_that_is_asked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for_people = ("offline", "sign-in", "s3", "gcs", "azure")
    extras = [requirement for extra in for_people for requirement in project["optional-dependencies"][extra]]
    known = {plain(requirement) for requirement in [*project["dependencies"], *extras]} | BROUGHT_ALONG
    owners = {top: {plain(name) for name in names} for top, names in packages_distributions().items()}
    missing = sorted({f"{top} ({place})" for top, place in imported() if not owners.get(top, {plain(top)}) & known})
    assert missing == []
