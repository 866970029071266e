"""A set of more classes than keys and colours: what the keys stand for, what names look like, which bars are drawn."""

import json

import numpy as np
import pandas as pd
import pytest

from diet_explorer import Workspace
from diet_explorer.training.config import RunConfig
from diet_explorer.ui.distributions.charts import worst_balance
from diet_explorer.ui.examples.keyed_classes import keyed_classes
from tests.synthetic import write_scores
from tests.tiny_runs import inside
from tests.ui.conftest import assert_calm, words_on

CLASSES = 30
LONG = "intent_" + "very_long_" * 83


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A dataset of thirty classes, one with a name of 837 characters, and a run with made-up scores."""
    home = tmp_path_factory.mktemp("many") / "home"
    names = [LONG, *(f"intent_{number:03d}_about_something_specific" for number in range(1, CLASSES))]
    texts = [f"how do I ask about {number}" for number in range(CLASSES * 10)]
    table = pd.DataFrame({"text": texts, "intent": [names[number % CLASSES] for number in range(len(texts))]})
    table.to_csv(home.parent / "intents.csv", index=False)
    workspace = Workspace(home)
    dataset = workspace.import_dataset(home.parent / "intents.csv", text="text", label="intent", name="Intents")
    config = RunConfig(dataset_id=dataset.id, epochs=1, checkpoints=(1.0,))
    run = workspace.create_run(config, name="a run", origin="job")
    logits = np.random.default_rng(0).normal(size=(dataset.rows, CLASSES))
    write_scores(workspace.context.files, dataset.manifest, run.id, 0, 1.0, logits)
    workspace.context.records.set_status(run.id, "running")
    workspace.context.records.set_status(run.id, "succeeded")
    return workspace, dataset, run.refresh()


def test_the_keys_stand_for_the_given_class_and_the_most_likely_ones(many):
    _, dataset, run = many
    example = run.card(7)
    likely = example.probabilities(1.0, None)
    keyed = keyed_classes(dataset, example, 1.0, None)
    assert keyed[0] == example.label and len(set(keyed)) == 9
    assert list(keyed[1:]) == sorted(set(likely) - {example.label}, key=lambda name: -likely[name])[:8]
    wanted = [dataset.classes[-1], dataset.classes[3]]
    assert keyed_classes(dataset, example, 1.0, None, wanted=wanted)[:3] == (example.label, *wanted)
    blind = keyed_classes(dataset, example, 1.0, None, blind=True)
    assert blind[0] == example.label and blind == keyed_classes(dataset, run.card(7 + CLASSES), 1.0, None, blind=True)


def test_where_there_is_a_key_for_every_class_their_order_stays(filled):
    example = filled.run.card(0)
    assert keyed_classes(filled.dataset, example, 1.0, None) == tuple(filled.dataset.classes)


def test_pages_are_calm_and_tables_of_commands_keep_their_texts(many, open_page, monkeypatch):
    workspace, dataset, run = many
    monkeypatch.setenv("DIET_EXPLORER_HOME", workspace.settings.home)
    for page in ("datasets", "browse", "distributions"):
        app = open_page(page, dataset=dataset.id, run=run.id)
        assert_calm(app)
    assert LONG not in words_on(open_page("browse", run=run.id, example="0")).replace(f'title="{LONG}"', "")
    ranked = inside("rank", run.id, "--label", LONG, "--top", "3", home=workspace.settings.home)
    lines = ranked.stdout.splitlines()
    assert len(lines) == 5 and all("how do I ask about" in line for line in lines[2:])
    listed = inside("rank", run.id, "--label", LONG, "--top", "1", "--json", home=workspace.settings.home)
    assert LONG in json.dumps(json.loads(listed.stdout))


def test_a_chart_of_shares_shows_the_classes_that_differ_most(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "diet_explorer.ui.distributions.charts.draw_chart", lambda figure, **_: drawn.extend(figure.data)
    )
    monkeypatch.setattr("diet_explorer.ui.distributions.charts.layout", lambda *_, **__: {})
    monkeypatch.setattr("diet_explorer.ui.distributions.charts.axis", lambda *_, **__: {})
    rows = [("1", f"c{n}", 50 if n == 20 else 1) for n in range(CLASSES)] + [
        ("all", f"c{n}", 10) for n in range(CLASSES)
    ]
    worst_balance(pd.DataFrame(rows, columns=["group", "label", "count"]), {}, named="c29", title="", note="", key="k")
    names = [entry.name for entry in drawn]
    assert len(names) == 9 and {"c20", "c29"} < set(names) and names[-1] == "22 other classes"
    assert sum(sum(entry.y) for entry in drawn) == pytest.approx(2.0)
