"""Datasets: upload or path, mapping, report, import, and nothing left behind."""

from pathlib import Path

import pytest

from tests.ui.conftest import HOSTILE, assert_calm, control, examples_table, parameter, words_on


def csv_file(folder: Path) -> Path:
    path = folder / "my reviews.csv"
    examples_table().to_csv(path, index=False)
    return path


def choose_path(app, path):
    app.segmented_control(key="source-kind").set_value("path").run()
    return app.text_input(key="source-path").set_value(str(path)).run()


def test_an_empty_workspace_offers_to_add_a_dataset(empty, open_page):
    app = open_page("datasets")
    assert_calm(app)
    assert control(app.segmented_control, "datasets-tabs").value == "add"
    assert "What is needed" in words_on(app)


def test_path_mapping_report_import(empty, open_page, tmp_path):
    app = choose_path(open_page("datasets"), csv_file(tmp_path))
    assert_calm(app)
    for role, column in (("text", "review"), ("label", "verdict"), ("id", "key"), ("split", "part")):
        control(app.selectbox, f"map-{role}").select(column)
    app.run()
    assert_calm(app)
    text = words_on(app)
    assert "usable rows of 160" in text
    assert "empty text: 1" in text and "empty label: 1" in text
    control(app.text_input, "dataset-name").set_value("mine").run()
    app.button(key="import-dataset").click().run()
    assert_calm(app)
    (dataset,) = empty.datasets()
    assert (dataset.name, dataset.rows) == ("mine", 158)
    assert parameter(app, "dataset") == dataset.id
    assert [list(frame.value["Line"]) for frame in app.dataframe if "Line" in frame.value] == [[160, 161]]


def test_an_upload_is_removed_after_the_import(empty, open_page, tmp_path):
    app = open_page("datasets")
    content = csv_file(tmp_path).read_bytes()
    app.file_uploader(key="upload").set_value(("films & more.csv", content, "text/csv")).run()
    assert_calm(app)
    folder = empty.settings.home_folder / "uploads"
    assert [path.name for path in folder.glob("*/*")] == ["films & more.csv"]
    control(app.selectbox, "map-text").select("review")
    control(app.selectbox, "map-label").select("verdict").run()
    app.button(key="import-dataset").click().run()
    assert_calm(app)
    assert [dataset.rows for dataset in empty.datasets()] == [158]
    assert list(folder.iterdir()) == []


