"""The commands of `assay`: where each one's function and configuration are, and what its help says.

Nothing is imported here. A command is named by its module, which is imported when the command is
called, so that `assay --help` answers at once.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COMMANDS", "GROUPS", "Command"]


@dataclass(frozen=True)
class Command:
    """A sub-command: where its function is, and what a bare word after it means.

    `word` is the key that the first bare word sets, `words` the key whose list takes the others.
    With `others`, that list also takes YAML files and settings of keys that are not the command's
    own.
    """

    module: str
    function: str
    schema: str
    word: str
    summary: str
    usage: str
    configs: tuple[str, ...] = ()
    words: str = ""
    others: bool = False


COMMANDS = {
    "quickstart": Command(
        "assay.search.drivers.run",
        "run",
        "LoopConfig",
        "",
        "train, sample, verify and vote on an embedded base: the whole loop in minutes",
        "assay quickstart [output=runs/quickstart] [key=value …]",
        ("quickstart.yaml",),
    ),
    "run": Command(
        "assay.search.drivers.run",
        "run",
        "LoopConfig",
        "",
        "the whole loop, as a configuration describes it",
        "assay run CONFIG.yaml [key=value …]",
    ),
    "plan": Command(
        "assay.planning.plan",
        "run",
        "PlanConfig",
        "",
        "memory, time and cost of a configuration on some hardware, from shapes alone",
        "assay plan CONFIG.yaml hardware=8xH100-80G [--json] [key=value …]\n"
        "       (the configuration of assay run, train-generator, train-verifier or sample)",
        words="config",
        others=True,
    ),
    "solve": Command(
        "assay.search.solving.solve",
        "run",
        "SolveConfig",
        "question",
        "answer a question, or a file of them",
        'assay solve "QUESTION" [generator=PATH_OR_HUB_ID] [verifier=PATH] [n=32] [--show]\n'
        "       assay solve FILE.jsonl [output=ANSWERS.jsonl] [key=value …]",
    ),
    "fetch": Command(
        "assay.search.solving.fetch",
        "run",
        "FetchConfig",
        "name",
        "put the small solver, a small real model, or one from a GGUF file, into a local folder",
        "assay fetch small-solver [to=models/small-solver]\n"
        "       assay fetch smollm2-135m-instruct [to=models/smollm2-135m-instruct]",
    ),
    "check-contamination": Command(
        "assay.search.stages.contamination",
        "run_check_contamination",
        "CheckContaminationConfig",
        "",
        "look for questions of evaluation sets among training problems",
        "assay check-contamination problems=NAME_OR_FILE against=[FILE_OR_FOLDER,…] [key=value …]",
    ),
    "train-generator": Command(
        "assay.search.stages.train",
        "run_generator",
        "GeneratorTrainingConfig",
        "output",
        "fine-tune a generator on reference solutions, in words and as programs",
        "assay train-generator OUTPUT [CONFIG.yaml] [key=value …]",
    ),
    "sample": Command(
        "assay.search.stages.sample",
        "run",
        "SampleConfig",
        "run",
        "write candidates for every problem of a run",
        "assay sample RUN [CONFIG.yaml] [key=value …]",
    ),
    "grade": Command(
        "assay.search.stages.grade",
        "run",
        "GradeConfig",
        "run",
        "run the programs, extract answers, label",
        "assay grade RUN [key=value …]",
    ),
    "import": Command(
        "assay.pools.exchange.importing",
        "run",
        "ImportConfig",
        "",
        "make a run from candidates that others sampled",
        "assay import FILE.jsonl … run=RUN [format=assay|qwen|hf|…] [key=value …]\n"
        "       assay import FILE.jsonl … run=RUN mapping=MAPPING.yaml [key=value …]",
        words="files",
    ),
    "attach": Command(
        "assay.pools.exchange.attaching",
        "run",
        "AttachConfig",
        "run",
        "add scores or labels from a file to a run, as those of one more verifier",
        "assay attach RUN FILE.jsonl … [name=VERIFIER] [fields.scores=PATH] [key=value …]",
        words="files",
    ),
    "export": Command(
        "assay.pools.exchange.exporting",
        "run",
        "ExportConfig",
        "run",
        "write a run's pool as JSONL or Parquet, one problem a line",
        "assay export RUN output=FILE.jsonl[.gz]|FILE.parquet [values=true] [key=value …]",
    ),
    "train-verifier": Command(
        "assay.search.stages.train",
        "run_verifier",
        "VerifierTrainingConfig",
        "output",
        "train a verifier on graded runs",
        "assay train-verifier OUTPUT pools=[RUN,…] [CONFIG.yaml] [key=value …]",
    ),
    "train-ranker": Command(
        "assay.search.stages.train_ranker",
        "run",
        "TrainRankerConfig",
        "output",
        "train a small model that ranks candidates by all that is known of them",
        "assay train-ranker OUTPUT pools=[RUN,…] [verifiers=[NAME,…]] [key=value …]",
    ),
    "score": Command(
        "assay.search.stages.score",
        "run",
        "ScoreRunConfig",
        "run",
        "score every candidate of a run",
        "assay score RUN verifier=PATH [key=value …]\n"
        "       assay score RUN verifiers='{NAME: PATH, …}' [key=value …]\n"
        "       assay score RUN ranker=PATH [name=NAME] [key=value …]",
    ),
    "launch": Command(
        "assay.search.drivers.launch",
        "run",
        "ChainConfig",
        "run",
        "sample, grade and score in one go, here or on a cluster",
        "assay launch RUN CHAIN.yaml [launcher=local|slurm|ray] [key=value …]",
    ),
    "evaluate": Command(
        "assay.evaluation.evaluate",
        "run_evaluate",
        "EvaluateRunConfig",
        "run",
        "accuracy of every selection rule, with intervals",
        "assay evaluate RUN [verifiers=[NAME,…]] [--json] [--csv] [key=value …]",
    ),
    "evaluate-suite": Command(
        "assay.search.drivers.suite.suite",
        "run",
        "SuiteConfig",
        "",
        "the nine evaluation sets of MAmmoTH, decoded as in the paper, beside its numbers",
        "assay evaluate-suite data=FOLDER generator=PATH_OR_HUB_ID [sets=[gsm8k,svamp]] [limit=N]\n"
        "       assay evaluate-suite … modes.cot=16 modes.pot=16 [verifier=PATH] [--json] [--csv]\n"
        "       assay evaluate-suite --show-sets",
    ),
    "choose-rule": Command(
        "assay.evaluation.choose_rule",
        "run",
        "ChooseRuleConfig",
        "run",
        "which rule `solve` shall use, by held-out problems, and how sure its answers are",
        "assay choose-rule RUN [output=FILE] [rules=[RULE,…]] [scorers=[NAME,…]] [key=value …]",
    ),
    "compare": Command(
        "assay.evaluation.compare",
        "run",
        "CompareConfig",
        "",
        "paired differences of two runs, or of two rules of one",
        "assay compare RUN_A RUN_B [n=[N,…]] [rules=[RULE,…]] [--json] [--csv] [key=value …]\n"
        "       assay compare RUN rules=[weighted,majority] [key=value …]",
        words="runs",
    ),
    "adapt": Command(
        "assay.evaluation.adapt",
        "run_adapt",
        "AdaptRunConfig",
        "run",
        "what stopping early would have saved: stopping rules replayed on a run",
        "assay adapt RUN [rules=[beta,window]] [thresholds=[0.9,0.95]] [round=8] [--json] [--csv]",
    ),
    "allocate": Command(
        "assay.evaluation.allocate",
        "run_allocate",
        "AllocateConfig",
        "run",
        "a budget spread over problems by what samples are worth, replayed on a run",
        "assay allocate RUN budget=16 [first=8] [round=8] [--json] [key=value …]",
    ),
    "scale": Command(
        "assay.evaluation.scale",
        "run_scale",
        "ScaleRunConfig",
        "",
        "pass@n and the majority vote beyond what a run holds, checked on themselves",
        "assay scale RUN … [to=10000] [frontier=flops] [--json] [--csv] [key=value …]",
        words="runs",
    ),
    "report": Command(
        "assay.evaluation.report.report",
        "run_report",
        "ReportConfig",
        "",
        "write page, figures and tables of a run, or of several side by side",
        "assay report RUN [key=value …]\n"
        "       assay report RUN_A RUN_B … output=FOLDER [key=value …]",
        words="runs",
    ),
    "sandbox": Command(
        "assay.sandbox_commands",
        "run_layers",
        "LayersConfig",
        "",
        "which layers of isolation are active here, and what that means",
        "assay sandbox [--json] [require=[seccomp,landlock]]\n"
        "       assay sandbox run FILE.py …\n"
        "       assay sandbox check",
    ),
    "sandbox run": Command(
        "assay.sandbox_commands",
        "run_programs",
        "ProgramsConfig",
        "",
        "run untrusted programs",
        "assay sandbox run FILE.py … [--show] [output=OUTCOMES.jsonl] [key=value …]\n"
        "       assay sandbox run CANDIDATES.jsonl key=FIELD [key=value …]\n"
        "       assay sandbox run - < FILE.py",
        words="files",
    ),
    "sandbox check": Command(
        "assay.sandbox_commands",
        "run_check",
        "CheckConfig",
        "",
        "attack the sandbox with hundreds of hostile programs",
        "assay sandbox check [kinds=[KIND,…]] [require=[seccomp,landlock]]\n"
        "exit code: 0 where every attack is contained, 1 where one is not",
    ),
}

# As `assay --help` lists them: each command once, by what one wants to do.
GROUPS = {
    "solve": ("quickstart", "solve", "fetch"),
    "run stages": ("run", "sample", "grade", "score"),
    "train": ("train-generator", "train-verifier", "train-ranker", "check-contamination"),
    "evaluate": (
        *("evaluate", "evaluate-suite", "compare", "adapt", "allocate", "scale", "report"),
        "choose-rule",
    ),
    "move pools": ("import", "attach", "export"),
    "clusters and planning": ("launch", "plan"),
    "sandbox": ("sandbox", "sandbox run", "sandbox check"),
}
