"""Mixtures: several origins in one pool, each with its own settings, parts and draws."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest

from assay import command_line
from assay.evaluation.report.report import page_problems
from assay.generator.engines import Completion, EngineConfig, SamplingParams
from assay.generator.models import ModelConfig
from assay.pools.frame import load_frame, pool_line
from assay.pools.run import Part, Run
from assay.problems.prompts import PromptConfig
from assay.problems.sets import ProblemsConfig
from assay.problems.shots import FewShotConfig
from assay.search.drivers import run as loop
from assay.search.stages import engines
from assay.search.stages import sample as sampling
from assay.search.stages.mixture import Origin, check_length, origins_of
from assay.settings.errors import UserError
from assay.settings.schema import load
from tests.search.characters import Characters

BASE = Origin(
    prompt=FewShotConfig(form="plain"),
    modes={"cot": 4, "pot": 2},
    sampling=SamplingParams(temperature=0.5, max_new_tokens=9),
)


def test_a_part_is_named_by_its_origin():
    part = Part(3, "pot", 16, 64, "T-1_0")
    assert part.filename == "part-00003.T-1_0.pot.00016-00064.parquet"
    assert Part.parse(part.filename) == part
    assert Part.parse(Part(0, "pot", 0, 1, "cot").filename) == Part(0, "pot", 0, 1, "cot")
    assert Part.parse("part-00003.a.b.pot.00016-00064.parquet") is None


def test_a_member_is_the_base_with_what_differs():
    found = origins_of(
        BASE, {"same": None, "hot": {"sampling": {"temperature": 1}, "modes": {"cot": 1}},
               "early": {"generator": "embedded", "engine": {"batch_size": 3}}},
    )  # fmt: skip
    assert list(found) == ["same", "hot", "early"]
    assert found["same"] == BASE
    assert found["hot"].sampling == SamplingParams(temperature=1.0, max_new_tokens=9)
    assert found["hot"].modes == {"cot": 1, "pot": 2}
    assert found["early"].engine == EngineConfig(batch_size=3)
    assert found["early"].sampling == BASE.sampling
    assert origins_of(BASE, {}) == {"": BASE}


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        ({"a.b": {}}, "mixture.a.b: names may contain only letters, digits, - and _"),
        ({"": {}}, "mixture.: names may contain only"),
        ({"hot": 1.0}, "mixture.hot: expected keys and values, found 1.0"),
        ({"hot": {"temperature": 1}}, "mixture.hot.temperature: unknown key; did you"),
        ({"hot": {"sampling": {"temperature": "x"}}}, "mixture.hot.sampling.temperature=x: "),
        ({"hot": {"sampling": {"top_p": 2}}}, "mixture.hot.sampling.top_p=2.0: expected a number"),
        ({"hot": {"modes": {"code": 1}}}, "mixture.hot.modes.code: expected one of cot, pot"),
        ({"hot": {"generator": "./none", "prompt": {"form": "auto"}}}, "model ./none: no such"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(mixture, message):
    with pytest.raises(UserError) as error:
        origins_of(BASE, mixture)
    assert str(error.value).startswith(message)


class Told:
    """An engine that answers with its model's name, the temperature and the request's key."""

    tokenizer = Characters()

    def __init__(self, config, model):
        self.name = model.name

    def sample(self, requests, params):
        for i, request in enumerate(requests):
            for index in range(request.first, request.first + request.count):
                text = f"{self.name} {params.temperature} {request.key} {index}\n#### 2"
                yield Completion(i, index, text, [7], -1.0, "eos")


@pytest.fixture
def sample(monkeypatch, tmp_path, capsys):
    """Runs `assay sample`; returns what it said on stderr."""
    loads = []

    def make_engine(config, model):
        loads.append(model.name)
        return Told(config, model)

    monkeypatch.setattr(engines, "make_engine", make_engine)
    monkeypatch.setattr(sampling, "fingerprint", lambda model: model.name)
    path = tmp_path / "problems.jsonl"
    rows = [{"id": f"p{i}", "question": "1 + 1?", "answer": "2"} for i in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = [str(tmp_path / "run"), f"problems={path}", "generator=late", "prompt.form=plain"]
    words += ["modes={cot: 2, pot: 0}", "problems_per_part=2", "workers=1"]

    def run(*more):
        code = command_line.main(["sample", *words, *more])
        error = capsys.readouterr().err
        assert code == (2 if error else 0)
        return error

    run.path = tmp_path / "run"
    run.loads = loads
    return run


MIXTURE = "mixture={hot: {sampling: {temperature: 1.0}}, early: {generator: early}, cool: {}}"


def rows(path):
    frame = pd.read_parquet(path / "candidates")
    return frame.sort_values(["problem_id", "origin", "mode", "sample"], ignore_index=True)


def test_candidates_know_their_origin_and_models_are_loaded_once(sample):
    assert sample(MIXTURE) == ""
    assert sample.loads == ["late", "early"]
    assert sorted(p.name for p in (sample.path / "candidates").iterdir()) == [
        f"part-0000{i}.{name}.cot.00000-00002.parquet"
        for i in (0, 1)
        for name in ("cool", "early", "hot")
    ]
    frame = rows(sample.path)
    assert list(frame["text"][:6]) == [
        f"{model} {temperature} p0/cot@{origin} {i}\n#### 2"
        for origin, model, temperature in (
            ("cool", "late", 0.7), ("early", "early", 0.7), ("hot", "late", 1.0)
        )
        for i in (0, 1)
    ]  # fmt: skip
    assert list(frame["origin"][:6]) == ["cool", "cool", "early", "early", "hot", "hot"]


def test_widening_adding_a_member_and_resuming(sample):
    sample(MIXTURE)
    before = {p: p.stat().st_mtime_ns for p in (sample.path / "candidates").iterdir()}
    lost = sample.path / "candidates" / "part-00001.hot.cot.00000-00002.parquet"
    whole = pd.read_parquet(lost)
    lost.unlink()
    # A member left out keeps what it has; another is added; one is widened.
    assert sample("mixture={hot: {sampling: {temperature: 1.0}, modes: {cot: 3}}, new: {}}") == ""
    frame = rows(sample.path)
    assert frame.groupby("origin").size().to_dict() == {"cool": 8, "early": 8, "hot": 12, "new": 8}
    assert not frame.duplicated(["problem_id", "origin", "mode", "sample"]).any()
    redone = frame[(frame["origin"] == "hot") & frame["problem_id"].isin(["p2", "p3"])]
    assert set(whole["text"]) < set(redone["text"])
    assert all(p.stat().st_mtime_ns == time for p, time in before.items() if p != lost)


def test_a_changed_member_is_refused_by_name(sample):
    sample(MIXTURE)
    error = sample("mixture={cool: {}, hot: {sampling: {temperature: 1.5}}}")
    assert "candidates of hot were made with other settings" in error
    assert "(sampling.temperature: 1.0 there, 1.5 asked for)" in error
    error = sample("mixture={new: {}}", "problems_per_part=3")
    assert "(problems_per_part: 2 there, 3 asked for)" in error
    assert len(error.splitlines()) == 1


def test_a_mixture_beside_a_plain_pool(sample):
    """A pool that was begun without a mixture keeps its parts and its key, and the other way."""
    sample()
    assert set(rows(sample.path)["text"].str.split(" ").str[2]) == {f"p{i}/cot" for i in range(4)}
    key = Run.open(sample.path).key("candidates")
    sample(MIXTURE, "sampling.seed=3")
    assert Run.open(sample.path).key("candidates") == key
    assert rows(sample.path).groupby("origin").size().to_dict() == dict.fromkeys(
        ("", "cool", "early", "hot"), 8
    )
    assert "sampling.seed: 0 there, 3 asked for" in sample("sampling.seed=3")
    assert sample("modes.cot=3") == ""
    assert (rows(sample.path)["origin"] == "").sum() == 12
    run = Run.open(sample.path)
    assert len(run.parts("candidates")) == 10
    assert set(run.record["stages"]["candidates"]["members"]) == {"cool", "early", "hot"}


def test_a_part_of_an_unknown_member_is_done_again(sample, capsys):
    sample(MIXTURE)
    run = Run.open(sample.path)
    part = Part(0, "cot", 0, 2, "hot")
    (run.path / "candidates" / part.filename).rename(
        run.path / "candidates" / Part(0, "cot", 0, 2, "stranger").filename
    )
    assert len(run.parts("candidates")) == 5
    assert (
        "stranger.cot.00000-00002.parquet: was made with other settings" in capsys.readouterr().err
    )


def test_origins_are_carried_to_the_page(sample, capsys):
    sample(MIXTURE)
    assert command_line.main(["grade", str(sample.path)]) == 0
    assert "cool cot 100.0 % right, early cot 100.0 % right, hot cot" in capsys.readouterr().out
    run = Run.open(sample.path)
    frame = load_frame(run, texts=True)
    assert list(frame["origin"][:6]) == ["cool", "cool", "early", "early", "hot", "hot"]
    assert set(frame["answer_class"]) == {0}
    assert pool_line(run).count("% right") == 3
    shown = next(page_problems(run, ""))["candidates"]
    assert [(c["origin"], c["sample"]) for c in shown][::2] == [
        ("cool", 0),
        ("early", 0),
        ("hot", 0),
    ]


def test_members_do_not_repeat_each_other_and_do_not_depend_on_each_other(tmp_path):
    """Two members of the same settings, on the embedded model; then one of them alone."""
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"id": "x", "question": "1 + 1?"}\n{"id": "y", "question": "2 + 1?"}\n')

    def texts(run, mixture):
        config = sampling.SampleConfig(
            run=str(tmp_path / run),
            problems=ProblemsConfig(name="jsonl", path=str(problems)),
            generator=ModelConfig(device="cpu"),
            prompt=FewShotConfig(form="plain"),
            modes={"cot": 2, "pot": 0},
            sampling=SamplingParams(temperature=3.0, max_new_tokens=12),
            mixture=mixture,
            workers=1,
        )
        frame = rows(sampling.sample(config).path)
        return {name: list(own["text"]) for name, own in frame.groupby("origin")}

    both = texts("both", {"a": {}, "b": {}})
    assert len(set(both["a"]) | set(both["b"])) == 8
    assert texts("alone", {"b": {}}) == {"b": both["b"]}


def test_the_loop_has_one_for_its_pool_and_one_for_its_tests(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(loop, "sample", lambda config, **_: asked.append(config))
    words = [{"output": str(tmp_path), "mixture": {"a": {}}, "pool_mixture": {"b": {}, "c": {}}}]
    for name in ("train", "test"):
        loop.sample_split(load(loop.LoopConfig, words), name, tmp_path)
    assert [config.mixture for config in asked] == [{"b": {}, "c": {}}, {"a": {}}]


def test_of_a_thinking_model_the_length_is_asked_for(monkeypatch):
    template = SimpleNamespace(chat_template="{{ m }}<think>")
    monkeypatch.setattr("assay.search.stages.mixture.load_tokenizer", lambda _: template)
    model, chat = ModelConfig(name="org/r1"), PromptConfig(form="chat")
    with pytest.raises(UserError, match="org/r1 thinks before it answers, and 400 tokens would"):
        check_length(SamplingParams(), model, chat)
    check_length(SamplingParams(max_new_tokens=16384), model, chat)
    check_length(SamplingParams(), model, PromptConfig(form="alpaca"))
    template.chat_template = "{{ m }}"
    check_length(SamplingParams(), model, chat)
