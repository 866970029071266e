"""What a user does to explore; every count on the page is the library's."""

import io
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import pytest

from diet_explorer.analysis.filters import ExampleFilter
from diet_explorer.training.config import RunConfig
from diet_explorer.ui.examples.keyed_classes import keyed_classes
from tests.browser.conftest import LiveServer, known_as, settled
from tests.browser.patience import expect
from tests.synthetic import write_scores
from tests.ui.conftest import fill
from tests.waiting import until

pytestmark = pytest.mark.browser
UNREADABLE_MS = 200  # a key counts only once its example has been there for a moment


@pytest.fixture(scope="module")
def explored(tmp_path_factory):
    """An app on a finished run of two seeds, and the run."""
    home = tmp_path_factory.mktemp("explore") / "home"
    filled = fill(home)
    app = LiveServer(home).start()
    yield app, filled.run
    app.stop()


def where_of(page):
    return ExampleFilter.from_query(parse_qs(urlsplit(page.url).query, keep_blank_values=True))


def plot_area(page, key):
    """Where the axes of a chart are on the screen, once it is drawn."""
    area = page.locator(f".st-key-{key} .nsewdrag, .st-key-{key} .plot").first
    area.wait_for(state="attached", timeout=60_000)
    settled(page)
    page.wait_for_timeout(300)
    return area.bounding_box()


