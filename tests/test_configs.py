"""The recipes that come with Assay: each is a configuration, and says what the paper says."""

import dataclasses
import json
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from transformers import TrainingArguments

from assay.generator.parallel import OURS as GENERATOR_OURS
from assay.generator.parallel import deepspeed_settings
from assay.planning.memory_keys import deepspeed_name
from assay.search.drivers.run import LoopConfig
from assay.search.stages.sample import SampleConfig
from assay.search.stages.score import ScoreRunConfig
from assay.search.stages.train import GeneratorTrainingConfig, VerifierTrainingConfig
from assay.settings.errors import UserError
from assay.settings.schema import fields_of, load
from assay.verifier.config import TrainVerifierConfig, check_training
from assay.verifier.parallel import OURS as VERIFIER_OURS

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
MODELS = {
    "mammoth_7b": ("meta-llama/Llama-2-7b-hf", 2e-5),
    "mammoth_13b": ("meta-llama/Llama-2-13b-hf", 2e-5),
    "mammoth_34b": ("codellama/CodeLlama-34b-hf", 1e-5),
    "mammoth_70b": ("meta-llama/Llama-2-70b-hf", 1e-5),
    "mammoth_coder_7b": ("codellama/CodeLlama-7b-hf", 2e-5),
}
# All of MathInstruct's sources.
SOURCES = [
    *(f"CoT/{n}" for n in ("aqua_rat", "college_math", "gsm_rft", "gsm_train", "math50k_camel")),
    *(f"CoT/{n}" for n in ("MATH_train", "number_comparison", "TheoremQA")),
    *(f"PoT/{n}" for n in ("aqua_rat_filtered", "gsm_gpt4", "mathqa", "MATH_train", "numglue")),
    "PoT/TheoremQA",
]
# DeepSpeed's names of what our files set (docs: DeepSpeed Configuration JSON, ZeRO).
ZERO_KEYS = {
    "stage",
    "overlap_comm",
    "contiguous_gradients",
    "reduce_scatter",
    "reduce_bucket_size",
    "allgather_bucket_size",
    "stage3_prefetch_bucket_size",
    "stage3_param_persistence_threshold",
    "stage3_max_live_parameters",
    "stage3_max_reuse_distance",
    "offload_optimizer",
    "offload_param",
}
ADD_ONS = ("lora", "qlora")


def files(folder):
    return sorted((CONFIGS / folder).glob("*.yaml"))


def test_every_model_has_both_recipes():
    for folder in ("generator", "verifier"):
        assert {f.stem for f in files(folder)} - set(ADD_ONS) == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_generators(name):
    """Learning rate, batch, schedule, epochs, bf16 and ZeRO-3: section 2.3 of the paper."""
    config = load(GeneratorTrainingConfig, [f"configs/generator/{name}.yaml"])
    config.check()
    assert (config.model.name, config.learning_rate) == MODELS[name]
    assert (config.batch_size, config.epochs) == (128, 3.0)
    assert (config.schedule, config.warmup_ratio) == ("cosine", 0.03)
    assert config.problems.name == "mathinstruct"
    assert (config.prompt.form, config.prompt.pot_suffix) == ("alpaca", " Let's write a program.")
    assert config.trainer["bf16"] is True
    known = {field.name for field in dataclasses.fields(TrainingArguments)}
    assert set(config.trainer) <= known
    zero = deepspeed_settings(config.deepspeed, "deepspeed", GENERATOR_OURS)
    assert zero["zero_optimization"]["stage"] == 3


@pytest.mark.parametrize("name", MODELS)
def test_verifiers(name):
    config = load(VerifierTrainingConfig, [f"configs/verifier/{name}.yaml"])
    check_training(fields_of(TrainVerifierConfig, config))
    generator = load(GeneratorTrainingConfig, [f"configs/generator/{name}.yaml"])
    assert config.model.base.name == generator.output
    assert (config.epochs, config.learning_rate, config.betas) == (1, 1e-5, [0.9, 0.95])
    assert (config.batch_tokens, config.lm_weight, config.loss) == (32000, 1.0, "mse")
    assert (config.model.head, config.model.level) == ("token", "token")
    deepspeed_settings(config.deepspeed, "deepspeed", VERIFIER_OURS)


@pytest.mark.parametrize("add_on", ADD_ONS)
def test_generators_on_one_gpu(add_on):
    config = load(
        GeneratorTrainingConfig,
        ["configs/generator/mammoth_70b.yaml", f"configs/generator/{add_on}.yaml"],
    )
    config.check()
    assert config.deepspeed == ""
    assert config.gradient_checkpointing is True
    assert (config.lora.rank, config.lora.bits) == (64, 4 if add_on == "qlora" else 16)
    assert config.lora.alone == (add_on == "qlora")


def test_mathematics_by_chat_models():
    for name, tokens in (("chat", 4096), ("thinking", 32768)):
        config = load(SampleConfig, [f"configs/math/{name}.yaml", "run=r"])
        assert (config.problems.name, config.prompt.form) == ("math", "chat")
        asked = config.prompt.system + config.prompt.cot_suffix
        assert asked.strip() == (
            "Please reason step by step, and put your final answer within \\boxed{}."
        )
        assert (config.modes, config.sampling.max_new_tokens) == ({"cot": 16, "pot": 0}, tokens)
    config = load(VerifierTrainingConfig, ["configs/math/verifier.yaml", "pools=[runs/math]"])
    check_training(fields_of(TrainVerifierConfig, config))
    assert (config.gradient_checkpointing, config.overlong, config.max_length) == (
        True, "skip", 4096,
    )  # fmt: skip


