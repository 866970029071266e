"""Markup in a text is shown as text, on the card, in the table, in messages and in files for spreadsheets."""

import html
import io
import re
import unicodedata

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.data.formulas import FORMULA
from diet_explorer.drawing.plain import in_chart, name_in_chart, visible
from diet_explorer.scoring import catalogue
from diet_explorer.ui.drawing.csv_download import safe_csv
from diet_explorer.ui.drawing.markup import chip, help_mark, highlighted
from diet_explorer.ui.drawing.table import table_lines
from diet_explorer.ui.shell.boundary import as_text

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
TEXTS = st.text(st.sampled_from("<>&\"'ab cß=İ"), max_size=30)


def without_marks(markup: str) -> str:
    return re.sub("</?mark>", "", markup)


@given(TEXTS, TEXTS)
def test_highlighting_keeps_the_text_and_adds_only_marks(text, query):
    markup = highlighted(text, query)
    assert html.unescape(without_marks(markup)) == text
    assert re.sub("</?mark>", "", markup).count("<") == 0


def test_every_occurrence_is_marked_whatever_its_case():
    assert highlighted("A film, a FILM & <film>", "film") == (
        "A <mark>film</mark>, a <mark>FILM</mark> &amp; &lt;<mark>film</mark>&gt;"
    )


def test_a_query_is_no_regular_expression():
    assert highlighted("a.b axb", "a.b") == "<mark>a.b</mark> axb"


@given(TEXTS)
def test_names_cannot_leave_their_attribute_or_element(text):
    for markup in (chip(text, "#000000"), help_mark(text)):
        assert html.escape(text) in markup
    inside = re.fullmatch(r'<span [^>]*aria-label="([^"]*)" data-help="([^"]*)">\?</span>', help_mark(text))
    assert inside and html.unescape(inside[1]) == text


@given(st.text(st.sampled_from("*_[]()`$:<>#~|\\a "), max_size=20))
def test_messages_escape_every_sign_that_markdown_reads(text):
    assert re.sub(r"\\(.)", r"\1", as_text(text)) == text
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_\[\]`$:<>#~|]", as_text(text))


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8))
def test_no_cell_of_a_download_begins_like_a_formula(texts):
    table = pd.DataFrame({"=name": texts, "value": [-1.5] * len(texts)})
    read = pd.read_csv(io.BytesIO(safe_csv(table)), keep_default_na=False, dtype=str)
    assert read.columns[0] == "'=name"
    assert list(read["value"]) == ["-1.5"] * len(texts)
    for before, after in zip(texts, read["'=name"], strict=True):
        assert not after.startswith(FORMULA_STARTS)
        again = after[1:] if re.match(FORMULA, after) else after  # the apostrophe can be taken away again
        assert again.replace("\r\n", "\n").replace("\r", "\n") == before.replace("\r\n", "\n").replace("\r", "\n")


def test_table_lines_carry_texts_as_they_are_and_cut_long_ones():
    row = {"row": 4, "rank": 1234, "text": "<b>" + "x" * 5000, "label": "a", "predicted": "b", "p_label": 0.25}
    frame = pd.DataFrame([{**row, "el2n": 1.23456}])
    line = table_lines(frame, catalogue.score("el2n"), {"a": "#111111"}, spread=False)[0]
    ((text,),) = line["texts"]
    assert text.startswith("<b>xxx") and len(text) < 1000
    assert (line["rank"], line["score"], line["differs"], line["label_colour"]) == ("1,234", "1.235", True, "#111111")


SIGNS = st.text(
    st.sampled_from(
        "a b\n\t\r\x00\x1b\x7f\x85\u00ad\u061c\u200b\u200c\u200d\u200e\u202e\u2066\u2069\ufeffقé👩\U000e0041"
    )
)


@given(SIGNS)
def test_no_character_stays_that_hides_or_turns_text(text):
    shown = visible(text)
    for before, sign, after in zip(" " + shown, shown, shown[1:] + " ", strict=False):
        kind = unicodedata.category(sign)
        joins = sign in "\u200c\u200d" and before > "\x7f" and after > "\x7f"
        assert kind not in ("Cc", "Cf", "Zl", "Zp") or sign in "\t\n" or (sign == "\r" and after == "\n") or joins
    assert visible(shown) == shown


def test_hidden_characters_are_written_out_and_the_scripts_that_need_joiners_keep_them():
    assert visible("\x1b[31mred\x00\x00\x00") == "␛[31mred␀⟦× 3⟧"
    assert visible("user\u202egnp.exe") == "user⟦U+202E⟧gnp.exe"
    assert visible("pay\u200dpal" + "\u200b" * 1000) == "pay⟦U+200D⟧pal⟦U+200B × 1,000⟧"
    for text in ("👩\u200d👩\u200d👧", "می\u200cخواهم", "line\r\nline\tend", "naïve \u0301"):
        assert visible(text) == text


@given(st.text(st.sampled_from("<>&%{}b\u202e"), max_size=20))
def test_a_name_in_a_chart_is_neither_markup_nor_template(text):
    assert html.unescape(in_chart(text)) == visible(text)
    assert not re.search(r"<|%\{", in_chart(text))
    assert len(html.unescape(name_in_chart(text * 50))) <= 41