def drag(page, box, *corners):
    """Drag over shares of a plot's area, from its lower left corner."""
    places = [(box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def test_exploring_by_brush_lasso_click_link_and_download(explored, new_page):
    app, run = explored
    page = settled(new_page(f"{app.url}/browse?run={run.id}&checkpoint=1"))
    brush_the_histogram(page, run)
    page.goto(f"{app.url}/data_map?run={run.id}&checkpoint=2&colour=label")
    lasso(settled(page), run)
    the_link_shows_the_same(settled(new_page(page.url)), run)
    click_a_point(page, run)
    download(page, run)


def brush_the_histogram(page, run):
    drag(page, plot_area(page, "score-histogram"), (0.55, 0.5), (0.9, 0.5))
    page.wait_for_url("**range=el2n*")
    count = run.count(where_of(page), 1.0)
    assert 0 < count < run.count(ExampleFilter(), 1.0)
    expect(page.locator(".st-key-list-foot")).to_contain_text(f"of {count}, filtered from {run.dataset.rows}")
    expect(page.locator("tr[data-row]")).to_have_count(min(count, 50))
    settled(page)
    title, files = "How many examples?", {}
    for name in ("Image (PNG)", "Drawing (SVG)"):
        if not page.get_by_role("button", name=name).is_visible():
            page.locator(".st-key-score-histogram-download button").first.click()
        with page.expect_download() as file:
            page.get_by_role("button", name=name).click()
        files[name] = file.value.path().read_bytes()
    assert files["Image (PNG)"].startswith(b"\x89PNG")
    assert files["Drawing (SVG)"].startswith(b"<svg") and title.encode() in files["Drawing (SVG)"]


def lasso(page, run):
    drag(page, plot_area(page, "map-data"), (0.1, 0.2), (0.6, 0.15), (0.8, 0.9), (0.2, 0.8), (0.1, 0.25))
    page.wait_for_url("**region=data*")
    where = where_of(page)
    expected = run.ranked("el2n", 2.0, where=where, limit=None)
    assert 0 < len(expected) < run.count(ExampleFilter(), 2.0)
    expect(page.locator(".de-selected")).to_contain_text(f"{len(expected)} examples selected")
    expect(page.locator("tr[data-row]")).to_have_count(min(len(expected), 50))
    settled(page)
    with page.expect_download() as file:
        page.locator(".st-key-selection-csv button").first.click()
    assert pd.read_csv(file.value.path())["id"].tolist() == expected["id"].tolist()


def the_link_shows_the_same(page, run):
    count = run.count(where_of(page), 2.0)
    expect(page.locator(".de-selected")).to_contain_text(f"{count} examples selected")
    plot_area(page, "map-data")
    expect(page.locator(".st-key-map-data .selectionlayer path").first).to_be_attached()
    page.get_by_role("button", name="Open in Browse").click()
    page.wait_for_url("**/browse?**")
    expect(page.locator(".st-key-list-foot")).to_contain_text(f"of {count}, filtered from")


def click_a_point(page, run):
    page.locator(".st-key-clear-region button").click()
    expect(page.locator(".st-key-map-reading")).to_be_visible()
    area = plot_area(page, "map-data")
    points = run.ranking(2.0).points("variability", "confidence", (), ExampleFilter(), 1000)
    ranges = page.evaluate(
        "() => { const l = document.querySelector('.st-key-map-data .js-plotly-plot')._fullLayout;"
        " return [l.xaxis.range, l.yaxis.range]; }"
    )
    x, y = ((points[name] - low) / (high - low) for name, (low, high) in zip("xy", ranges, strict=True))
    alone = int(np.argmax([np.sort(np.hypot(x - x[place], y - y[place]))[1] for place in range(len(points))]))
    at = float(area["x"] + x[alone] * area["width"]), float(area["y"] + (1 - y[alone]) * area["height"])
    page.mouse.move(at[0] + 2, at[1] + 2)
    page.wait_for_timeout(200)
    page.mouse.click(*at)
    row = int(points["row"][alone])
    page.wait_for_url(f"**example={row}*")
    expect(page.locator(".st-key-card")).to_contain_text(run.card(row).text)
    expect(page.locator(".de-map-mark")).to_be_visible()


def download(page, run):
    files = {}
    settled(page)
    for name in ("Image (PNG)", "Drawing (SVG)", "Page (HTML)", "Data (CSV)"):
        if not page.get_by_role("button", name=name).is_visible():  # an image that is saved closes the list
            page.locator(".st-key-map-data-download button").first.click()
        with page.expect_download() as file:
            page.get_by_role("button", name=name).click()
        files[name] = file.value.path().read_bytes()
    title = b"Easy, ambiguous or hard"
    assert files["Image (PNG)"].startswith(b"\x89PNG")
    assert files["Drawing (SVG)"].startswith(b"<svg") and title in files["Drawing (SVG)"]
    assert title in files["Page (HTML)"] and b"plotly.js v" in files["Page (HTML)"]
    points = pd.read_csv(io.BytesIO(files["Data (CSV)"])).set_index("row").sort_index()
    frame = run.ranked("el2n", 2.0, limit=None).set_index("row").sort_index()
    assert np.allclose(points["y"], frame["confidence"], atol=1e-6)
    assert points["id"].tolist() == frame["id"].tolist()


def test_a_deleted_dataset_is_named_with_what_goes_along_and_comes_back_by_undo(explored, new_page):
    app, run = explored
    onlooker = settled(new_page(f"{app.url}/browse?run={run.id}"))
    page = settled(new_page(f"{app.url}/datasets?dataset={run.dataset.id}"))
    page.locator(f".st-key-dataset-{run.dataset.id} [class*=st-key-menu-] button").first.click()
    page.get_by_text("Delete …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 run")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator(".st-key-undo-bar")).to_contain_text("Deleted the dataset")
    assert app.workspace.datasets() == []
    onlooker.locator("tr[data-row]").first.click()
    expect(onlooker.locator(".st-key-deleted")).to_contain_text("was deleted")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".st-key-dataset-report")).to_be_visible()
    assert [entry.id for entry in app.workspace.runs()] == [run.id]


def test_an_open_example_comes_before_the_list_on_a_phone(explored, new_page):
    app, run = explored
    page = settled(new_page(f"{app.url}/browse?run={run.id}&checkpoint=1&example=4"))
    card, first = page.locator(".st-key-card"), page.locator("tr[data-row]").first
    assert card.bounding_box()["x"] > first.bounding_box()["x"]
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("matchMedia('(max-width: 640px)').matches")
    assert card.bounding_box()["y"] < first.bounding_box()["y"]