def test_a_recipe_finds_deepspeeds_file_wherever_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load(GeneratorTrainingConfig, ["configs/generator/mammoth_7b.yaml"])
    zero = deepspeed_settings(config.deepspeed, "deepspeed", GENERATOR_OURS)
    assert zero["zero_optimization"]["stage"] == 3
    assert deepspeed_name(config.deepspeed) == "zero3"
    # A recipe of one's own finds its neighbour.
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/zero.json").write_text('{"zero_optimization": {"stage": 2}}')
    (tmp_path / "mine/recipe.yaml").write_text("deepspeed: zero.json\n")
    config = load(GeneratorTrainingConfig, ["mine/recipe.yaml"])
    assert config.deepspeed == "mine/zero.json"
    assert deepspeed_name(config.deepspeed) == "zero2"


@pytest.mark.parametrize(
    ("schema", "word", "now"),
    [
        (GeneratorTrainingConfig, "pack_length=9", "pack_length: is called pack_tokens now"),
        (VerifierTrainingConfig, "model.lora.rank=4", "model.lora: is called lora now"),
        (LoopConfig, "verifier.model.lora.rank=4", "verifier.model.lora: is called verifier.lora"),
        (LoopConfig, "generator.pack_length=4", "is called generator.pack_tokens now"),
        (ScoreRunConfig, "scoring.batch_tokens=9", "is called scoring.micro_batch_tokens now"),
    ],
)
def test_keys_by_their_old_names(schema, word, now):
    with pytest.raises(UserError, match=now):
        load(schema, [word])


def test_a_verifier_on_one_gpu():
    words = ["configs/verifier/mammoth_7b.yaml", "configs/verifier/lora.yaml"]
    config = load(VerifierTrainingConfig, words)
    check_training(fields_of(TrainVerifierConfig, config))
    assert (config.lora.rank, config.deepspeed) == (64, "")


@pytest.mark.parametrize("file", files("mathinstruct"), ids=lambda file: file.stem)
def test_data_ablations(file):
    config = load(GeneratorTrainingConfig, ["configs/generator/mammoth_7b.yaml", str(file)])
    include = config.problems.sources.include
    found = [s for s in SOURCES if any(fnmatchcase(s, pattern) for pattern in include)]
    assert all(any(fnmatchcase(s, pattern) for s in SOURCES) for pattern in include)
    expected = {
        "cot": 8,
        "pot": 6,
        "gsm": 3,
        "gsm_math": 5,
        "gsm_math_camel": 6,
        "gsm_math_camel_aqua": 8,
    }
    assert len(found) == expected[file.stem]


@pytest.mark.parametrize(
    ("name", "stage", "offload"),
    [("zero2", 2, False), ("zero3", 3, False), ("zero3_offload", 3, True)],
)
def test_deepspeed(name, stage, offload):
    file = CONFIGS / "deepspeed" / f"{name}.json"
    settings = json.loads(file.read_text())
    zero = settings.pop("zero_optimization")
    assert set(zero) <= ZERO_KEYS
    assert set(settings) <= {"zero_force_ds_cpu_optimizer"}
    assert (zero["stage"], "offload_optimizer" in zero) == (stage, offload)
    for key, ours in (("deepspeed", GENERATOR_OURS), ("deepspeed", VERIFIER_OURS)):
        assert deepspeed_settings(str(file), key, ours)["zero_optimization"] == zero


def test_deepspeed_itself_takes_them():
    pytest.importorskip("deepspeed", reason="needs the package deepspeed")
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    for file in (CONFIGS / "deepspeed").glob("*.json"):
        DeepSpeedZeroConfig(**json.loads(file.read_text())["zero_optimization"])


@pytest.mark.parametrize("file", files("accelerate"), ids=lambda file: file.stem)
def test_accelerate(file):
    """Accelerate refuses keys that it does not know."""
    config = load_config_from_file(str(file))
    kinds = {"ddp": "MULTI_GPU", "fsdp2": "FSDP"}
    assert config.distributed_type == kinds[file.stem]
    if file.stem == "fsdp2":
        from accelerate import FullyShardedDataParallelPlugin

        names = yaml.safe_load(file.read_text())["fsdp_config"]
        assert names["fsdp_version"] == 2
        fields = {field.name for field in dataclasses.fields(FullyShardedDataParallelPlugin)}
        own = {name.removeprefix("fsdp_") for name in names}
        assert own - {"version", "offload_params"} <= fields


def test_rejection_sampling():
    """A problem gives at most four solutions, each reference is learnt once (docs)."""
    config = load(GeneratorTrainingConfig, ["configs/rft.yaml", "pools=[runs/pool]"])
    config.rejection.check()
    assert (config.rejection.per_problem, config.rejection.references) == (4, 1.0)
    assert (config.problems.name, config.problems.split) == ("gsm8k", "train")
    assert config.pools == ["runs/pool"]
