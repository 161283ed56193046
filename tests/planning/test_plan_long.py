"""Plans of what is long: which limit binds, what cannot be divided, own pools, chains, costs."""

import pytest

from assay.planning.plan import PlanConfig, plan
from assay.planning.pools import pool_of_runs
from assay.pools.rows import Candidate, candidates_table
from assay.pools.run import Part, Run
from assay.problems.problem import Problem, Solution
from assay.settings.errors import UserError
from assay.settings.schema import load

VERIFIER = ["model.base=Llama-2-7B", "model.base.dtype=bfloat16"]


def planned(*words, hardware="8xH100-80G", **more):
    """The stages by name, the notes and the warnings."""
    _, stages, planner = plan(PlanConfig(config=list(words), hardware=hardware, **more))
    return {stage.name: stage for stage in stages}, planner.notes, planner.warnings


@pytest.fixture
def pool(tmp_path):
    """Two problems, one with a reference solution; samples of 100, 300 and 2000 tokens."""
    problems = [
        Problem("a", "1 + 1?", answer="2", solutions=(Solution("cot", "x" * 700),)),
        Problem("b", "2 + 2?", answer="4"),
    ]
    run = Run.open_or_create(str(tmp_path / "pool"), problems)
    run.register("candidates", {"problems_per_part": 2}, {})
    rows = [
        Candidate(p, "cot", i, "thought", [], n, 50, 0.0, "eos")
        for p, lengths in (("a", (100, 300)), ("b", (2000, -1)))
        for i, n in enumerate(lengths)
    ]
    run.write("candidates", Part(0, "cot", 0, 2), candidates_table(rows), 0.0)
    return str(tmp_path / "pool")


def test_the_limit_that_binds_is_named():
    words = ["generator=Llama-2-7B", "problems=gsm8k", "modes={cot: 50, pot: 0}"]
    short, _, told = planned(*words, cot_tokens=8000)
    assert short["sample"].tokens == 7473 * 50 * 400
    assert [line.split(":")[0] for line in told] == ["sampling.max_new_tokens=400 binds"]
    assert "solutions (cot) of 8,000 tokens" in told[0]
    long, _, told = planned(*words, "sampling.max_new_tokens=16000", cot_tokens=8000)
    assert told == []
    assert long["sample"].tokens == 7473 * 50 * 8000
    assert long["sample"].seconds > 20 * short["sample"].seconds
    words = ["model=Llama-2-7B", "problems=gsm8k"]
    _, _, told = planned(*words, cot_tokens=8000)
    assert told[0].startswith("pack_tokens=1024 binds: a solution (cot) has 8,089 tokens")
    with pytest.raises(UserError, match="pack_tokens=1024: the mean solution is longer"):
        planned(*words, "rationales.modes=[cot]", cot_tokens=8000)


def test_what_cannot_be_divided_decides_the_memory():
    words = [*VERIFIER, "micro_batch_tokens=2048", "deepspeed=configs/deepspeed/zero3.json"]
    more = {"pool_problems": 12000, "pool_samples": {"cot": 100}}
    short, _, _ = planned(*words, **more)
    long, notes, told = planned(*words, **more, cot_tokens=8000, longest_tokens=16000)
    activations = [s["train verifier"].memory.device["activations"] for s in (short, long)]
    at_once = [s["train verifier"].settings["micro_batch_tokens"] for s in (short, long)]
    assert at_once == [1373, 89 + 16000]
    assert activations[1] / activations[0] == pytest.approx(at_once[1] / at_once[0])
    assert any("16,089 tokens, goes through the model whole" in note for note in notes)
    # Two packs a step for eight devices.
    assert any(line.startswith("batch_tokens=32000 binds: a step has 2.") for line in told)
    saved, _, _ = planned(
        *words, "gradient_checkpointing=true", **more, cot_tokens=8000, longest_tokens=16000
    )
    assert saved["train verifier"].memory.device["activations"] < 0.15 * activations[1]
    _, _, told = planned(*words, "max_length=4096", **more, cot_tokens=3000, longest_tokens=9000)
    assert any("max_length=4096 binds: solutions of up to 9,000" in line for line in told)


