"""A review by keys alone, by two people, with a refresh in the middle: the ledger says what was pressed."""

import sqlite3
from contextlib import closing
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest

from diet_explorer.review.rules import ReviewRules
from diet_explorer.training.config import RunConfig
from tests.browser.conftest import LiveServer, known_as, settled
from tests.browser.patience import expect
from tests.synthetic import write_scores
from tests.ui.conftest import CHECKPOINTS, fill

pytestmark = pytest.mark.browser
UNREADABLE_MS = 160  # a key counts only once its example has been there for a moment
HOSTILE_TEXTS = (
    "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script><b>bold</b>",
    "**bold** [link](javascript:window.hacked=1) $\\frac{1}{2}$ :red[red] `code` &lt;i&gt;",
    "\x1b[31mred\x1b[0m \u202ereversed\u202c \u2066open isolate zero\u200bwidth\ufeff bell\x07",
    "Donaudampfschifffahrtsgesellschaft" * 60,
)
FITS = """() => {
  const main = document.querySelector('[data-testid=stMain]');
  return main.scrollWidth <= main.clientWidth;
}"""
PATHS = {
    "audit?tab=list": ".chip, .de-chip",
    "browse?example=2": ".st-key-card",
    "distributions?seed=0": ".main-svg",
    "data_map?colour=label": ".main-svg",
}
HOSTILE_LABELS = ("<b>%{y}</b>\u202elabel", "$x^2$ **good** " + "endless" * 30)


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """An app on a finished run of two seeds, and the run; a second dataset with texts and labels that are markup."""
    home = tmp_path_factory.mktemp("audit") / "home"
    filled = fill(home)
    hostile = add_hostile(filled.workspace, home.parent / "hostile.csv")
    app = LiveServer(home).start()
    yield app, filled.run, hostile
    app.stop()


def add_hostile(workspace, source):
    rows = [(HOSTILE_TEXTS[number % 4] + f" {number}", HOSTILE_LABELS[number % 3 % 2]) for number in range(24)]
    pd.DataFrame(rows, columns=["text", "label"]).to_csv(source, index=False)
    dataset = workspace.import_dataset(source, text="text", label="label", name="<i>Hostile</i> \u202eset")
    config = RunConfig(dataset_id=dataset.id, epochs=2, seeds=1, checkpoints=CHECKPOINTS)
    run = workspace.create_run(config, name="hostile", origin="job")
    codes = [dataset.classes.index(label) for label in dataset.examples()["label"]]
    for checkpoint in CHECKPOINTS:
        logits = pd.DataFrame([[code == 0, code == 1] for code in codes]).to_numpy() * (checkpoint - 1.0)
        write_scores(workspace.context.files, dataset.manifest, run.id, 0, checkpoint, logits)
    workspace.context.records.set_status(run.id, "running")
    workspace.context.records.set_status(run.id, "succeeded")
    return run


def card_of(page):
    return page.locator(".de-deck-card")


def shown(page):
    return int(card_of(page).get_attribute("data-row"))


def started(page, name):
    """Give the name that is asked for, by keys, and wait for the first card."""
    tab_to(page, "input[aria-label='Your name']")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    return ready(page)


def ready(page):
    card_of(page).wait_for()
    settled(page)
    page.wait_for_timeout(UNREADABLE_MS)
    return page


