"""The search against a slow matcher, on texts and queries made to hurt."""

import os
import shutil
import subprocess
import sys
import threading
import unicodedata
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diet_explorer.analysis.search import index as search_index
from diet_explorer.analysis.search.index import TextSearch
from diet_explorer.analysis.search.language import hit_spans, parse_query
from diet_explorer.errors import BadInputError
from diet_explorer.store.files import Files
from tests.synthetic import write_dataset
from tests.waiting import until

# ligature, sharp s, dotted I, final sigma, accents in one and two characters, soft hyphen, joiners, emoji with a
# variation selector, flags, scripts with and without spaces, characters of query languages, markup, controls
HOSTILE = [
    *"aAbé²½ßİςσ_-*\"'()[]{}:^~+!?/\\|&.<>%;#\t\n\u00a0\u2003\x00\ufeff",
    *(
        "e\u0301",
        "ﬁ",
        "\u00ad",
        "\u200d",
        "❤\ufe0f",
        "😀",
        "🇩🇪",
        "日本",
        "カ",
        "ｶ",
        "ー",
        "हिन्दी",
        "ไทย",
        "한",
        "مرحبا",
    ),
    *("NOT ", " AND ", " OR ", "text:", "a*", "<b>", "  ", "a b", "ab", "b a"),
]
UNSPACED = [(0x2E80, 0x30FA), (0x30FF, 0x9FFF), (0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x20000, 0x3FFFF)]
hostile_texts = st.lists(st.sampled_from(HOSTILE), max_size=12).map("".join)


@cache
def slow_words(text: str) -> list[str]:
    seen = "".join(c for c in text if unicodedata.category(c) != "Cf" and not 0xFE00 <= ord(c) <= 0xFE0F)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", seen).casefold())
    words = [""]
    for character in folded:
        category = unicodedata.category(character)
        if category == "So" or any(low <= ord(character) <= high for low, high in UNSPACED):
            words += [character, ""] if category != "Zs" else [""]
        elif category[0] in "LMN":
            words[-1] += character
        else:
            words.append("")
    return [word for word in words if word]


def slow_match(texts: list[str], terms: list[tuple[str, bool, bool]]) -> bool:
    """Whether texts meet terms (words as written, prefix, negated); a phrase lies in one text."""
    for written, prefix, negated in terms:
        wanted = slow_words(written)
        matches = False
        for text in texts:
            words = slow_words(text)
            for start in range(len(words) - len(wanted) + 1):
                part = words[start : start + len(wanted)]
                last = part[-1].startswith(wanted[-1]) if prefix else part[-1] == wanted[-1]
                matches |= part[:-1] == wanted[:-1] and last
        if matches == negated:
            return False
    return True