def test_what_is_trained_is_float32_and_bfloat16_states_are_half():
    one, _, _ = planned(*VERIFIER)
    memory = one["train verifier"].memory.device
    parameters = 6_738_415_616
    assert one["train verifier"].settings["precision"] == "autocast"
    assert (memory["weights"], memory["states"]) == (4 * parameters, 8 * parameters)
    advice = [text.split(" (")[0] for text in one["train verifier"].advice]
    assert "deepspeed=configs/deepspeed/zero3.json" in advice
    half, _, _ = planned(*VERIFIER, "optimizer_states=bfloat16", hardware="8xH200-141G")
    assert half["train verifier"].memory.device["states"] == 4 * parameters
    adapters, _, _ = planned(*VERIFIER, "lora.rank=16")
    assert adapters["train verifier"].memory.device["weights"] < 2.1 * parameters


def test_own_pools(pool):
    found = pool_of_runs([pool])
    assert (found.problems, found.modes, found.longest) == (2, {"cot": 2.0}, 2000)
    # One sample does not tell its length, but has 7 characters, two tokens; one problem of two has
    # 700 characters of reference.
    assert (found.solution, found.prompt, found.reference) == (600.5, 50, 100)
    stages, notes, _ = planned("model.base=Llama-2-7B", f"pools=[{pool}]", "validation_fraction=0")
    assert stages["train verifier"].tokens == pytest.approx(4 * 600.5 + 2 * 150)
    assert any(f"{pool}: 2 problems with 2 cot each, of 600 tokens" in note for note in notes)
    with pytest.raises(UserError, match="no candidates there"):
        pool_of_runs([pool], ["hot"])


def test_a_chain_with_stages_of_a_processor_billed_as_such(tmp_path, pool):
    chain = tmp_path / "chain.yaml"
    chain.write_text(
        "sample: {problems: gsm8k, generator: Llama-2-7B, modes: {cot: 50, pot: 50}}\n"
        "grade: {slurm: {partition: cpu}}\n"
        "score: {verifiers: {a: Llama-2-7B, b: SmolLM2-135M}}\n"
    )
    title, stages, _ = plan(PlanConfig(config=[str(chain), "run=r"], hardware="8xH100-80G"))
    assert title == f"assay launch {chain}"
    assert [stage.name for stage in stages] == ["sample", "grade", "score a", "score b"]
    from assay.planning.hardware import machine_of
    from assay.planning.table import plan_dict

    told = plan_dict(title, stages, machine_of("8xH100-80G"), [])
    grade = told["stages"][1]
    # 747,300 candidates at 2,000 a second; sixteen cores of $0.05 an hour, and no GPU.
    assert grade["seconds"] == pytest.approx(747_300 / 2000)
    assert grade["dollars"] == pytest.approx(747_300 / 2000 / 3600 * 16 * 0.05)
    assert told["dollars"] == pytest.approx(sum(stage["dollars"] for stage in told["stages"]))
    # A run that holds its candidates.
    chain.write_text("score: {verifier: Llama-2-7B}\n")
    _, stages, _ = plan(PlanConfig(config=[str(chain), f"run={pool}"], hardware="8xH100-80G"))
    assert [stage.name for stage in stages] == ["grade", "score"]
    assert stages[1].tokens == pytest.approx(4 * 600.5)


def test_problems_of_every_kind(tmp_path):
    (tmp_path / "list.json").write_text('[{"question": "1?"}, {"question": "2?"}]')
    (tmp_path / "test.jsonl").write_text('{"question": "1?"}\n' * 3)
    words = ["generator=Llama-2-7B", "modes={cot: 1, pot: 0}"]
    for problems, count in (
        (["problems=math", "problems.split=test"], 5000),
        (["problems=math"], 7500),
        ([f"problems={tmp_path}/list.json"], 2),
        (["problems.name=math", f"problems.path={tmp_path}", "problems.split=test"], 3),
        (["problems.name=hub", "problems.path=a/b", "problems.limit=7"], 7),
    ):
        stages, _, _ = planned(*words, *problems)
        assert stages["grade"].seconds == pytest.approx(count / 2000), problems


def test_a_key_of_the_planned_command_is_refused_by_its_name():
    with pytest.raises(UserError, match=r"gradient_chekpointing: unknown key; did you mean grad"):
        planned("model.base=Llama-2-7B", "pools=[x]", "gradient_chekpointing=true")
    with pytest.raises(UserError, match=r"pool_samples\.code=3"):
        plan(load(PlanConfig, [{"config": VERIFIER}, "hardware=T4", "pool_samples={code: 3}"]))
