"""What a user asks for when pruning: one value that the page, the command line, a link and a manifest all hold.

A policy is applied to the training split in a fixed order: first the annotators' decisions, then near-duplicates, then
its own rule on what is left. `pruning.selection` carries it out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import inf, isfinite
from typing import Any, Literal, get_args

from diet_explorer.errors import BadInputError
from diet_explorer.scoring import catalogue

PolicyKind = Literal[
    "window", "hardest", "easiest", "random", "class_balanced", "stratified", "decisions", "duplicates"
]
POLICY_KINDS: tuple[PolicyKind, ...] = get_args(PolicyKind)
KIND_TITLES: dict[PolicyKind, str] = {
    "window": "Sliding window",
    "hardest": "Keep the hardest",
    "easiest": "Keep the easiest",
    "random": "Random",
    "class_balanced": "Window inside each class",
    "stratified": "Stratified coverage",
    "decisions": "Decisions only",
    "duplicates": "Near-duplicates only",
}
KIND_NOTES: dict[PolicyKind, str] = {
    "window": "Drops a share of the hardest and a share of the easiest examples (Fayyaz et al. 2022).",
    "hardest": "Keeps the hardest examples: useful where much is kept and few labels are wrong (Paul et al. 2021).",
    "easiest": "Keeps the easiest examples: drops what is wrong together with what is hard.",
    "random": "Keeps examples drawn at random: the baseline that every other policy has to beat.",
    "class_balanced": "The window inside each class, so that no class is thinned out more than another.",
    "stratified": "Drops the hardest share, then keeps examples from every range of scores (Zheng et al. 2023).",
    "decisions": "Drops and relabels what annotators decided, and nothing else.",
    "duplicates": "Keeps one example of each group of near-duplicates.",
}
MOST_WHOLE = 2**53  # as much as files of every format keep unchanged
MOST_STRATA = 1000
_WINDOWED: tuple[PolicyKind, ...] = ("window", "class_balanced")
_SIZED: tuple[PolicyKind, ...] = ("hardest", "easiest", "random", "stratified")
_SCORED: tuple[PolicyKind, ...] = ("window", "class_balanced", "hardest", "easiest", "stratified")
_KINDS_OF: dict[str, tuple[PolicyKind, ...]] = {
    "drop_hardest": ("window", "class_balanced", "stratified"),
    "drop_easiest": _WINDOWED,
    "keep": _SIZED,
    "size": _SIZED,
    "strata": ("stratified",),
    "seed": ("random", "stratified"),
    "score": _SCORED,
    "checkpoint": _SCORED,
    "run_seed": _SCORED,
}
"""The kinds that a setting means something to; settings that are not named here, to all."""

_KEYS = {
    "kind": "policy",
    "drop_hardest": "hardest",
    "drop_easiest": "easiest",
    "keep": "keep",
    "size": "size",
    "minimum_per_class": "minimum",
    "strata": "strata",
    "seed": "draw",
    "use_decisions": "decisions",
    "deduplicate": "duplicates",
    "score": "score",
    "checkpoint": "checkpoint",
    "run_seed": "seed",
}
"""Settings and their names in a link; the last three are those by which all pages name what is on screen."""

_YES_NO = {"yes": True, "no": False}


@dataclass(frozen=True)
class Policy:
    """How the training split is pruned; percentages are of the training examples left after decisions and duplicates.

    Attributes
    ----------
    kind : str
        One of `POLICY_KINDS`. Each uses some of the settings below; the others must stay as they are by default.
    drop_hardest, drop_easiest : float
        Per cent in [0, 100), together below 100; of each class for ``class_balanced``.
    keep : float
        Per cent in (0, 100].
    size : int or None
        Keep exactly so many training examples, whatever `keep` says.
    minimum_per_class : int
        No class may go below it (or below what it had, if that was less): a policy that would is refused;
        ``class_balanced`` drops less instead.
    strata : int
        Ranges of equal width that ``stratified`` cuts the scores into.
    seed : int
        Of the draw of ``random`` and ``stratified``.
    use_decisions : bool
        Excluded examples go, relabelled ones get their new label; those and the kept ones are dropped by nothing else.
    deduplicate : bool
        One example of each group of near-duplicates stays.
    score : str
        A score of the catalogue.
    checkpoint : float or None
        In epochs; None is the run's default.
    run_seed : int or None
        One seed of the run; None is the mean over its seeds.

    Raises
    ------
    BadInputError
        A setting is out of its range, or means nothing to the kind.
    """

    kind: PolicyKind = "window"
    drop_hardest: float = 0.0
    drop_easiest: float = 0.0
    keep: float = 100.0
    size: int | None = None
    minimum_per_class: int = 1
    strata: int = 50
    seed: int = 0
    use_decisions: bool = True
    deduplicate: bool = False
    score: str = catalogue.DEFAULT_SCORE
    checkpoint: float | None = None
    run_seed: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in POLICY_KINDS:
            raise BadInputError(f"There is no policy {self.kind!r}.", f"Choose one of: {', '.join(POLICY_KINDS)}.")
        for name in ("drop_hardest", "drop_easiest", "keep", "checkpoint"):
            value = getattr(self, name)
            if value is not None:
                try:
                    object.__setattr__(self, name, float(value))  # 70 and 70.0 are one policy, with one key
                except (TypeError, ValueError):
                    raise BadInputError(
                        f"The setting {name} is {value!r}, which is no number.", "Give one, such as 50."
                    ) from None
        self._check_unused()
        _percent("Drop hardest", self.drop_hardest)
        _percent("Drop easiest", self.drop_easiest)
        if not 0 < self.keep <= 100:
            raise BadInputError(f"Keep is {self.keep:g} %.", "Give a share above 0 and up to 100 %.")
        dropped = self.drop_hardest + (self.drop_easiest if self.kind in _WINDOWED else 0.0)
        if dropped >= 100:
            raise BadInputError(
                f"Dropping the hardest {self.drop_hardest:g} % and the easiest {self.drop_easiest:g} % leaves nothing.",
                "Drop less than 100 % in all.",
            )
        for name, value, least in (
            ("size", 1 if self.size is None else self.size, 1),
            ("minimum per class", self.minimum_per_class, 1),
            ("number of strata", self.strata, 1),
            ("seed of the draw", self.seed, 0),
        ):
            if not least <= value <= MOST_WHOLE:
                raise BadInputError(f"The {name} is {value:,}.", f"Give a whole number from {least} to {MOST_WHOLE:,}.")
        if self.strata > MOST_STRATA:
            raise BadInputError(f"The number of strata is {self.strata:,}.", f"Give {MOST_STRATA:,} at most.")
        if self.kind == "decisions" and not self.use_decisions:
            raise BadInputError(
                "A policy of decisions only cannot leave them out.", "Use the decisions, or choose another policy."
            )
        if self.checkpoint is not None and not 0 <= self.checkpoint < inf:
            raise BadInputError(f"The checkpoint is {self.checkpoint:g}.", "Give it in epochs, from 0 on.")
        catalogue.score(self.score)

    @property
    def title(self) -> str:
        """Its kind, as people call it."""
        return KIND_TITLES[self.kind]

    @property
    def needs_scores(self) -> bool:
        """Whether its rule reads a score."""
        return self.kind in _SCORED

    @property
    def drops_duplicates(self) -> bool:
        """Whether one example of each group of near-duplicates stays."""
        return self.deduplicate or self.kind == "duplicates"

    def uses(self, setting: str) -> bool:
        """Whether a setting, by its field's name, means something to this kind."""
        return _uses(self.kind, setting)

    def at_fraction(self, keep: float) -> Policy:
        """The same policy at another share of kept examples, in per cent; a window moves its easy end.

        Raises
        ------
        BadInputError
            The policy has no such share: it keeps what decisions say, or drops more among the hardest alone.
        """
        if self.kind in _SIZED:
            return replace(self, keep=keep, size=None)
        if self.kind in _WINDOWED:
            easiest = round(100 - keep - self.drop_hardest, 9)
            if easiest < 0:
                raise BadInputError(
                    f"Keeping {keep:g} % is not possible after dropping the hardest {self.drop_hardest:g} %.",
                    f"Keep {100 - self.drop_hardest:g} % at most, or drop fewer of the hardest.",
                )
            return replace(self, drop_easiest=easiest)
        raise BadInputError(
            f"The policy {self.title!r} has no share to choose.", "Compare it as it is, or choose another policy."
        )

    def describe(self) -> str:
        """What it does, in one sentence."""
        steps = []
        if self.use_decisions and self.kind != "decisions":
            steps.append("after the annotators' decisions")
        if self.deduplicate and self.kind != "duplicates":
            steps.append("one of each group of near-duplicates")
        if self.minimum_per_class > 1:
            steps.append(f"at least {self.minimum_per_class:,} examples of each class")
        return "; ".join([self._rule(), *steps]) + "."

    def key(self) -> str:
        """SHA-256 of what it says, in hexadecimal; equal policies have equal keys."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """All settings as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Policy:
        """Rebuild a policy from `to_json`'s result.

        Raises
        ------
        BadInputError
            It holds something else than a policy's settings.
        """
        unknown = sorted(value.keys() - {entry.name for entry in fields(cls)})
        if unknown:
            raise BadInputError(
                f"The policy has a setting {unknown[0]!r} that is not known.", "Upgrade diet-explorer, or remove it."
            )
        try:
            return cls(**value)
        except TypeError as error:
            raise BadInputError(f"The policy cannot be read: {error}.", "Choose it again.") from error

    def to_query(self) -> dict[str, list[str]]:
        """URL parameters that `from_query` turns back into an equal policy; defaults are left out."""
        query: dict[str, list[str]] = {_KEYS["kind"]: [self.kind]}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name != "kind" and value != entry.default:
                query[_KEYS[entry.name]] = [_written(value)]
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str | Sequence[str]]) -> Policy:
        """Read URL parameters; unknown keys, and those that mean nothing to the kind, are left alone.

        Raises
        ------
        BadInputError
            A parameter cannot be read; the message names it.
        """
        texts = {name: _last(query[key]) for name, key in _KEYS.items() if query.get(key)}
        kind = texts.pop("kind", "window")
        readers: dict[str, Callable[[str], object]] = {
            "score": str,
            "use_decisions": _read_yes_no,
            "deduplicate": _read_yes_no,
        }
        whole = ("size", "minimum_per_class", "strata", "seed", "run_seed")
        values: dict[str, Any] = {"kind": kind}
        for name, text in texts.items():
            if not _uses(kind, name):
                continue
            read = readers.get(name, int if name in whole else float)
            try:
                values[name] = read(text)
            except ValueError:
                raise BadInputError(
                    f"The policy's {_KEYS[name]}={text!r} cannot be read.", "Correct or remove it, or choose it again."
                ) from None
        return cls(**values)

    @classmethod
    def from_text(cls, text: str) -> Policy:
        """Read a kind and settings as a command line has them, such as ``window:hardest=5:checkpoint=1``.

        The settings have the names of URL parameters: hardest, easiest, keep, size, minimum, strata, draw, decisions,
        duplicates, score, checkpoint, seed.

        Raises
        ------
        BadInputError
            A setting is not known, means nothing to the kind, or cannot be read.
        """
        kind, *settings = (part.strip() for part in text.split(":"))
        query = {"policy": kind}
        names = {key: name for name, key in _KEYS.items() if name != "kind"}
        for setting in settings:
            key, _, value = setting.partition("=")
            if key not in names or not value:
                raise BadInputError(
                    f"The policy {text!r} has a setting {setting!r} that cannot be read.",
                    f"Write it as name=value; the names are: {', '.join(names)}.",
                )
            if kind in POLICY_KINDS and not _uses(kind, names[key]):
                raise BadInputError(
                    f"The policy {kind!r} does not use {key!r}.", "Leave it out, or choose another policy."
                )
            query[key] = value
        return cls.from_query(query)

    def _rule(self) -> str:
        if self.kind in ("decisions", "duplicates"):
            return KIND_NOTES[self.kind].rstrip(".")
        share = f"{self.keep:g} %" if self.size is None else f"{self.size:,} examples"
        if self.kind == "random":
            return f"Keep {share} at random (seed {self.seed})"
        at = "" if self.checkpoint is None else f", {catalogue.checkpoint_title(self.checkpoint)}"
        whose = "" if self.run_seed is None else f", seed {self.run_seed}"
        by = f" by {catalogue.score(self.score).title}{at}{whose}"
        if self.kind in ("hardest", "easiest"):
            return f"Keep the {self.kind} {share}{by}"
        if self.kind == "stratified":
            hardest = f"Drop the hardest {self.drop_hardest:g} %, then keep" if self.drop_hardest else "Keep"
            return f"{hardest} {share} spread over {self.strata} ranges of scores{by} (seed {self.seed})"
        inside = " of each class" if self.kind == "class_balanced" else ""
        ends = (("hardest", self.drop_hardest), ("easiest", self.drop_easiest))
        parts = [f"the {name} {value:g} %" for name, value in ends if value]
        return f"Drop {' and '.join(parts) or 'nothing'}{inside}{by}"

    def _check_unused(self) -> None:
        for entry in fields(self):
            if not self.uses(entry.name) and getattr(self, entry.name) != entry.default:
                known = ", ".join(name for name in _KINDS_OF if self.uses(name))
                raise BadInputError(
                    f"The policy {self.kind!r} does not use {entry.name!r}.",
                    f"Leave it out; this policy uses: {known or 'decisions and duplicates only'}.",
                )


def _uses(kind: str, setting: str) -> bool:
    return kind in _KINDS_OF.get(setting, POLICY_KINDS)


def _percent(name: str, value: float) -> None:
    if not isfinite(value) or not 0 <= value < 100:
        raise BadInputError(f"{name} is {value:g} %.", "Give a share from 0 to below 100 %.")


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).removesuffix(".0")


def _last(values: str | Sequence[str]) -> str:
    return values if isinstance(values, str) else values[-1]


def _read_yes_no(text: str) -> bool:
    if text not in _YES_NO:
        raise ValueError(text)
    return _YES_NO[text]
