"""What a user does to ship: policy, preview, link, refusal, export, proof, push; what is loaded is what was kept."""

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from diet_explorer.errors import GuardRailError
from diet_explorer.pruning.policies import Policy
from diet_explorer.training.config import RunConfig
from tests.browser.conftest import LiveApp, settled
from tests.browser.patience import expect
from tests.gate import Gate
from tests.loopback_hub import TOKEN, loopback_hub
from tests.pruning.export.pushing import hub_environment, load_from_hub
from tests.synthetic import write_scores

pytestmark = pytest.mark.browser
ROWS, TEST_FROM = 120, 90
JOB = "diet_explorer.jobs.own_process"  # what a process that does a job begins with
LONGEST = 240  # seconds; for machines that have much else to do


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A Hub on this machine, and the environment of a process that knows it."""
    with loopback_hub() as server:
        yield server, hub_environment(server.url, tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    return Gate(tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def scored(tmp_path_factory, hub, gate, sentences, model):
    """An app that knows the Hub, on a set with a test split and a run of the tiny model with made-up scores."""
    home = tmp_path_factory.mktemp("ship") / "home"
    source = home.parent / "sentences.csv"
    part = np.where(np.arange(ROWS) < TEST_FROM, "train", "test")
    pd.read_csv(sentences).assign(part=part).to_csv(source, index=False)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hub[1].items():
            patch.setenv(name, value)
        app = LiveApp(home, gate=gate).start()
    dataset = app.workspace.import_dataset(source, text="sentence", label="mood", id="key", split="part")
    config = RunConfig(
        dataset_id=dataset.id,
        model=str(model),
        epochs=1,
        seeds=3,
        checkpoints=(1.0,),
        batch_size=32,
        max_length=16,
    )
    run = app.workspace.create_run(config, name="a run", origin="job")
    generator = np.random.default_rng(5)
    for seed in range(3):
        logits = generator.normal(size=(ROWS, 2))
        write_scores(app.workspace.context.files, dataset.manifest, run.id, seed, 1.0, logits)
    app.workspace.context.records.set_status(run.id, "running")
    app.workspace.context.records.set_status(run.id, "succeeded")
    yield app, app.workspace.run(run.id)
    print(app.log.read_text())  # noqa: T201  shown where a test fails
    app.stop()


def policy_of(page):
    return Policy.from_query(parse_qs(urlsplit(page.url).query))


def fill(page, name, value):
    field = page.locator(f".st-key-policy-{name} input")
    field.fill(str(value))
    field.press("Enter")


def figures(page, place):
    return page.locator(f".st-key-{place} .de-figures b")


def test_shipping_from_policy_to_the_hub_and_back(scored, hub, gate, new_page):
    app, run = scored
    page = settled(new_page(f"{app.url}/prune?run={run.id}"))
    page.set_default_timeout(1000 * LONGEST)
    plan = preview(page, run)
    refused(page, run)
    the_link_shows_the_same(saved(page, run, plan), plan, new_page)
    export = exported(page, app, run, plan, gate)
    proof = proving(page, run, plan, gate)
    pushed(page, app, hub, export)
    loaded(hub, export)
    proven(page, proof)


def preview(page, run):
    run.dataset.decide([3], "exclude", annotator="ann")
    fill(page, "drop_hardest", 20)
    page.wait_for_url("**hardest=20*")
    plan = run.pruning.plan(Policy(drop_hardest=20))
    assert policy_of(page) == Policy(drop_hardest=20)
    expect(figures(page, "preview").first).to_have_text(f"{len(plan.rows)}")
    settled(page)  # the table comes after the figures
    found = plan.preview()
    assert figures(page, "preview").all_inner_texts()[1] == f"{plan.dropped}"
    assert figures(page, "preview").all_inner_texts()[3] == f"{100 * found.noise.after:.1f} %"
    table = page.get_by_role("table", name="Rows per class").inner_text()
    for row in found.counts[found.counts["split"] == "train"].itertuples():
        assert f"{row.label}\t{row.before}\t{row.dropped}\t{row.kept}" in table
    expect(page.locator(".st-key-cut-histogram")).to_contain_text(f"hardest ≥ {found.cuts[0].value:.3f}")
    page.get_by_role("radio", name="At the cut").click()
    for text in found.boundary["text"]:
        expect(page.locator(".st-key-boundary")).to_contain_text(text)
    return plan


def refused(page, run):
    fill(page, "minimum_per_class", TEST_FROM)
    page.wait_for_url("**minimum=90*")
    with pytest.raises(GuardRailError) as refusal:
        run.pruning.plan(Policy(drop_hardest=20, minimum_per_class=TEST_FROM))
    expect(page.locator(".st-key-policy-refused")).to_contain_text(refusal.value.message)
    fill(page, "minimum_per_class", 1)
    expect(page.locator(".st-key-preview")).to_be_visible()
    settled(page)


def saved(page, run, plan):
    page.locator(".st-key-save-policy button").click()
    page.get_by_label("Name", exact=True).fill("Tidy")
    page.get_by_role("button", name="Save policy").click()
    expect(page.get_by_text("Saved as Tidy")).to_be_visible()
    assert run.pruning.saved_policy("Tidy").policy == plan.policy
    return page.url


def the_link_shows_the_same(link, plan, new_page):
    other = settled(new_page(link))
    expect(figures(other, "preview").first).to_have_text(f"{len(plan.rows)}")
    expect(other.locator(".st-key-policy-drop_hardest input")).to_have_value("20")


def exported(page, app, run, plan, gate):
    page.locator(".st-key-go-export button").click()
    page.get_by_role("combobox", name="Format").click()
    page.get_by_role("option", name="Parquet").click()
    settled(page)
    cancelled_export(page, app, run, gate)
    page.locator(".st-key-start-export button").click()
    expect(page.locator(".st-key-download-export")).to_be_visible(timeout=1000 * LONGEST)
    export = app.workspace.exports(run)[0]
    settled(page)
    assert f"export={export.id}" in page.url
    with page.expect_download() as file:
        page.locator(".st-key-download-export button").click()
    with zipfile.ZipFile(io.BytesIO(Path(file.value.path()).read_bytes())) as archive:
        assert json.loads(archive.read(f"{export.id}/manifest.json")) == export.manifest
    kept = pq.read_table(f"{export.folder}/train.parquet")["key"].to_pylist()
    assert kept == run.dataset.examples(plan.rows.tolist())["id"].tolist()
    expect(figures(page, "export-details").first).to_have_text(f"{len(plan.rows) + ROWS - TEST_FROM}")
    return export


def cancelled_export(page, app, run, gate):
    gate.close(JOB)
    page.locator(".st-key-start-export button").click()
    gate.reached(JOB)
    writing = app.job_process("export")
    page.locator(".st-key-cancel-export button").click()
    expect(page.locator(".st-key-export-details")).to_contain_text("was cancelled; nothing is left of it")
    (export,) = app.workspace.exports(run)
    assert export.status == "cancelled" and not psutil.wait_procs([writing], 30)[1]
    assert not Path(export.folder).exists()
    gate.open(JOB)
    settled(page)


def proving(page, run, plan, gate):
    gate.close("steps")
    page.get_by_role("link", name="Proof", exact=True).click()
    page.wait_for_url("**/proof?**")
    page.locator(".st-key-proof-shares").get_by_label("Clear all").click()
    expect(page.locator(".st-key-proof-form .de-figures")).to_contain_text("9trainings at most", use_inner_text=False)
    settled(page)
    page.locator(".st-key-start-proof button").click()
    expect(page.locator(".st-key-proof-progress")).to_contain_text("of 9 trainings done")
    (proof,) = run.proofs.list()
    assert [(variant.kind, variant.size) for variant in proof.variants] == [
        ("full", TEST_FROM),
        ("random", len(plan.rows)),
        ("policy", len(plan.rows)),
    ]
    page.locator(".st-key-cancel-proof button").click()
    expect(page.locator(".st-key-proof-stopped")).to_contain_text("the others have stopped")
    assert proof.progress().status == "cancelled"
    page.locator(".st-key-resume-proof button").click()
    expect(page.locator(".st-key-proof-progress")).to_contain_text("of 9 trainings done")
    assert proof.progress().is_active
    gate.open("steps")
    return proof


def pushed(page, app, hub, export):
    page.goto(f"{app.url}/prune?run={export.run_id}&tab=export&export={export.id}")
    settled(page)
    page.get_by_role("textbox", name="Dataset on the Hub").fill("ann/tidy")
    page.locator(".st-key-hub-token input").fill(TOKEN)
    page.locator(".st-key-hub-push button").click()
    expect(page.locator(".st-key-hub")).to_contain_text("Pushed to ann/tidy", timeout=1000 * LONGEST)
    expect(page.locator(".st-key-hub")).to_contain_text("only its owner can see it")
    assert hub[0].repositories["ann/tidy"].private
    expect(page.locator(".st-key-hub-token input")).to_have_value("")
    assert TOKEN not in page.url + page.content()
    for path in [*app.home.rglob("*"), app.log]:
        with suppress(FileNotFoundError, IsADirectoryError):  # the databases' journals come and go
            assert TOKEN.encode() not in path.read_bytes()


def loaded(hub, export):
    (found,) = load_from_hub({**hub[1], "HF_TOKEN": TOKEN}, [["ann/tidy"]])
    assert found["rows"].keys() == {"train", "test"}
    for split, rows in found["rows"].items():
        assert rows == pq.read_table(f"{export.folder}/{split}.parquet").to_pylist()


def proven(page, proof):
    proof.wait(LONGEST)
    settled(page)
    page.get_by_role("link", name="Proof", exact=True).click()
    page.wait_for_url("**/proof?**")
    expect(page.locator(".st-key-verdicts li")).to_have_text([proof.verdicts()[2]])
    expect(page.locator(".st-key-proof-chart .main-svg").first).to_be_visible()
    settled(page)
    page.get_by_role("radio", name="Numbers").click()
    expect(page.get_by_role("table", name="Results")).to_be_visible()
    shown = page.get_by_role("table", name="Results").inner_text()
    for row in proof.table().itertuples():
        assert f"{100 * row.accuracy:.1f} %" in shown and f"{row.loss:.3f}" in shown
