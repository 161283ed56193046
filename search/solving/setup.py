"""What a solver works with: models, rule and settings, from what was asked for and the choice.

    setup = set_up(SolveConfig(generator=ModelConfig(name="runs/g")))
    setup.spec.label(setup.n), setup.known, setup.why_not

The record of `assay choose-rule` is looked for beside the generator's folder. It tells which rule
to use, at which n, modes and temperature, and whose scores that takes. Where something else is
asked for, the accuracy that it tells and the probabilities do not hold, and `why_not` says so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.evaluation.choice import FILE, Choice, RatedRule, UsedScorer, conditions_of, read_choice
from assay.generator.candidates import asked_modes
from assay.generator.engines import SamplingParams
from assay.generator.models import ModelConfig, fingerprint
from assay.problems.problem import MODES
from assay.problems.shots import choose_shots
from assay.search.solving import small_solver
from assay.search.solving.config import SolveConfig
from assay.search.solving.scoring import Source, identity_of
from assay.search.stages.mixture import Origin, check_length, learnt_modes, prompt_of
from assay.search.stages.sample import sampling_key
from assay.selection.names import RULE_LABELS, SCORED_RULES
from assay.selection.rule_spec import RuleSpec
from assay.settings.errors import UserError
from assay.settings.schema import merge
from assay.verifier.ranker.model_file import Ranker

__all__ = ["RULES", "Setup", "set_up", "settings_digest", "share"]

QUICKSTART = Path("runs/quickstart")
VOTES = ("majority", "weighted", "top_k", "weighted_top_k", "best_of_n")
RULES = (*VOTES, *(name for name in RULE_LABELS if name not in (*VOTES, "single", "pass")))
N = 32


@dataclass(frozen=True)
class Setup:
    """What a solver works with.

    `config` is resolved: its generator, prompt, n, modes and sampling are those that are used.
    `spec` is the rule, `source` whose scores to compute (`None`: nobody's). `known` is what the
    choice tells of this rule, where there is one that holds; else `why_not` says why there is none.
    `where` is the choice's file, empty where there is none.
    """

    config: SolveConfig
    sampling: SamplingParams
    spec: RuleSpec
    source: Source | None
    choice: Choice | None = None
    known: RatedRule | None = None
    why_not: str = ""
    where: str = ""

    @property
    def n(self) -> int:
        """Candidates of a problem."""
        return self.config.n

    @property
    def counts(self) -> dict[str, int]:
        """Candidates of a problem by mode."""
        return share(self.config.n, self.config.modes)


def share(n: int, modes: Sequence[str]) -> dict[str, int]:
    """Shares n candidates out among the modes; the first ones get the remainder.

    >>> share(7, ["cot", "pot"])
    {'cot': 4, 'pot': 3}
    """
    if not modes:
        raise UserError("modes: expected at least one of cot, pot")
    return {mode: n // len(modes) + (i < n % len(modes)) for i, mode in enumerate(modes)}


def set_up(config: SolveConfig) -> Setup:
    """Resolves a configuration. Raises `UserError` for a key that does not fit, a missing model."""
    _check(config)
    generator = config.generator
    if not generator.name:
        generator = dataclasses.replace(generator, name=str(_default_generator()))
    prompt = prompt_of(generator, config.prompt)
    config = dataclasses.replace(config, generator=generator, prompt=prompt)
    setup = _greedy(config) if config.rule == "hybrid" else _by_choice(config)
    check_length(setup.sampling, generator, prompt)
    if config.min_confidence and setup.known is None:
        raise UserError(
            f"min_confidence={config.min_confidence}: needs a rule chosen on held-out problems "
            f"(`assay choose-rule`): {setup.why_not}"
        )
    return setup


def _default_generator() -> Path:
    """The small solver's, where it was fetched, else the quickstart's."""
    fetched = small_solver.default_generator()
    if fetched is not None:
        return fetched
    if (QUICKSTART / "generator" / "config.json").is_file():
        return QUICKSTART / "generator"
    raise UserError(
        "no generator: `assay fetch small-solver` gets one, `assay quickstart` trains one; "
        "or give generator=PATH_OR_HUB_ID"
    )


def _check(config: SolveConfig) -> None:
    if config.rule and config.rule not in RULES:
        raise UserError(f"rule={config.rule}: expected one of {', '.join(RULES)}")
    bare = config.verifier.name == "none" and not config.ranker
    if config.rule in SCORED_RULES and bare:
        raise UserError(f"rule={config.rule}: needs a verifier; give verifier=PATH")
    if config.n < 0:
        raise UserError(f"n={config.n}: expected 1 or more")
    if not 0 <= config.min_confidence < 1:
        raise UserError(f"min_confidence={config.min_confidence}: expected 0 or more, below 1")


def _greedy(config: SolveConfig) -> Setup:
    """Hybrid decoding: a program and words, one of each, by no choice."""
    sampling = _sampling(config, {}) | {"temperature": 0.0}
    verifier = dataclasses.replace(config.verifier, name="none")
    config = dataclasses.replace(config, n=2, modes=list(MODES), verifier=verifier)
    params = merge(SamplingParams, [sampling])
    return Setup(config, params, RuleSpec("hybrid"), None, why_not="hybrid decoding is greedy")


def _sampling(config: SolveConfig, base: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling parameters: those of `base`, and what was asked for."""
    try:
        merged = merge(SamplingParams, [base, config.sampling])
    except UserError as error:
        raise UserError(f"sampling.{error}") from error
    merged.check()
    return dataclasses.asdict(merged)


def _by_choice(config: SolveConfig) -> Setup:
    """Settings and rule by the choice beside the models; without one, by default."""
    where, choice, why_not = _find_choice(config)
    sampling = _sampling(config, choice.conditions["sampling"] if choice else {})
    config = dataclasses.replace(
        config,
        n=config.n or (choice.n if choice else N),
        modes=config.modes or (choice.modes if choice else learnt_modes(config.generator)),
        sampling=sampling,
    )
    setup = Setup(config, merge(SamplingParams, [sampling]), RuleSpec("majority"), None, choice)
    setup = dataclasses.replace(setup, where=where)
    given = _given_source(config, choice)
    if choice is None:
        return _by_default(setup, given, why_not)
    rated = _rated(config, choice, given)
    if rated is None:
        scorer = next((each.spec.scorer for each in choice.rules if each.spec.scorer), "")
        source = given or (_recorded(choice, scorer) if scorer else None)
        asked = f"rule={config.rule}" if config.rule else "this verifier"
        asked += f" with k={config.k}" if config.k else ""
        return _by_default(setup, source, f"{where} knows nothing of {asked}")
    scorer = rated.spec.scorer
    source = given if given or not scorer else _recorded(choice, scorer)
    if scorer and not _is(source, choice.scorers[scorer]):
        return _by_default(setup, source, f"{where} is of another {scorer}")
    setup = dataclasses.replace(setup, spec=rated.spec, source=source)
    differing = choice.differing(_conditions(setup))
    if differing:
        told = ", ".join(differing)
        return dataclasses.replace(setup, why_not=f"{where} does not hold here ({told})")
    return dataclasses.replace(setup, known=rated)


def _find_choice(config: SolveConfig) -> tuple[str, Choice | None, str]:
    """Where a choice lies, the choice if it is of this generator, else why there is none."""
    if config.choice == "none":
        return "", None, "choice=none"
    beside = Path(config.generator.name).parent / FILE
    where = config.choice or str(beside)
    if not config.choice and not (os.path.isdir(config.generator.name) and beside.is_file()):
        return "", None, f"there is no {FILE} beside the generator"
    choice = read_choice(where)
    if fingerprint(config.generator) != choice.conditions.get("generator"):
        return where, None, f"{where} is of another generator"
    return where, choice, ""


def _given_source(config: SolveConfig, choice: Choice | None) -> Source | None:
    """Whose scores were asked for by their path; named as in the choice, where it knows them."""
    named = config.verifier.name not in ("", "none")
    if not config.ranker and not named:
        return None
    if config.ranker:
        reads = _reads(config)
        source = Source(_folder_name(config.ranker), ranker=config.ranker, reads=reads)
    else:
        source = Source(_folder_name(config.verifier.name), config.verifier)
    for name, used in (choice.scorers if choice else {}).items():
        if _is(source, used):
            return dataclasses.replace(source, name=name)
    return source


def _reads(config: SolveConfig) -> dict[str, ModelConfig]:
    """The verifiers that the ranker asked for reads: the one given, or those beside it."""
    names = [verifier.name for verifier in Ranker.load(config.ranker).verifiers]
    if len(names) == 1 and config.verifier.name:
        return {names[0]: config.verifier}
    found = {name: Path(config.ranker).resolve().parent / name for name in names}
    for name, folder in found.items():
        if not (folder / "verifier.json").is_file():
            raise UserError(f"ranker={config.ranker}: reads the verifier '{name}': no {folder}")
    return {name: ModelConfig(name=str(folder)) for name, folder in found.items()}


def _folder_name(path: str) -> str:
    return Path(path).resolve().name


def _recorded(choice: Choice, name: str) -> Source | None:
    """Whose scores the choice speaks of; `None` where they are not to be found."""
    used = choice.scorers[name]
    paths = [used.path, *used.reads.values()]
    if not all(paths):
        return None
    if "ranker" in used.key:
        if not Path(used.path).exists():
            return None
        reads = {name: ModelConfig(name=path) for name, path in used.reads.items()}
        return Source(name, ranker=used.path, reads=reads)
    aggregate = str(used.key.get("aggregate", "last"))
    return Source(name, ModelConfig(name=used.path), aggregate=aggregate)


def _is(source: Source | None, used: UsedScorer) -> bool:
    """Whether scores of this key are by this source."""
    if source is None:
        return False
    return all(used.key.get(name) == value for name, value in identity_of(source).items())


def _rated(config: SolveConfig, choice: Choice, given: Source | None) -> RatedRule | None:
    """The rule to use, of those that the choice knows of the scores that may be used."""
    scorers = {"", *choice.scorers} if given is None else {"", given.name}
    if config.verifier.name == "none" and not config.ranker:
        scorers = {""}
    if given and given.name not in choice.scorers and config.rule not in ("majority", "logprob"):
        return None
    if not config.rule and choice.chosen.spec.scorer in scorers:
        return choice.chosen
    k = config.k if "top_k" in config.rule else 0
    rated = choice.best(config.rule, k, scorers)
    # What is told of the chosen rule is cross-fitted.
    return choice.chosen if rated and rated.spec == choice.chosen.spec else rated


def _by_default(setup: Setup, given: Source | None, why_not: str) -> Setup:
    """Without a choice: the rule asked for, else the weighted vote, without scores the majority."""
    config = setup.config
    trained = Path(config.generator.name).parent / "verifier"
    beside = Path(config.generator.name) in (QUICKSTART / "generator", small_solver.GENERATOR)
    if given is None and not config.verifier.name and beside and _is_verifier(trained):
        given = Source("verifier", ModelConfig(name=str(trained)))
    rule = config.rule or ("weighted" if given else "majority")
    if rule in SCORED_RULES and given is None:
        raise UserError(f"rule={rule}: needs a verifier; give verifier=PATH")
    scorer = given.name if given and rule in SCORED_RULES else ""
    spec = RuleSpec(rule, scorer, config.k)
    return dataclasses.replace(setup, spec=spec, source=given, choice=None, why_not=why_not)


def _is_verifier(folder: Path) -> bool:
    return (folder / "verifier.json").is_file()


def settings_digest(setup: Setup) -> str:
    """A digest of all that decides an answer: models, sampling, the rule, whose scores."""
    config = setup.config
    decides = {
        **_conditions(setup),
        "seed": setup.sampling.seed,
        "rule": dataclasses.asdict(setup.spec),
        "scores": identity_of(setup.source) if setup.source else None,
        "confidence": setup.known is not None,
        "min_confidence": config.min_confidence,
        "until": dataclasses.asdict(config.until),
    }
    text = json.dumps(decides, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _conditions(setup: Setup) -> dict[str, Any]:
    """The conditions here, as a run's that was sampled like this."""
    config = setup.config
    origin = Origin(config.generator, config.prompt, setup.counts, setup.sampling, config.engine)
    shots = choose_shots(config.prompt, config.problems, asked_modes(setup.counts))
    return conditions_of(sampling_key(origin, shots, 0), config.n, config.modes)
