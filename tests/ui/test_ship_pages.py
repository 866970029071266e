"""The pages that ship: empty states, tabs, refusals, links, and sets without a test split."""

import pytest

from diet_explorer.pruning.policies import POLICY_KINDS, Policy
from diet_explorer.training.config import RunConfig
from diet_explorer.ui.shell.view import View
from tests.synthetic import write_scores
from tests.ui.conftest import ROWS, assert_calm, control, examples_table, parameter, words_on


@pytest.mark.parametrize("page", ["prune", "proof"])
def test_an_empty_workspace_says_what_will_be_here_and_leads_to_it(empty, open_page, page):
    app = open_page(page)
    assert_calm(app)
    assert "will be here" in words_on(app)
    assert app.button(key="empty-action").label == "Go to Home"


def test_every_kind_shows_what_it_does_and_only_its_own_settings(filled, open_page):
    app = open_page("prune", run=filled.run.id, policy="duplicates", minimum="2")
    for kind in POLICY_KINDS:
        control(app.selectbox, "policy-kind").select(kind).run()
        assert_calm(app)
        assert not app.error
        policy = Policy.from_query({key: parameter(app, key) for key in app.query_params})
        assert policy.kind == kind and policy.minimum_per_class == 2
        plan = filled.run.pruning.plan(policy)
        assert f"<b>{len(plan.rows)}</b><span>examples stay" in words_on(app)
        shown = {str(field.key).removeprefix("policy-").rsplit("-", 1)[0] for field in app.number_input}
        fields = ("drop_hardest", "drop_easiest", "keep", "strata", "seed", "minimum_per_class")
        assert shown == {name for name in fields if policy.uses(name)}


def test_a_refusal_names_its_numbers_and_texts_stay_texts(filled, open_page):
    app = open_page("prune", run=filled.run.id, policy="window", hardest="60", minimum="30")
    assert_calm(app)
    assert "30" in app.error[0].value
    app = open_page("prune", run=filled.run.id, policy="window", hardest="50", easiest="40", tab="cut")
    assert_calm(app)
    assert "<script>" not in words_on(app)
    app = open_page("prune", run=filled.run.id, policy="window", hardest="much")
    assert "cannot be read" in app.error[0].value


def test_a_policy_in_a_view_comes_back_from_its_link():
    view = View(run="r", score="margin", seed=1, policy=Policy("stratified", keep=40, drop_hardest=5, deduplicate=True))
    assert View.from_query(view.to_query()) == view


@pytest.mark.parametrize("part", ["train", "test"])
def test_without_a_test_split_a_hold_out_is_offered(empty, open_page, tmp_path, part):
    table = examples_table().head(ROWS - 2).assign(part="train")
    table.loc[:9, "part"] = part
    table.to_csv(tmp_path / "own.csv", index=False)
    dataset = empty.import_dataset(tmp_path / "own.csv", text="review", label="verdict", id="key", split="part")
    config = RunConfig(dataset_id=dataset.id, epochs=1, seeds=1, checkpoints=(1.0,))
    run = empty.create_run(config, name="a run", origin="job")
    codes = dataset.examples()["label"].map(dataset.classes.index)
    write_scores(empty.context.files, dataset.manifest, run.id, 0, 1.0, (codes.to_numpy()[:, None] == [0, 1]) * 1.0)
    app = open_page("proof", run=run.id)
    assert_calm(app)
    if part == "test":
        assert app.button(key="start-proof").label == "Start proof"
        assert "always trained along" in words_on(app)
    else:
        assert app.button(key="start-hold-out").label == "Score with a hold-out"


def test_a_proof_that_goes_on_until_it_decides_says_what_it_takes_and_what_its_intervals_are(
    own, open_page, monkeypatch
):
    monkeypatch.setattr("diet_explorer.jobs.queue.JobQueue.submit", lambda *_: None)
    app = open_page("proof", run=own.run.id)
    app.multiselect(key="proof-shares").set_value([50.0])
    app.multiselect(key="proof-policies").set_value(["Keep the easiest"]).run()
    assert "<b>9</b><span>trainings at most" in words_on(app)
    app.toggle(key="proof-until-decided").set_value(True).run()
    assert_calm(app)
    # one policy at one share has three comparisons, the first of which can be decided after four seeds
    assert "<b>60</b><span>trainings at most; 12 if all is clear" in words_on(app)
    app.number_input(key="proof-most-seeds").set_value(3).run()
    assert "can be decided" in app.error[0].value and app.button(key="start-proof").disabled
    app.number_input(key="proof-most-seeds").set_value(6)
    app.number_input(key="proof-precision").set_value(1.0).run()
    app.button(key="start-proof").click().run()
    assert_calm(app)
    (proof,) = own.run.proofs.list()
    assert (proof.seeds, proof.until_decided) == (6, 1.0)
    assert "2 of at most 18 trainings" in proof.progress().describe()
    assert "until decided, at most 6 seeds" in words_on(app)
    assert "may be looked at at any time" in words_on(app) and "3 comparisons (Bonferroni)" in words_on(app)
    app = open_page("proof", run=own.run.id, proof=proof.id, tab="trainings")
    assert_calm(app)
    assert "wait and are left out as soon as all is decided" in words_on(app)
