"""What a user does: the sample from click to ranked rows, and own data from upload to download."""

import io
import re

import pandas as pd
import pytest

from diet_explorer import ExampleFilter
from diet_explorer.scoring.catalogue import PAPER_NAMES
from tests.browser.conftest import LiveApp, rows, settled
from tests.browser.patience import expect
from tests.gate import Gate

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]  # each waits for a training beside all other tests


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    return Gate(tmp_path_factory.mktemp("gate") / "gate")


@pytest.fixture(scope="module")
def app(tmp_path_factory, gate, model):
    """An app with its worker on an empty workspace, in which the bundled model is a tiny one."""
    home = tmp_path_factory.mktemp("main") / "home"
    app = LiveApp(home, gate=gate, DIET_EXPLORER_BUNDLED_MODEL=str(model)).start()
    yield app
    print(app.log.read_text())  # noqa: T201  shown where a test fails
    app.stop()


def test_sample_from_click_to_ranked_rows(app, gate, new_page):
    gate.close("steps")
    page = settled(new_page(app.url))
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    page.locator(".st-key-try-sample button").click()
    expect(page.get_by_role("heading", name="Browse")).to_be_visible()
    expect(page.locator("tr[data-row]").first).to_be_visible(timeout=500_000)
    expect(page.locator(".st-key-list-foot")).to_contain_text("50 of 1,250, filtered from 1,500")
    (run,) = app.workspace.runs()
    expect(page.locator("tr[data-row]")).to_have_count(50)
    expected = run.ranked(by="el2n", checkpoint=run.checkpoints()[0])["text"].tolist()
    assert [text.strip() for text in rows(page)][:3] == [text.strip() for text in expected][:3]
    expect(page.locator(".st-key-job-line")).to_contain_text("Film snippets (sample)")
    run.cancel()
    gate.open("steps")


def test_own_data_from_upload_to_download(app, new_page, sentences, model):
    before = {run.id for run in app.workspace.runs()}
    page = settled(new_page(f"{app.url}/datasets?tab=add"))
    page.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": "own.csv", "mimeType": "text/csv", "buffer": sentences.read_bytes() + b"s999,,good\ns998,word,\n"}
    )
    expect(page.locator(".st-key-check-report")).to_be_visible()
    settled(page)
    expect(page.locator(".st-key-check-report")).to_contain_text("set aside · 1.6 %")
    page.locator(".st-key-import-dataset button").click()
    expect(page.locator(".st-key-score-dataset button")).to_be_visible()
    (dataset,) = (entry for entry in app.workspace.datasets() if entry.name == "own")
    assert dataset.rows == 120 and dataset.set_aside()["line"].tolist() == [122, 123]
    page.locator(".st-key-score-dataset button").click()
    expect(page.locator(".st-key-start-run button")).to_be_visible()
    settled(page)
    page.locator(".st-key-run-model-kind").get_by_text("Local folder").click()
    settled(page)
    field = page.locator(".st-key-run-model input")
    field.fill(str(model))
    field.press("Enter")
    settled(page)
    page.locator(".st-key-measure-cost button").first.click()
    expect(page.locator(".st-key-run-start")).to_contain_text("Measured on this machine", timeout=120_000)
    page.locator(".st-key-start-run button").click()
    expect(page.locator(".st-key-run-progress")).to_be_visible()
    (run,) = (entry for entry in app.workspace.runs() if entry.id not in before)
    run.wait(500)
    agreement = run.dynamics.agreement(names=PAPER_NAMES)
    expect(page.locator(".st-key-agreement")).to_contain_text("after epoch 1", ignore_case=True)
    for row in agreement.itertuples():
        expect(page.locator(".st-key-agreement")).to_contain_text(f"{row.spearman:.3f}")
    expect(page.get_by_role("link", name="Browse examples")).to_be_enabled()
    settled(page)
    page.get_by_role("link", name="Browse examples").click()
    page.wait_for_url("**/browse?**")
    expect(page.locator("tr[data-row]").first).to_be_visible()
    settled(page)

    page.locator(".st-key-search input").fill("gripping")
    page.locator(".st-key-search input").press("Enter")
    where = ExampleFilter(text="gripping")
    count = run.count(where)
    assert 0 < count < 50
    expect(page.locator("tr[data-row]")).to_have_count(count)
    expect(page.locator("tbody mark").first).to_have_text("gripping")
    expected = run.ranked(by="el2n", where=where)
    assert [text.strip() for text in rows(page)] == expected["text"].str.strip().tolist()
    assert "q=gripping" in page.url

    page.locator("tr[data-row]").nth(1).click()
    expect(page.locator(".st-key-card")).to_contain_text(expected["text"][1])
    settled(page)
    assert f"example={expected['row'][1]}" in page.url
    with page.expect_download() as download:
        page.locator(".st-key-download-csv button").first.click()
    found = pd.read_csv(io.BytesIO(download.value.path().read_bytes()))
    assert found["id"].tolist() == expected["id"].tolist()
    assert found["el2n"].tolist() == pytest.approx(expected["el2n"].tolist())

    link = page.url
    other = settled(new_page(link))
    expect(other.locator(".st-key-ranked-table tr[data-row]")).to_have_count(count)
    expect(other.locator(".st-key-card")).to_contain_text(expected["text"][1])
    assert re.sub(r".*\?", "", other.url) == re.sub(r".*\?", "", link)