def test_an_upload_that_is_taken_back_is_removed(empty, open_page, tmp_path):
    app = open_page("datasets")
    app.file_uploader(key="upload").set_value(("a.csv", b"text,label\na b,x\nc d,y\n", "text/csv")).run()
    app.file_uploader(key="upload").set_value(None).run()
    assert_calm(app)
    assert list((empty.settings.home_folder / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "empty"),
        ("latin.csv", "text,label\nna\xefve caf\xe9,x\nb,y\n".encode("latin-1"), "UTF-8"),
        ("notes.docx.parquet", b"PK nonsense", "Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(empty, open_page, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    app = choose_path(open_page("datasets"), path)
    assert_calm(app)
    assert message.lower() in app.error[0].value.replace("\\", "").lower()
    assert not [button for button in app.button if button.key == "import-dataset"]


def test_an_empty_upload_says_so(empty, open_page):
    app = open_page("datasets")
    app.file_uploader(key="upload").set_value(("nothing.csv", b"", "text/csv")).run()
    assert_calm(app)
    assert "nothing.csv is empty" in app.error[0].value.replace("\\", "")


def test_one_class_refuses_the_import(empty, open_page, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("text,label\nsome words,x\nother words,x\nmore words,x\n")
    app = choose_path(open_page("datasets"), path)
    assert_calm(app)
    assert app.button(key="import-dataset").disabled
    assert "de-refusal" in words_on(app)


def test_a_column_in_two_roles_is_named(empty, open_page, tmp_path):
    app = choose_path(open_page("datasets"), csv_file(tmp_path))
    control(app.selectbox, "map-text").select("review")
    control(app.selectbox, "map-label").select("review").run()
    assert_calm(app)
    assert "mapped to both" in app.error[0].value.replace("\\", "")


def test_the_report_of_a_dataset_lists_what_was_set_aside(filled, open_page):
    app = open_page("datasets")
    assert_calm(app)
    text = words_on(app)
    assert "usable rows of 160" in text
    assert "<i>&" not in text
    (table,) = [frame.value for frame in app.dataframe if "Line" in frame.value]
    assert list(table["Reason"]) == ["empty text", "empty label"]
    assert HOSTILE not in text
    app.button(key="score-dataset").click().run()
    assert_calm(app)
    assert control(app.segmented_control, "score-tabs").value == "new"


def test_a_first_line_that_looks_like_a_row_is_asked_about(empty, open_page, tmp_path):
    path = tmp_path / "news.csv"
    path.write_text("".join(f"{'ab'[n % 2]},some words of a text {n}\n" for n in range(60)))
    app = choose_path(open_page("datasets"), path)
    assert_calm(app)
    question = next(radio for radio in app.radio if "header" in radio.label)
    assert question.value is False
    assert "usable rows of 60" in words_on(app)
    assert "column 1" in words_on(app)
    question.set_value(True).run()
    assert_calm(app)
    assert "usable rows of 59" in words_on(app)
    next(radio for radio in app.radio if "header" in radio.label).set_value(False).run()
    app.button(key="import-dataset").click().run()
    assert_calm(app)
    assert [dataset.rows for dataset in empty.datasets()] == [60]


def test_the_encoding_is_asked_for_below_the_message(empty, open_page):
    rows = "".join(f"words {n} caf\xe9,{'ab'[n % 2]}\n" for n in range(40))
    app = open_page("datasets")
    app.file_uploader(key="upload").set_value(("spam.csv", ("text,label\n" + rows).encode("cp1252"), "text/csv")).run()
    message = app.error[0].value.replace("\\", "")
    assert "The file spam.csv is not UTF-8 text" in message
    assert control(app.selectbox, "ask-encoding-box").value == "cp1252"
    assert "<td>words 0 café,a</td>" in words_on(app), "it shows how the file reads then"
    app.button(key="read-encoding").click().run()
    assert_calm(app)
    assert "usable rows of 40" in words_on(app)
    app.button(key="import-dataset").click().run()
    (dataset,) = empty.datasets()
    assert dataset.manifest.source["location"] == "spam.csv"


def test_labels_that_are_none_are_left_out_by_a_click(empty, open_page, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("text,label\n" + "".join(f"words {n},{n % 3 - 1}\n" for n in range(60)))
    app = choose_path(open_page("datasets"), path)
    assert_calm(app)
    assert "looks like a missing value" in words_on(app)
    control(app.button_group, "skip-labels").set_value(["-1"]).run()
    assert_calm(app)
    assert "label left out: 20" in words_on(app)
    app.button(key="import-dataset").click().run()
    assert [dataset.classes for dataset in empty.datasets()] == [["0", "1"]]


def test_a_folder_of_parts_without_headers_has_the_same_controls_as_a_file(empty, open_page, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for part in ("train", "test"):
        rows = "".join(f"{part}{n};some words of {part} {n};{'ab'[n % 2]}\n" for n in range(20))
        (folder / f"{part}.csv").write_text(rows)
    app = open_page("datasets")
    app.segmented_control(key="source-kind").set_value("path").run()
    app.text_input(key="source-path").set_value(str(folder)).run()
    assert_calm(app)
    assert control(app.radio, "header-answer").value is False
    assert control(app.selectbox, "reading-delimiter").value is None
    control(app.text_input, "names").set_value("id, text, label").run()
    assert_calm(app)
    app.button(key="import-dataset").click().run()
    (dataset,) = empty.datasets()
    assert (dataset.rows, dataset.classes) == (40, ["a", "b"])


def votes_file(folder: Path) -> Path:
    path = folder / "votes.csv"
    votes = ["yes,yes,no", "no,no,no", "yes,no,", ",,"]
    path.write_text("text,ann,bob,cy\n" + "".join(f"words {n},{votes[n % 4]}\n" for n in range(24)))
    return path


def test_labels_by_several_people(empty, open_page, tmp_path):
    app = choose_path(open_page("datasets"), votes_file(tmp_path))
    control(app.segmented_control, "label-kind").set_value("Labels by several people").run()
    assert_calm(app)
    assert "Which column is which?" in words_on(app)
    control(app.multiselect, "map-annotators").set_value(["ann"]).run()
    assert "one label per row" in app.error[0].value
    control(app.multiselect, "map-annotators").set_value(["ann", "bob", "cy"]).run()
    assert_calm(app)
    text = words_on(app)
    assert "of the rows not unanimous · 12" in text and "ties, decided by who is first" in text
    (preview,) = [frame.value for frame in app.dataframe if "→ Label" in frame.value]
    assert list(preview["→ Label"][:4]) == ["yes", "no", "yes", "–"]
    assert list(preview["→ Say otherwise"][:4]) == ["33.3 %", "0.0 %", "50.0 %", "–"]
    control(app.checkbox, "skip-ties").check().run()
    assert "tie between people: 6" in words_on(app)
    control(app.checkbox, "skip-ties").uncheck().run()
    app.button(key="import-dataset").click().run()
    assert_calm(app)
    (dataset,) = empty.datasets()
    assert (dataset.manifest.mapping.annotators, dataset.rows) == (("ann", "bob", "cy"), 18)
    text = words_on(app)
    assert "labels by ann · bob · cy" in text and "of the rows not unanimous · 12" in text and "Say the label" in text


def test_beside_several_people_the_label_may_be_a_column(empty, open_page, tmp_path):
    app = choose_path(open_page("datasets"), votes_file(tmp_path))
    control(app.segmented_control, "label-kind").set_value("Labels by several people").run()
    control(app.multiselect, "map-annotators").set_value(["bob", "cy"]).run()
    control(app.selectbox, "map-further-label").select("ann").run()
    assert_calm(app)
    assert "The label is column ann" in words_on(app)
    assert not [box for box in app.checkbox if str(box.key).startswith("skip-ties")]
    control(app.segmented_control, "label-kind").set_value("One label per row").run()
    assert_calm(app)
    assert "several people" not in words_on(app).replace("Labels by several people", "")
