"""Further columns on the card: every digit, long lists and texts short."""

import json

import pytest

from diet_explorer.ui.examples.facts import facts_html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1152921504606846977", "<dd>1152921504606846977</dd>"),
        ("2024", "<dd>2024</dd>"),
        (None, "<dd>–</dd>"),
        ("", "<dd></dd>"),
        ("<b>", "<dd>&lt;b&gt;</dd>"),
        ("[1, 2]", "<dd>[1, 2]</dd>"),
        ("[not a list", "<dd>[not a list</dd>"),
    ],
)
def test_short_values_are_as_written(text, shown):
    assert shown in facts_html({"name": text})


def test_a_vector_is_cut():
    html = facts_html({"embedding": json.dumps([0.125] * 384)})
    assert html.count("0.125") == 8 and "… 384 numbers]" in html


def test_a_long_text_is_folded_and_whole():
    text = "word " * 200
    html = facts_html({"note": text})
    assert "<details><summary>" in html and text in html and "880 more characters" in html


def test_a_long_list_of_texts_is_cut():
    assert "… 13 values]" in facts_html({"tags": json.dumps(["a"] * 13)})
