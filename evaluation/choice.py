"""The record of a chosen rule: which, what held-out problems say of it, and what it holds for.

    choice = read_choice("runs/quickstart/choice.json")
    choice.chosen.spec.label(choice.n)               # "weighted vote by ranker"
    choice.differing(conditions)                     # [] where it holds, else what differs

One JSON file with a version, beside the models that it is about. It knows of every rule that
competed what it is worth and how likely its answers are right, so that any of them may be named.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from assay.problems.problem import MODES
from assay.selection.choosing import Chosen
from assay.selection.confidence import Calibration, Confidence, Fitted
from assay.selection.curves import Mix
from assay.selection.intervals import Interval, Paired, paired
from assay.selection.intervals import interval as interval_of
from assay.selection.rule_spec import RuleSpec
from assay.settings.errors import UserError
from assay.storage.files import write_json
from assay.storage.places import Place, place

__all__ = [
    "FILE",
    "Choice",
    "RatedRule",
    "UsedScorer",
    "choice_of",
    "conditions_of",
    "modes_of",
    "read_choice",
    "write_choice",
]

FILE = "choice.json"
FORMAT, VERSION = "assay rule choice", 1


@dataclass(frozen=True)
class RatedRule:
    """A rule with its accuracy on the held-out problems and its confidence.

    `difference` is to the majority, paired over problems. Of the chosen rule both are those of the
    procedure by cross-fitting; of the others as they are.
    """

    spec: RuleSpec
    accuracy: Interval
    difference: Paired
    confidence: Confidence
    calibration: Calibration


@dataclass(frozen=True)
class UsedScorer:
    """Whose scores a rule goes by: where it lies, and the key of its scores.

    Of a ranker `reads` are the folders of the verifiers that it reads, by its names for them.
    """

    path: str
    key: Mapping[str, Any]
    reads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Choice:
    """What `assay choose-rule` found.

    `rules` are all that competed, the simplest first, of each rule and scorer the best k; `chosen`
    is one of them. `conditions` are what it all holds for (`conditions_of`), `held_out` what it was
    measured on, `scorers` by name whose scores the rules go by.
    """

    chosen: RatedRule
    rules: tuple[RatedRule, ...]
    conditions: Mapping[str, Any]
    held_out: Mapping[str, Any]
    scorers: Mapping[str, UsedScorer]
    settings: Mapping[str, Any]

    @property
    def n(self) -> int:
        """Candidates of a problem."""
        return int(self.conditions["n"])

    @property
    def modes(self) -> list[str]:
        """What the candidates are divided among."""
        return list(self.conditions["modes"])

    @property
    def majority(self) -> RatedRule:
        """The majority vote, which always competes."""
        return self.rules[0]

    def best(self, rule: str, k: int, scorers: Collection[str]) -> RatedRule | None:
        """The most accurate rule by these scorers ("": by none), of a name and a k where given."""
        found = [
            each
            for each in self.rules
            if each.spec.scorer in scorers
            and rule in ("", each.spec.name)
            and k in (0, each.spec.k)
        ]
        return max(found, key=lambda each: each.accuracy.value, default=None)

    def differing(self, conditions: Mapping[str, Any]) -> list[str]:
        """What differs from the conditions that the choice holds for, as texts; none: it holds."""
        return list(_differing(self.conditions, conditions))


def _differing(there: Mapping[str, Any], here: Mapping[str, Any], prefix: str = "") -> list[str]:
    told = []
    for name in dict.fromkeys([*there, *here]):
        a, b = there.get(name), here.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            told += _differing(a, b, "" if name == "sampling" else f"{name}.")
        elif a != b:
            long = isinstance(a or b, (str, Mapping)) and len(str(a or b)) > 24
            told.append(f"another {name}" if long else f"{prefix}{name}={_short(b)}")
    return told


def _short(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, (list, tuple)) else str(value)


def modes_of(mix: Mix) -> list[str]:
    """The modes that candidates are divided among."""
    return [mode for mode in MODES if mix in (mode, "both")]


def conditions_of(key: Mapping[str, Any], n: int, modes: Sequence[str]) -> dict[str, Any]:
    """What a choice holds for, from the key of the candidates (`sampling_key`).

    Which seed, which machine's arithmetic and how many problems to a part do not matter.
    """
    aside = ("problems_per_part", "dtype", "engine", "sampling")
    sampling = {name: v for name, v in key.get("sampling", {}).items() if name != "seed"}
    rest = {name: value for name, value in key.items() if name not in aside}
    return {"n": n, "modes": list(modes), "sampling": sampling, **rest}


def choice_of(
    chosen: Chosen,
    fitted: Mapping[RuleSpec, Fitted],
    conditions: Mapping[str, Any],
    held_out: Mapping[str, Any],
    scorers: Mapping[str, UsedScorer],
    settings: Mapping[str, Any],
) -> Choice:
    """The record of what `choose_rule` and `fit_confidence` found."""
    majority = next(iter(chosen.table.values()))
    rated = {}
    for spec, values in chosen.table.items():
        found = fitted[spec]
        accuracy = interval_of(values, chosen.weights)
        lead = paired(values, majority, chosen.weights)
        rated[spec] = RatedRule(spec, accuracy, lead, found.confidence, found.calibration)
    own = fitted[chosen.spec]
    best = RatedRule(
        chosen.spec, chosen.accuracy, chosen.difference, own.confidence, own.calibration
    )
    rules = tuple(rated.values())
    return Choice(best, rules, conditions, held_out, scorers, settings)


def write_choice(path: Place, choice: Choice) -> None:
    """Writes the record, whole or not at all; scorers beneath its folder by their paths from it."""
    scorers = {
        name: {
            "path": _relative(used.path, path),
            "key": dict(used.key),
            "reads": {read: _relative(folder, path) for read, folder in used.reads.items()},
        }
        for name, used in choice.scorers.items()
    }
    content = {
        "format": FORMAT,
        "version": VERSION,
        "chosen": _rated_to_dict(choice.chosen),
        "rules": [_rated_to_dict(each) for each in choice.rules],
        "conditions": dict(choice.conditions),
        "held_out": dict(choice.held_out),
        "scorers": scorers,
        "settings": dict(choice.settings),
    }
    write_json(path, content)


def read_choice(path: str | Place) -> Choice:
    """The record in a file. Raises `UserError` naming the file where it is none."""
    where = place(path) if isinstance(path, str) else path
    try:
        content = json.loads(where.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"choice={path}: there is no such file") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UserError(f"{path}: expected what `assay choose-rule` writes")
    if content.get("version") != VERSION:
        raise UserError(f"{path}: expected version {VERSION}, found {content.get('version')}")
    try:
        scorers = {
            str(name): UsedScorer(
                _absolute(str(used["path"]), where),
                dict(used["key"]),
                {read: _absolute(folder, where) for read, folder in used["reads"].items()},
            )
            for name, used in content["scorers"].items()
        }
        return Choice(
            _rated_from_dict(content["chosen"]),
            tuple(_rated_from_dict(each) for each in content["rules"]),
            dict(content["conditions"]),
            dict(content["held_out"]),
            scorers,
            dict(content["settings"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, UserError) as error:
        raise UserError(f"{path}: is damaged ({error!s:.80}); choose the rule again") from error


def _rated_to_dict(rated: RatedRule) -> dict[str, Any]:
    calibration = asdict(rated.calibration)
    # JSON has no NaN.
    calibration["covered"] = [
        [share, right if right == right else None] for share, right in rated.calibration.covered
    ]
    return {
        "rule": rated.spec.to_dict(),
        "accuracy": asdict(rated.accuracy),
        "difference": asdict(rated.difference),
        "confidence": rated.confidence.to_dict(),
        "calibration": calibration,
    }


def _rated_from_dict(found: Mapping[str, Any]) -> RatedRule:
    told = found["calibration"]
    covered = [(a, float("nan") if b is None else b) for a, b in told["covered"]]
    return RatedRule(
        RuleSpec.from_dict(found["rule"]),
        Interval(**found["accuracy"]),
        Paired(**found["difference"]),
        Confidence.from_dict(found["confidence"]),
        Calibration(
            Interval(**told["brier"]),
            float(told["base"]),
            Interval(**told["error"]),
            tuple(covered),
        ),
    )


def _relative(path: str, file: Place) -> str:
    """A folder beneath the record's own, relative to it: they may be moved together."""
    if not isinstance(file, Path) or not os.path.isdir(path):
        return path
    own, folder = Path(path).resolve(), file.resolve().parent
    return own.relative_to(folder).as_posix() if own.is_relative_to(folder) else str(own)


def _absolute(path: str, file: Place) -> str:
    beside = file.parent / path if isinstance(file, Path) else None
    return str(beside) if beside is not None and beside.exists() else path
