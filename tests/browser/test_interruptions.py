"""Refresh, cancel, resume, and kills: a run goes on, and nothing is lost."""

import hashlib
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LiveApp, settled
from tests.jobs.tiny_runs import LONG, queue, until

pytestmark = pytest.mark.browser
SETTINGS = {**LONG, "epochs": 12, "checkpoints": (0, 1, 2, 4, 12)}


def begin(app: LiveApp, sentences: Path, tiny_model: Path):
    dataset = app.workspace.import_dataset(sentences, text="sentence", label="mood", id="key")
    return queue(app.workspace, dataset.id, tiny_model, SETTINGS)


def in_mid_epoch(run) -> None:
    """Wait until the run is past epoch 1 and between two checkpoints."""
    until(lambda: run.refresh().status == "running" and run.progress().seeds[0].epoch > 1.2, "training is under way")


def hashes(run) -> dict[str, str]:
    folder = Path(run.store.files.path("runs", run.id, "scores"))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.parquet")}


def test_refresh_cancel_and_resume(make_app, new_page, sentences, tiny_model):
    app = make_app()
    run = begin(app, sentences, tiny_model)
    page = settled(new_page(f"{app.url}/score?dataset={run.dataset.id}&run={run.id}"))
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    in_mid_epoch(run)
    page.reload()
    settled(page)
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    assert run.refresh().status == "running"
    page.locator(".st-key-cancel-run button").click()
    expect(page.locator(".st-key-resume-run button")).to_be_visible()
    assert run.refresh().status == "cancelled"
    until(lambda: "cancelled" in [line["event"] for line in run.log()], "the log says so")
    landed = run.landed()
    assert 0.0 in landed[0] and 12.0 not in landed[0]
    page.locator(".st-key-resume-run button").click()
    expect(page.locator(".st-key-cancel-run button")).to_be_visible()
    run.wait(240)
    assert run.landed() == {0: [0.0, 1.0, 2.0, 4.0, 12.0]}
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()


def test_kills_of_worker_app_and_both(make_app, new_page, sentences, tiny_model):
    app = make_app()
    whole = begin(app, sentences, tiny_model)
    whole.wait(240)

    run = queue(app.workspace, whole.dataset.id, tiny_model, SETTINGS)
    in_mid_epoch(run)
    first = app.worker()
    app.kill(first)
    psutil.wait_procs([first], timeout=30)
    run.wait(240)
    assert hashes(run) == hashes(whole), "the worker was killed"

    run = queue(app.workspace, whole.dataset.id, tiny_model, SETTINGS)
    in_mid_epoch(run)
    left = app.kill_supervisor()
    gone, _ = psutil.wait_procs(left, timeout=30)
    assert len(gone) == len(left), "what the app started ends with it"
    assert run.refresh().status == "running"
    app.start()
    run.wait(240)
    assert hashes(run) == hashes(whole), "the app was killed"

    run = queue(app.workspace, whole.dataset.id, tiny_model, SETTINGS)
    page = settled(new_page(f"{app.url}/score?dataset={run.dataset.id}&run={run.id}"))
    in_mid_epoch(run)
    app.kill_all()
    app.start()
    page.goto(f"{app.url}/score?dataset={run.dataset.id}&run={run.id}")
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    run.wait(240)
    assert hashes(run) == hashes(whole), "app and worker were killed"
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
