"""Refresh, cancel, resume, and kills: a run goes on, and nothing is lost."""

import re

import pytest

from diet_explorer.jobs.slots import living_workers
from diet_explorer.store.runs import ACTIVE
from tests.browser.conftest import LiveApp, known_as, settled
from tests.browser.patience import expect
from tests.gate import Gate
from tests.tiny_runs import LONG, queue, score_bytes
from tests.waiting import until

pytestmark = pytest.mark.browser
EPOCH = 30  # steps
SETTINGS = {**LONG, "checkpoints": range(5)}


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    return Gate(tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def app(tmp_path_factory, gate):
    """An app with its worker, which the tests interrupt one after the other."""
    app = LiveApp(tmp_path_factory.mktemp("interrupted") / "home", gate=gate).start()
    yield app
    print(app.log.read_text())  # noqa: T201  shown where a test fails
    app.stop()


@pytest.fixture(scope="module")
def dataset(app, sentences):
    return app.workspace.import_dataset(sentences, text="sentence", label="mood", id="key")


@pytest.fixture(scope="module")
def undisturbed(app, dataset, model):
    """A run that nobody interrupts."""
    run = queue(app.workspace, dataset.id, model, SETTINGS)
    run.wait(240)
    return run


@pytest.fixture
def held(undisturbed, gate):
    """Trainings that begin now are held when they have done an epoch and a third of the next, whenever they go on."""
    gate.close("steps", after=EPOCH + EPOCH // 3)
    yield gate
    gate.open("steps")


def landed(run, *checkpoints):
    """Wait until a run that will be held in the middle of its next epoch has landed what comes before."""
    until(lambda: run.landed() == {0: [*map(float, checkpoints)]}, f"{checkpoints} of {run.id} have landed")


def test_refresh_cancel_and_resume(app, dataset, held, new_page, model):
    run = queue(app.workspace, dataset.id, model, SETTINGS)
    page = settled(new_page(f"{app.url}/score?dataset={dataset.id}&run={run.id}"))
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    held.reached("steps")
    page.reload()
    settled(page)
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    assert run.refresh().status == "running"
    page.locator(".st-key-cancel-run button").click()
    expect(page.locator(".st-key-resume-run button")).to_be_visible()
    assert run.refresh().status == "cancelled"
    held.close("steps", after=EPOCH + EPOCH // 3)  # what is held takes a step, and sees that it was cancelled
    until(lambda: all(worker.run_id is None for worker in living_workers(app.workspace.settings)), "the worker let go")
    assert "cancelled" in [line["event"] for line in run.log()]
    assert run.landed() == {0: [0.0, 1.0]}
    before = score_bytes(run)
    page.locator(".st-key-resume-run button").click()
    expect(page.locator(".st-key-cancel-run button")).to_be_visible()
    landed(run, 0, 1, 2)
    assert before.items() <= score_bytes(run).items(), "what had landed stays as it was"
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
    run.cancel()


def test_further_trainings_start_and_stop_on_the_page(app, undisturbed, held, new_page):
    page = settled(new_page(f"{app.url}/audit?run={undisturbed.id}&tab=evidence", known_as("Ann", app)))
    page.locator(".st-key-folds-start button").click()
    expect(page.locator(".st-key-folds-progress")).to_contain_text("4 folds of")
    folds = undisturbed.audit.fold_run()
    landed(folds, 1)
    expect(page.locator(".st-key-folds-progress")).to_contain_text(re.compile(r"seed \d, .*epoch \d"))
    stop(page, "folds", folds)
    page.locator(".st-key-folds-resume button").click()
    expect(page.locator(".st-key-folds-progress")).to_be_visible()
    assert folds.refresh().status in ACTIVE
    stop(page, "folds", folds)
    page.locator(".st-key-noise-start button").click()
    expect(page.locator(".st-key-noise-progress")).to_contain_text("10 % uniform noise on")
    (check,) = undisturbed.children("noise")
    stop(page, "noise", check)


def stop(page, name, run):
    """Cancel a training on the page."""
    page.locator(f".st-key-{name}-cancel button").click()
    expect(page.locator(f".st-key-{name}-resume button")).to_be_enabled()
    expect(page.locator(f".st-key-{name}")).to_contain_text("was cancelled; what has landed stays")
    assert run.refresh().status == "cancelled"
    settled(page)


def test_a_kill_of_worker_and_app_at_once(app, undisturbed, dataset, held, new_page, model):
    run = queue(app.workspace, dataset.id, model, SETTINGS)
    page = settled(new_page(f"{app.url}/score?dataset={dataset.id}&run={run.id}"))
    held.reached("steps")
    assert run.landed() == {0: [0.0, 1.0]}
    app.kill_all()
    assert run.refresh().status == "running"
    held.close("steps", after=4 * EPOCH)
    app.start()
    page.goto(f"{app.url}/score?dataset={dataset.id}&run={run.id}")
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    run.wait(240)
    assert run.landed() == undisturbed.landed()
    assert score_bytes(run) == score_bytes(undisturbed)
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
