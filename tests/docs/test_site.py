"""The site is built strictly and without a network, its links lead somewhere, and formulas are drawn."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The site, built as in the continuous integration; mkdocs gives up at the first warning, such as a dead link."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr(socket.socket, "connect", _refused)
        config = load_config(str(ROOT / "mkdocs.yml"), strict=True, site_dir=str(folder))
        try:
            build(config)
        except Abort as error:
            pytest.fail(f"python -m mkdocs build --strict says what is wrong: {error}")
    yield folder


def _refused(*_arguments: object) -> None:
    raise AssertionError("nothing is fetched while the site is built")


def pages(site: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(site.rglob("*.html")):
        yield path, path.read_text(encoding="utf-8")


def test_links_and_pictures_lead_somewhere(site: Path) -> None:
    ids = {path: set(re.findall(r'\bid="?([^"\s>]+)', text)) for path, text in pages(site)}
    dead = []
    for path, text in pages(site):
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            place = urlsplit(link)
            if place.scheme or path.name == "404.html":
                continue
            target = (path.parent / unquote(place.path)).resolve() if place.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (place.fragment and target in ids and unquote(place.fragment) not in ids[target]):
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    fetched = re.compile(r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="?(https?:)?//[^>]*>')
    canonical = 'rel="canonical"'
    foreign = [found[0] for _, text in pages(site) for found in fetched.finditer(text) if canonical not in found[0]]
    assert foreign == []


def test_formulas_are_drawn(site: Path) -> None:
    for name in ("scores.html", "exact-grand.html"):
        text = (site / name).read_text(encoding="utf-8")
        assert text.count("<math") > 10, name
        assert "arithmatex" not in text, name


def test_every_command_has_a_section(site: Path) -> None:
    from diet_explorer.cli.app import app

    text = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    names = [command.name for command in app.registered_commands]
    assert [name for name in names if f'id="diet-explorer-{name}"' not in text] == []
    assert "<code>--checkpoints</code>" in text


def test_the_public_library_is_described(site: Path) -> None:
    text = (site / "reference" / "api.html").read_text(encoding="utf-8")
    for name in ("Workspace.score", "Run.ranked", "Audit.suspects", "Pruning.plan", "Proofs.start"):
        assert re.search(rf'id="diet_explorer\.[\w.]*{re.escape(name)}"', text), name


def test_pictures_are_small() -> None:
    large = [path.name for path in (ROOT / "docs").rglob("*.png") if path.stat().st_size > 150_000]
    assert large == []


def test_headings_go_down_by_single_steps_and_tables_name_their_columns(site: Path) -> None:
    wrong = []
    for path, text in pages(site):
        article = text.partition("<article")[2].partition("</article>")[0]
        levels = [int(level) for level in re.findall(r"<h([1-6])\b", article)]
        steps = zip([0, *levels], levels, strict=False)
        wrong += [f"{path.name}: h{level} after h{before}" for before, level in steps if level > before + 1]
        wrong += [f"{path.name}: {cell}" for cell in re.findall(r"<th\b[^>]*>\s*</th>", article)]
    assert wrong == []