def test_keys_stand_for_the_most_likely_of_many_classes(explored, new_page):
    app, _ = explored
    source = app.home.parent / "intents.csv"
    names = [f"intent_{number % 12:03d}_about_something_specific" for number in range(60)]
    pd.DataFrame({"text": [f"question {n}" for n in range(60)], "intent": names}).to_csv(source, index=False)
    dataset = app.workspace.import_dataset(source, text="text", label="intent")
    config = RunConfig(dataset_id=dataset.id, epochs=1, checkpoints=(1.0,))
    run = app.workspace.create_run(config, name="intents", origin="job")
    logits = np.random.default_rng(2).normal(size=(60, 12))
    write_scores(app.workspace.context.files, dataset.manifest, run.id, 0, 1.0, logits)
    app.workspace.context.records.set_status(run.id, "running")
    app.workspace.context.records.set_status(run.id, "succeeded")

    page = settled(new_page(f"{app.url}/audit?run={run.id}", known_as("Zoë", app)))
    card, keys = page.locator(".de-deck-card"), page.locator(".de-deck-classes button")
    expect(keys).to_have_count(9)
    row = int(card.get_attribute("data-row"))
    keyed = keyed_classes(dataset, run.card(row), 1.0, None)
    assert [key.get_attribute("data-label") for key in keys.all()] == list(keyed)
    page.wait_for_timeout(UNREADABLE_MS)
    page.keyboard.press("3")
    expect(card).not_to_have_attribute("data-row", str(row))
    expect(page.locator(".de-deck-status")).to_contain_text("Saved")
    event = dataset.ledger.events()[0]
    assert (event.label, list(event.rows)) == (keyed[2], [row])
    other = int(card.get_attribute("data-row"))
    page.wait_for_timeout(UNREADABLE_MS)
    page.locator(".de-other").fill("intent_007_about_something_specific")
    page.locator(".de-other").press("Enter")
    expect(card).not_to_have_attribute("data-row", str(other))
    expect(page.locator(".de-deck-status")).to_contain_text("Saved")
    until(lambda: dataset.ledger.events()[0].rows[0] == other, "the second decision is stored")


def test_a_file_without_utf8_and_header_is_asked_about_and_loses_no_row(explored, new_page):
    app, _ = explored
    rows = "".join(f"{'ab'[number % 2]},words of the café number {number}\n" for number in range(60))
    page = settled(new_page(f"{app.url}/datasets?tab=add"))
    page.locator(".st-key-upload input[type=file]").set_input_files(
        {"name": "spam.csv", "mimeType": "text/csv", "buffer": rows.encode("cp1252")}
    )
    expect(page.locator("[data-testid=stAlert]").first).to_contain_text("spam.csv is not UTF-8 text")
    page.locator(".st-key-ask-encoding").get_by_role("button", name="Read it so").click()
    question = page.locator(".st-key-header-question")
    expect(question.get_by_role("radio", name="No: it is a row like the others")).to_be_checked()
    expect(question).to_contain_text("Without a header · chosen")
    expect(page.locator(".st-key-check-report")).to_contain_text("usable rows of 60")
    settled(page)
    question.get_by_text("Yes: it is the header").click()
    expect(page.locator(".st-key-check-report")).to_contain_text("usable rows of 59")
    settled(page)
    question.get_by_text("No: it is a row like the others").click()
    expect(page.locator(".st-key-check-report")).to_contain_text("usable rows of 60")
    settled(page)
    page.locator(".st-key-import-dataset button").click()
    expect(page.locator(".st-key-score-dataset button")).to_be_visible()
    (dataset,) = (entry for entry in app.workspace.datasets() if entry.name == "spam")
    assert dataset.rows == 60 and dataset.examples()["text"][0] == "words of the café number 0"