def written_query(terms: list[tuple[str, bool, bool]], negations: list[str]) -> str:
    parts = []
    for (written, prefix, negated), negation in zip(terms, negations, strict=True):
        parts.append(f'{negation if negated else ""}"{written}{"*" if prefix else ""}"')
    return " ".join(parts)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Texts of which a third have a second one, and a search over them."""
    rng = np.random.default_rng(4)
    texts = ["".join(rng.choice(HOSTILE, rng.integers(0, 14))) for _ in range(300)]
    pairs = ["".join(rng.choice(HOSTILE, rng.integers(0, 8))) if row % 3 == 0 else "" for row in range(300)]
    folder = tmp_path_factory.mktemp("search")
    files = Files(folder / "home")
    manifest = write_dataset(files, texts, np.zeros(300, int), ["no", "yes"], pairs=pairs)
    return TextSearch(files, manifest, folder), texts, pairs


term = st.tuples(
    hostile_texts.map(lambda text: text.replace('"', "").replace("*", "")).filter(slow_words),
    st.booleans(),
    st.sampled_from([False, False, True]),
)


@given(terms=st.lists(term, min_size=1, max_size=3), data=st.data())
def test_the_index_finds_what_a_slow_matcher_finds(corpus, terms, data):
    search, texts, pairs = corpus
    negations = data.draw(st.lists(st.sampled_from(["-", "NOT "]), min_size=len(terms), max_size=len(terms)))
    expected = [row for row in range(300) if slow_match([texts[row], pairs[row]], terms)]
    rows = search.rows(written_query(terms, negations))
    assert rows.dtype == np.int32 and rows.tolist() == expected


@given(query=hostile_texts)
def test_no_query_is_wrong_and_plain_ones_are_words_that_all_occur(corpus, query):
    search, texts, pairs = corpus
    rows = search.rows(query).tolist()
    if not slow_words(query):
        assert rows == []
    elif not any(character in query for character in '-*"') and "NOT" not in query:
        terms = [(word, False, False) for word in query.split() if slow_words(word)]
        assert rows == [row for row in range(300) if slow_match([texts[row], pairs[row]], terms)]


@given(terms=st.lists(term, min_size=1, max_size=3), text=hostile_texts)
def test_hits_are_marked_where_they_are(terms, text):
    terms = [(written, prefix, False) for written, prefix, _ in terms]
    spans = hit_spans(text, written_query(terms, [""] * len(terms)))
    flat = [end for span in spans for end in span]
    assert flat == sorted(flat) and all(0 <= start < end <= len(text) for start, end in spans)
    assert bool(spans) == any(slow_match([text], [one]) for one in terms)


def test_the_language_by_example(tmp_path):
    texts = [
        "A GOOD film, well-made; Straße.",
        "goodness! not a film at all",
        "Well... made of good stuff (cafe\u0301)",
        "很好吃的日本料理",
        "so ❤️ much",
        f"a word of {'x' * 70_000} letters, more than any index takes",
    ]
    search = TextSearch(
        Files(tmp_path), write_dataset(Files(tmp_path), texts, [0] * 6, ["no", "yes"]), tmp_path / "scratch"
    )
    cases = {
        "good": [0, 2],
        "GOOD film": [0],
        "goo*": [0, 1, 2],
        "good -film": [2],
        "goo* NOT film": [2],
        "NOT good": [1, 3, 4, 5],
        "not film": [1],
        '"well made"': [0, 2],
        "well-made": [0, 2],
        '"made well"': [],
        '-"well made" film': [1],
        '"good fil*"': [0],
        "STRASSE": [0],
        "café": [2],
        "日本": [3],
        "x" * 70_000: [5],
        "x" * 5_000 + "*": [5],
        "本日": [],
        "❤": [4],
        '"unclosed good': [],
        "?!": [],
        "": [],
    }
    assert {query: search.rows(query).tolist() for query in cases} == cases
    wanted = [term for term in parse_query('good "Well-made film" ca* -no NOT "x y" !!') if not term.negated]
    assert [(" ".join(term.words), term.prefix) for term in wanted] == [
        ("good", False),
        ("well made film", False),
        ("ca", True),
    ]
    assert [texts[2][start:end] for start, end in hit_spans(texts[2], 'café "well made" goo* -of')] == [
        "Well... made",
        "good",
        "cafe\u0301",
    ]


def test_every_row_of_many_comes_back_whatever_their_number(tmp_path, monkeypatch):
    monkeypatch.setattr(search_index, "MAX_BLOCKS", 7)  # as beyond three million rows: asked for in several parts
    rng = np.random.default_rng(0)
    rare, common = rng.random(3000) < 0.01, rng.random(3000) < 0.9
    texts = [
        f"{'rare ' * int(r)}{'common ' * int(c)}word{row}" for row, (r, c) in enumerate(zip(rare, common, strict=True))
    ]
    files = Files(tmp_path)
    search = TextSearch(files, write_dataset(files, texts, [0] * 3000, ["no", "yes"]), tmp_path / "scratch")
    for query, expected in {"rare": rare, "common": common, "-common": ~common, "word*": rare | True}.items():
        np.testing.assert_array_equal(search.rows(query), np.flatnonzero(expected), query)
        np.testing.assert_array_equal(search.mask(query), expected, query)
    search.mask("rare")[:] = True  # an answer is the caller's own
    np.testing.assert_array_equal(search.mask("rare"), rare)


def test_a_phrase_whose_end_is_too_short_is_told_with_a_remedy(tmp_path):
    files = Files(tmp_path)
    texts = [" ".join(f"a{number:05d}" for number in range(start, start + 200)) for start in range(0, 20_000, 200)]
    search = TextSearch(files, write_dataset(files, texts, [0] * len(texts), ["no", "yes"]), tmp_path)
    with pytest.raises(BadInputError, match="Too many words") as refusal:
        search.rows('"a00001 a*"')
    assert "more letters" in refusal.value.remedy
    assert search.rows('"a00001 a0000*"').tolist() == [0]
    assert len(search.rows("a*")) == len(texts)


def test_an_index_that_is_missing_damaged_old_or_cut_off_is_made_anew(tmp_path):
    files = Files(tmp_path)
    manifest = write_dataset(files, ["one two", "two three"], [0, 1], ["no", "yes"])
    folder = tmp_path / "datasets" / "made-up" / "search"
    shares = []
    TextSearch(files, manifest, tmp_path).build(lambda share, _: shares.append(share))
    assert shares[-1] == 1.0
    TextSearch(files, manifest, tmp_path).build(lambda share, _: shares.append("again"))
    assert shares[-1] == 1.0

    def damage() -> None:
        (folder / "meta.json").write_bytes(b"{")

    def age() -> None:
        (folder / "format.json").write_text('{"format": 0}')

    for harm in (damage, age, lambda: shutil.rmtree(folder)):
        harm()
        assert TextSearch(files, manifest, tmp_path).rows("two -one").tolist() == [1]
    killed = (
        "import os, sys\n"
        "from diet_explorer.analysis.search.index import TextSearch\n"
        "from diet_explorer.data.manifest import DatasetManifest\n"
        "from diet_explorer.store.files import Files\n"
        "files = Files(sys.argv[1])\n"
        "search = TextSearch(files, DatasetManifest.load(files, 'made-up'), files.root)\n"
        "search.build(lambda share, words: os.kill(os.getpid(), 9))\n"
    )
    shutil.rmtree(folder)
    done = subprocess.run([sys.executable, "-c", killed, str(tmp_path)], env={**os.environ}, check=False)
    assert done.returncode == -9 and not folder.exists()
    assert TextSearch(files, manifest, tmp_path).rows("two -one").tolist() == [1]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are listed on Linux only")
def test_a_searched_index_puts_no_lock_file_into_a_folder_that_is_being_removed(tmp_path):
    files = Files(tmp_path)
    manifest = write_dataset(files, ["one two", "two three"], [0, 1], ["no", "yes"])
    folder = tmp_path / "datasets" / "made-up" / "search"
    search = TextSearch(files, manifest, tmp_path)
    assert search.rows("two -one").tolist() == [1]

    def looks() -> dict[Path, int]:
        """How often each of tantivy's watchers has slept; it looks at its folder in between."""
        counts = {}
        for task in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # it ends meanwhile
                if "tantivy" in (task / "comm").read_text():
                    status = (task / "status").read_text()
                    counts[task] = int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
        return counts

    (folder / ".tantivy-meta.lock").unlink()
    (folder / "meta.json").write_text((folder / "meta.json").read_text() + " ")
    before = looks()
    until(
        lambda: all(count >= before.get(task, 0) + 4 for task, count in looks().items()), "all have looked", seconds=30
    )
    assert not (folder / ".tantivy-meta.lock").exists()
    assert search.rows("one").tolist() == [0]


def test_a_remote_workspace_is_searched_by_an_index_in_the_scratch_folder(tmp_path):
    files = Files("memory://search-test")
    manifest = write_dataset(files, ["one two", "two three"], [0, 1], ["no", "yes"])
    search = TextSearch(files, manifest, tmp_path / "scratch")
    results: list[list[int]] = []
    threads = [threading.Thread(target=lambda: results.append(search.rows("three").tolist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[1]] * 4
    assert (tmp_path / "scratch" / "search" / "made-up" / "format.json").exists()


def test_pairs_are_searched_in_both_texts_but_phrases_in_one(corpus):
    search, texts, pairs = corpus
    both = [row for row in range(300) if slow_match([texts[row], pairs[row]], [("ab", False, False)])]
    first = [row for row in range(300) if slow_match([texts[row]], [("ab", False, False)])]
    assert search.rows("ab").tolist() == both and set(first) < set(both)
