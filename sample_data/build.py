"""Build the sample sets of this folder, the same bytes every time.

Usage: ``python sample_data/build.py PATH/TO/movie_snippets_human.csv.gz``
"""

from __future__ import annotations

import argparse
import csv
import gzip
import random
from pathlib import Path

from sentence_pairs import build_pairs

SEED = 20221107
TRAIN_ROWS = 1_250
TEST_ROWS = 250
CONTRADICTED_IN_TRAIN = 75

Row = dict[str, str]


def is_contradicted(row: Row) -> bool:
    """Whether most raters with an opinion are on the other side of the published label."""
    positive, negative = int(row["raters_positive"]), int(row["raters_negative"])
    return negative > positive if row["label"] == "positive" else positive > negative


def draw_like(rows: list[Row], count: int, population: list[Row], rng: random.Random) -> list[Row]:
    """Draw `count` of `rows` at random, with the class shares of `population`."""
    share = sum(row["label"] == "positive" for row in population) / len(population)
    positives = round(count * share)
    drawn = []
    for label, wanted in (("positive", positives), ("negative", count - positives)):
        drawn += rng.sample([row for row in rows if row["label"] == label], wanted)
    return drawn


def build_snippets(source: Path) -> list[Row]:
    """Draw the movie snippets: a plain random test split, and a train split rich in contradicted labels."""
    with gzip.open(source, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rng = random.Random(SEED)
    test = draw_like(rows, TEST_ROWS, rows, rng)
    taken = {row["id"] for row in test}
    rest = [row for row in rows if row["id"] not in taken]
    contradicted = [row for row in rest if is_contradicted(row)]
    agreed = [row for row in rest if not is_contradicted(row)]
    train = rng.sample(contradicted, CONTRADICTED_IN_TRAIN)
    train += draw_like(agreed, TRAIN_ROWS - CONTRADICTED_IN_TRAIN, rows, rng)
    sample = [{**row, "split": "train"} for row in train] + [{**row, "split": "test"} for row in test]
    rng.shuffle(sample)
    return sample


def write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="movie_snippets_human.csv.gz")
    folder = Path(__file__).parent
    write_csv(folder / "movie_snippets.csv", build_snippets(parser.parse_args().source))
    write_csv(folder / "sentence_pairs.csv", build_pairs(SEED))


if __name__ == "__main__":
    main()