def tab_to(page, selector):
    """Press Tab until an element has the focus."""
    page.locator(selector).first.wait_for()
    for _ in range(80):
        if page.evaluate("query => Boolean(document.activeElement?.matches(query))", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


def press(page, key):
    """Press a key that decides, and wait for the next example; the row that it was about."""
    row = shown(page)
    page.keyboard.press(key)
    expect(card_of(page)).not_to_have_attribute("data-row", str(row))
    page.wait_for_timeout(UNREADABLE_MS)
    return row


def saved(page, words="Saved"):
    expect(page.locator(".de-deck-status")).to_contain_text(f"{words} · ")


def meaning(run, row, key):
    """What a key says about an example: action and label."""
    given = run.dataset.examples([row])["label"].iloc[0]
    label = (
        run.audit.suspect(row).suggested if key == "w" else run.dataset.classes[int(key) - 1] if key in "12" else None
    )
    if label is not None:
        return ("keep", None) if label == given else ("relabel", label)
    return {"q": "keep", "e": "exclude", "n": "unsure", "f": "flag"}[key], None


def events_of(run, annotator):
    events = run.dataset.ledger.events(annotator)[::-1]
    return [(event.action, event.label, event.rows.tolist()) for event in events]


def test_a_review_by_keys_alone(audited, new_page):
    app, run, _ = audited
    page = started(new_page(f"{app.url}/audit?run={run.id}"), "Ann")
    order = run.audit.order()
    assert shown(page) == order[0]
    pressed = []

    def decide(key):
        if key == "w" and run.audit.suspect(shown(page)).suggested is None:
            key = "q"
        row = press(page, key)
        pressed.append((*meaning(run, row, key), [row]))

    for key in "qwe":
        decide(key)
    page.keyboard.press("f")
    pressed.append(("flag", None, [shown(page)]))
    expect(page.get_by_role("button", name="F Flagged")).to_be_visible()
    for key in "n1":
        decide(key)
    undone = pressed[-1]
    page.keyboard.press("Backspace")
    saved(page, "Undone")
    assert shown(page) == undone[2][0]
    pressed.append(("undo", None, undone[2]))

    row = shown(page)
    page.reload()
    ready(page)
    assert shown(page) == row and parse_qs(urlsplit(page.url).query)["example"] == [str(row)]
    for key in "2q":
        decide(key)
    page.keyboard.press("h")
    expect(page.get_by_text("Undo your last decision")).to_be_visible()
    page.keyboard.press("q")
    page.keyboard.press("Escape")
    expect(page.get_by_text("Undo your last decision")).to_be_hidden()
    row = press(page, "ArrowRight")
    later = shown(page)
    assert later != row
    for key in "1ew":
        decide(key)
    saved(page)
    assert len([entry for entry in pressed if entry[0] not in ("undo", "flag")]) == 10
    assert events_of(run, "Ann") == pressed
    decided = [entry[2][0] for entry in pressed if entry[0] != "undo"]
    assert set(decided) <= set(order[:20].tolist()) and later in order
    bulk(page, run)
    open_again(page, run, pressed)


def bulk(page, run):
    tab_to(page, ".st-key-audit-tabs button")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-bulk-exclude button")).to_be_visible()
    count = run.count()
    expect(page.locator(".st-key-bulk-exclude button")).to_have_text(f"Exclude {count}")
    settled(page)
    tab_to(page, ".st-key-bulk-exclude button")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-bulk-saved")).to_contain_text(f"{count} examples excluded")
    event = run.dataset.ledger.events(limit=1)[0]
    assert (event.action, event.annotator, len(event.rows)) == ("exclude", "Ann", count)
    settled(page)
    tab_to(page, ".st-key-bulk-undo button")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-bulk-saved")).to_contain_text("Undone")
    assert run.dataset.ledger.events(limit=1)[0].undoes == event.id
    suggested = run.audit.suggestions()
    accept = page.locator(".st-key-bulk-accept button").first
    expect(accept).to_have_text(f"Accept {len(suggested)} suggestions")
    settled(page)
    tab_to(page, ".st-key-bulk-accept button")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-bulk-saved")).to_contain_text(f"{len(suggested)} examples relabelled as suggested")
    event = run.dataset.ledger.events(limit=1)[0]
    held = run.dataset.ledger.table().to_pandas().set_index("row")["label"]
    assert held[event.rows].to_dict() == suggested.to_dict() and event.annotator == "Ann"
    settled(page)
    tab_to(page, ".st-key-bulk-undo button")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-bulk-saved")).to_contain_text("Undone")
    assert run.dataset.ledger.events(limit=1)[0].undoes == event.id


def open_again(page, run, pressed):
    """An example's whole history stands on its card, on Browse as well, where it can be decided too."""
    row = pressed[0][2][0]
    page.goto(page.url.split("/audit")[0] + f"/browse?run={run.id}&example={row}")
    expect(page.locator(".st-key-card .de-votes")).to_contain_text("Ann")
    expect(page.get_by_role("button", name="Unsure")).to_be_visible()
    settled(page)
    page.wait_for_timeout(UNREADABLE_MS)
    page.keyboard.press("n")
    expect(page.locator(".st-key-card .de-votes li").first).to_contain_text("was unsure")
    assert run.dataset.ledger.history(row)[-1].action == "unsure"


def test_a_second_opinion_and_its_adjudication(audited, new_page):
    app, run, _ = audited
    ledger = run.dataset.ledger
    ann = started(new_page(f"{app.url}/audit?run={run.id}"), "Ann 2")
    bob = started(new_page(f"{app.url}/audit?run={run.id}"), "Bob")
    assert shown(ann) != shown(bob), "nobody gets what another has"
    bob.goto(f"{app.url}/audit?run={run.id}&tab=conflicts")
    expect(bob.locator(".st-key-no-conflicts")).to_contain_text("Nobody is handed an example that somebody else")
    expect(card_of(bob)).to_have_count(0)
    settled(bob)
    bob.locator(".st-key-ask-second button").click()
    expect(bob.locator(".st-key-no-conflicts")).to_contain_text("Two people decide about each example")
    assert ledger.rules() == ReviewRules(overlap=2)
    settled(bob)
    bob.locator(".st-key-to-review button").click()
    ready(bob)
    first = [press(ann, "q") for _ in range(3)]
    saved(ann)
    bob.reload()
    ready(bob)
    for row in first:
        bob.goto(f"{app.url}/audit?run={run.id}&example={row}")
        ready(bob)
        assert shown(bob) == row
        press(bob, "e" if row != first[1] else "q")
        saved(bob)
    assert sorted(ledger.conflicts().tolist()) == sorted([first[0], first[2]])
    bob.goto(f"{app.url}/audit?run={run.id}&tab=conflicts")
    ready(bob)
    expect(bob.locator(".st-key-agreement")).to_contain_text("Krippendorff")
    settled_rows = [press(bob, "q"), shown(bob)]
    bob.keyboard.press("e")
    expect(card_of(bob)).to_contain_text("No disagreement is open")
    saved(bob)
    assert (
        settled_rows == ledger.events("Bob", limit=2)[1].rows.tolist() + ledger.events("Bob", limit=1)[0].rows.tolist()
    )
    assert ledger.conflicts().tolist() == []
    table = ledger.table().to_pandas().set_index("row")
    assert (
        table.loc[settled_rows, "state"].tolist() == ["keep", "exclude"]
        and table.loc[settled_rows, "adjudicated"].all()
    )
    ledger.set_rules(ReviewRules(), annotator="Ann 2")


def test_two_tabs_on_one_example_and_a_disk_that_cannot_be_written(audited, new_page):
    app, run, _ = audited
    page = started(new_page(f"{app.url}/audit?run={run.id}"), "Cem")
    row = shown(page)
    other = page.context.new_page()
    other.goto(f"{app.url}/audit?run={run.id}&example={row}")
    ready(other)
    assert shown(other) == row
    press(page, "q")
    saved(page)
    other.keyboard.press("e")
    notice = other.locator(".de-deck-notice")
    expect(notice).to_contain_text("Cem kept the label")
    assert events_of(run, "Cem") == [("keep", None, [row])] and shown(other) == row
    other.keyboard.press("Enter")  # "Save mine too" has the focus
    saved(other)
    assert events_of(run, "Cem")[1:] == [("exclude", None, [row])]
    other.close()

    database = run.context.settings.explorer_url.removeprefix("sqlite:///")
    full = "CREATE TRIGGER full BEFORE INSERT ON decisions BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(full)
    row = shown(page)
    page.keyboard.press("e")
    notice = page.locator(".de-deck-notice")
    expect(notice).to_contain_text("could not be saved")
    assert shown(page) == row and len(events_of(run, "Cem")) == 2
    page.reload()
    expect(notice).to_contain_text("could not be saved")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER full")
    page.get_by_role("button", name="Try again").press("Enter")
    saved(page)
    assert events_of(run, "Cem")[2:] == [("exclude", None, [row])]


def test_what_is_sent_again_after_a_reload_is_stored_once(audited, new_page):
    app, run, _ = audited
    page = started(new_page(f"{app.url}/audit?run={run.id}"), "Dora")
    page.evaluate(
        """() => {
          const set = Storage.prototype.setItem;
          Storage.prototype.setItem = function (key, value) {
            if (key.startsWith('review-deck')) window.kept = [key, value];
            set.call(this, key, value);
          };
        }"""
    )
    row = press(page, "e")
    saved(page)
    stored = run.dataset.ledger.events("Dora")
    assert [(event.action, event.rows.tolist()) for event in stored] == [("exclude", [row])]
    page.evaluate("sessionStorage.setItem(...window.kept)")  # as if the page had been left before it heard of that
    page.reload()
    ready(page)
    saved(page)
    assert [event.id for event in run.dataset.ledger.events("Dora")] == [stored[0].id]
    assert page.evaluate("Object.keys(sessionStorage).filter(key => key.startsWith('review-deck'))") == []


def test_texts_and_labels_stay_texts(audited, new_page):
    app, _, run = audited
    page = new_page(f"{app.url}/audit?tab=review&run={run.id}", known_as("<b>Eve</b>\u202e", app))
    stay_texts(page, ".de-chip")
    for path, drawn in PATHS.items():
        page.goto(f"{app.url}/{path}&run={run.id}")
        stay_texts(page, drawn)


def stay_texts(page, drawn):
    settled(page).locator(drawn).first.wait_for()
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x], a[href^=javascript]").count() == 0
    assert page.evaluate(FITS)
    text = page.inner_text("body") + "".join(page.locator("tr[data-row], .legendtext").all_text_contents())
    assert not set("\u202e\u202c\u2066\u200b\ufeff\x1b\x07") & set(text)
    assert "⟦U+202E⟧" in text
