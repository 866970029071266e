"""Every page of the app, each tab of it, by axe-core: nothing serious is of our own making."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from playwright.sync_api import Page

from diet_explorer.analysis.neighbours import store_neighbours
from diet_explorer.analysis.projection import MapParameters
from diet_explorer.pruning.policies import Policy
from diet_explorer.review.rules import ReviewRules
from diet_explorer.store.embeddings import EmbeddingFiles
from diet_explorer.workspace.run import Run
from tests.axe import NAVIGATION, Axe, Known
from tests.browser.conftest import LiveServer, known_as, settled
from tests.rich_workspace import finished
from tests.ui.conftest import ROOT, fill
from tests.workspace.test_until_decided import finish

pytestmark = pytest.mark.browser
KNOWN = (
    *NAVIGATION,
    Known("target-size", "button[aria-label='Clear all']", "Streamlit's lists to choose several of; small where long"),
)
TABS = {
    "home": ("",),
    "datasets": ("", "tab=guidelines", "tab=add"),
    "score": ("", "tab=new"),
    "browse": ("example=4", "example=4&beside=9"),
    "distributions": ("", "tab=stability", "tab=scores", "tab=runs"),
    "audit": ("", "tab=list", "tab=conflicts", "tab=history", "tab=progress", "tab=evidence"),
    "data_map": ("",),
    "prune": ("", "tab=cut", "tab=export"),
    "embedding_map": ("",),
    "proof": ("", "tab=numbers", "tab=trainings"),
    "bin": ("",),
    "help": ("topic=scores", ""),
}
DARKENED = ("datasets", "browse", "distributions", "audit", "prune", "help")
DARK, LIGHT = "rgb(20, 23, 27)", "rgb(255, 255, 255)"
GO_BACK = "url => { history.pushState({}, '', url); dispatchEvent(new PopStateEvent('popstate')); }"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, Run]]:
    """An app on a workspace in which every page has something to show, and its run."""
    home = tmp_path_factory.mktemp("accessible") / "home"
    filled = fill(home)
    dataset, run = filled.dataset, filled.run
    dataset.set_guidelines("# What counts\n\nWhat is *meant*.", by="Lea")
    dataset.ledger.set_rules(ReviewRules(overlap=2), annotator="Lea")
    dataset.note([4], "irony?", annotator="Bob")
    for name, action in (("Ann", "keep"), ("Bob", "exclude")):
        dataset.decide([4, 8], action, annotator=name)
    filled.workspace.delete(finished(filled.workspace, dataset.id, "deleted"), by="Ann")
    finished(filled.workspace, dataset.id, "another run")
    draw_map(run)
    run.pruning.plan(Policy(drop_hardest=5)).export(all_rows=True)
    run.pruning.save_policy("mild", Policy(drop_hardest=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diet_explorer.jobs.queue.JobQueue.submit", lambda *_: None)
        proof = run.proofs.start([Policy("easiest")], [50], seeds=3)
    finish(run, proof, np.random.default_rng(0).uniform(0.7, 0.9, (9, 3)), range(3))
    app = LiveServer(home).start()
    yield app, run
    app.stop()


def draw_map(run: Run) -> None:
    """Write random embeddings with their neighbours, and a map of random places."""
    store, chance = EmbeddingFiles(run.context.files, run.id), np.random.default_rng(0)
    store.write_vectors("tuned", chance.normal(size=(run.dataset.rows, 4)).astype(np.float16))
    store_neighbours(store, run.dataset.manifest, "tuned")
    x, y = chance.normal(size=(2, run.dataset.rows)).astype(np.float32)
    store.write_table(store.paths.map("tuned"), pa.table({"row": np.arange(len(x), dtype=np.int32), "x": x, "y": y}))
    store.files.write_json(store.paths.map_parameters("tuned"), vars(MapParameters()))


def views() -> Iterator[tuple[str, str]]:
    """Every page with each of its tabs, the first ones first."""
    for number in range(max(len(tabs) for tabs in TABS.values())):
        yield from ((name, tabs[number]) for name, tabs in TABS.items() if number < len(tabs))


def show(page: Page, app: LiveServer, run: Run, name: str, tab: str) -> None:
    """Open a page of the app: by the browser's history where it is another one, which loads no script again."""
    address, before = f"{app.url}/{'' if name == 'home' else name}?run={run.id}&{tab}", page.title()
    if page.url.partition("?")[0] == address.partition("?")[0]:
        page.goto(address)
    else:
        page.evaluate(GO_BACK, address)
        page.wait_for_function("before => document.title !== before", arg=before)
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until a page has its title, and its script has come to its end."""
    page.locator("h1").wait_for()
    settled(page)
    coloured(page)


def coloured(page: Page) -> None:
    """Wait until nothing fades in or out any more."""
    page.wait_for_function("document.getAnimations().every(entry => !(entry instanceof CSSTransition))")


def turn(page: Page, scheme: Literal["dark", "light"], background: str) -> None:
    """Let the app follow the system to another theme."""
    page.emulate_media(color_scheme=scheme)
    style = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    page.wait_for_function(f"colour => {style} === colour", arg=background)
    coloured(page)


@pytest.mark.timeout(900)
def test_axe_finds_nothing_serious_of_our_own_making(furnished, new_page) -> None:
    app, run = furnished
    assert TABS.keys() == {path.stem for path in (ROOT / "pages").glob("*.py")}
    axe, page = Axe(KNOWN), new_page("about:blank", known_as("Ann", app))
    page.set_default_timeout(120_000)
    page.goto(f"{app.url}/help")
    drawn(page)
    for name, tab in views():
        show(page, app, run, name, tab)
        axe.ask(page, f"{name}?{tab}")
        if name in DARKENED and tab == TABS[name][0]:
            turn(page, "dark", DARK)
            axe.ask(page, f"{name}?{tab}, dark", "color-contrast")
            turn(page, "light", LIGHT)
    assert not axe.ours, "\n".join(axe.ours)
    assert axe.gone() == [], "the table of what is known has what does not occur any more"
