"""Refresh, cancel, resume, and kills: a run goes on, and nothing is lost."""

import re
import time

import psutil
import pytest
from playwright.sync_api import expect

from diet_explorer.jobs.slots import living_workers
from diet_explorer.store.runs import ACTIVE
from tests.browser.conftest import LiveApp, known_as, settled
from tests.tiny_runs import ENDLESS, LONG, further, queue, score_bytes
from tests.waiting import until

pytestmark = pytest.mark.browser
SETTINGS = {**LONG, "epochs": 12, "checkpoints": (*range(9), 10, 12)}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """An app with its worker, which the tests interrupt one after the other."""
    app = LiveApp(tmp_path_factory.mktemp("interrupted") / "home").start()
    yield app
    print(app.log.read_text())  # noqa: T201  shown where a test fails
    app.stop()


@pytest.fixture(scope="module")
def dataset(app, sentences):
    return app.workspace.import_dataset(sentences, text="sentence", label="mood", id="key")


@pytest.fixture(scope="module")
def undisturbed(app, dataset, tiny_model):
    """A run that nobody interrupts; the first to be done."""
    return queue(app.workspace, dataset.id, tiny_model, SETTINGS)


def in_mid_epoch(run, known):
    """Wait until a run has landed more than what is known and trains on; returns what has landed."""
    further(run, known)
    time.sleep(0.1)  # some steps into the epoch after the checkpoint
    return run.landed()


def test_refresh_cancel_and_resume(app, undisturbed, dataset, new_page, tiny_model):
    undisturbed.wait(240)
    run = queue(app.workspace, dataset.id, tiny_model, ENDLESS)
    page = settled(new_page(f"{app.url}/score?dataset={dataset.id}&run={run.id}"))
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    in_mid_epoch(run, {0: [0.0]})
    page.reload()
    settled(page)
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    assert run.refresh().status == "running"
    page.locator(".st-key-cancel-run button").click()
    expect(page.locator(".st-key-resume-run button")).to_be_visible()
    assert run.refresh().status == "cancelled"
    until(
        lambda: all(worker.run_id is None for worker in living_workers(app.workspace.settings)),
        "the worker let go",
    )
    assert "cancelled" in [line["event"] for line in run.log()]
    before, landed = score_bytes(run), run.landed()
    page.locator(".st-key-resume-run button").click()
    expect(page.locator(".st-key-cancel-run button")).to_be_visible()
    further(run, landed)
    assert before.items() <= score_bytes(run).items(), "what had landed stays as it was"
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
    run.cancel()


def test_further_trainings_start_and_stop_on_the_page(app, undisturbed, new_page):
    undisturbed.wait(240)
    state = known_as("Ann", app)
    page = settled(new_page(f"{app.url}/audit?run={undisturbed.id}&tab=evidence", storage_state=state))
    page.locator(".st-key-folds-start button").click()
    expect(page.locator(".st-key-folds-progress")).to_contain_text("4 folds of")
    folds = undisturbed.audit.fold_run()
    further(folds, {0: []})
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


def test_kills_of_worker_app_and_both(app, undisturbed, dataset, new_page, tiny_model):
    undisturbed.wait(240)
    run = queue(app.workspace, dataset.id, tiny_model, SETTINGS)
    landed = in_mid_epoch(run, {0: [0.0]})
    first = app.worker()
    app.kill(first)
    psutil.wait_procs([first], timeout=30)

    landed = in_mid_epoch(run, landed)
    left = app.kill_supervisor()
    gone, _ = psutil.wait_procs(left, timeout=30)
    assert len(gone) == len(left), "what the app started ends with it"
    assert run.refresh().status == "running"
    app.start()
    page = settled(new_page(f"{app.url}/score?dataset={dataset.id}&run={run.id}"))

    in_mid_epoch(run, landed)
    app.kill_all()
    assert run.refresh().status == "running"
    app.start()
    page.goto(f"{app.url}/score?dataset={dataset.id}&run={run.id}")
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    run.wait(240)
    assert run.landed() == undisturbed.landed()
    assert score_bytes(run) == score_bytes(undisturbed), "worker, app, and both were killed"
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
