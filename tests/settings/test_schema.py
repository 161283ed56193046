"""Merging YAML and key=value words into dataclasses, and the errors for what does not fit."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from assay.selection.request import EvaluateConfig
from assay.settings.errors import UserError
from assay.settings.help import describe
from assay.settings.schema import load, merge, read_yaml


@dataclass
class Model:
    name: str = "embedded"
    """folder or hub id"""
    revision: str = ""


@dataclass
class Problems:
    name: str = "gsm8k"
    path: str = ""
    limit: int = 0


@dataclass
class Config:
    run: str = ""
    """the run's
    folder"""
    generator: Model = field(default_factory=Model)
    problems: Problems = field(default_factory=Problems)
    modes: dict[str, int] = field(default_factory=lambda: {"cot": 8})
    tests: dict[str, Problems] = field(default_factory=dict)
    rate: float = 0.5


def test_later_layers_win(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("run: a\nproblems: {limit: 5}\nmodes: {pot: 2}\n")
    config = load(Config, [str(path), "run=b", "problems.path=x", "modes.cot=3"])
    assert config.run == "b"
    assert config.problems == Problems(limit=5, path="x")
    assert config.modes == {"cot": 3, "pot": 2}


def test_short_forms():
    config = load(Config, ["generator=org/model", "problems=my.jsonl"])
    assert config.generator == Model(name="org/model")
    assert config.problems == Problems(name="jsonl", path="my.jsonl")
    assert load(Config, ["problems=gsm_symbolic"]).problems.name == "gsm_symbolic"


def test_dictionaries_of_dataclasses():
    config = merge(Config, [{"tests": {"hard": {"limit": 3}}}, {"tests": {"hard": {"path": "p"}}}])
    assert config.tests == {"hard": Problems(limit=3, path="p")}


@dataclass
class Counted:
    modes: dict[str, int] = field(default_factory=lambda: {"cot": 8, "pot": 4})


@pytest.mark.parametrize(
    ("words", "modes"),
    [
        ([], {"cot": 8, "pot": 4}),
        (["modes.cot=3"], {"cot": 3, "pot": 0}),
        (["modes={pot: 3}"], {"cot": 0, "pot": 3}),
        (["modes.cot=3", "modes.pot=2"], {"cot": 3, "pot": 2}),
        # Asked for in a file, it stays.
        ([{"modes": {"pot": 16}}, "modes.cot=3"], {"cot": 3, "pot": 16}),
        # What is not wanted says nothing of the others.
        (["modes.cot=0"], {"cot": 0, "pot": 4}),
        (["modes=cot"], {"cot": 8, "pot": 0}),
        (["modes=[pot]"], {"cot": 0, "pot": 4}),
        (["modes=[cot,pot]"], {"cot": 8, "pot": 4}),
    ],
)
def test_what_was_not_asked_for_is_not_there(words, modes):
    assert load(Counted, words).modes == modes


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("genrator=x", r"genrator: unknown key; did you mean generator\?"),
        ("problems.limt=3", r"problems.limt: unknown key; did you mean problems.limit\?"),
        ("limit=3", r"limit: unknown key; did you mean problems.limit\?"),
        ("rate=fast", "rate=fast: expected a number"),
        ("generator=[1,2]", "generator: expected keys and values"),
        ("nothing.yaml", "nothing.yaml: no such configuration file"),
        ("tests.hard.pth=1", r"tests.hard.pth: unknown key; did you mean tests.hard.path\?"),
    ],
)
def test_one_clear_line(word, message):
    with pytest.raises(UserError, match=message) as caught:
        load(Config, [word])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("rate=fast", "rate=fast: expected a number"),
        ("problems.limit=1.5", "problems.limit=1.5: expected a whole number"),
        ("problems.limit=", "problems.limit: expected a value, found none (null)"),
        ("modes={cot:50}", "modes={cot:50}: write {cot: 50}, with a space"),
        ("modes=[words]", "modes=['words']: expected keys and values, as modes='{a: 1}'"),
        ("run=${x}", r"run: ${…} stands for another key (Interpolation key 'x' not found); a text"),
        ("modes={cot:", "modes={cot:: the value is not readable (did not find expected node"),
    ],
)
def test_errors_name_the_key_and_the_way_out(word, told):
    with pytest.raises(UserError) as caught:
        load(Config, [word])
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "run: a: b\n",
            "(line 1, column 7: mapping values are not allowed in this context; ",
        ),
        (
            "run: a\n\tb: c\n",
            "(line 2, column 1: found a tab character that violates indentation",
        ),
        ("run: [a\n", "(line 2, column 1: did not find expected ',' or ']'; a bracket may not be"),
    ],
)
def test_errors_in_files_name_the_line_and_the_way_out(text, told, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load(Config, [str(path)])
    assert str(caught.value).startswith(f"{path}: not readable YAML {told}")


def test_a_text_may_be_emptied():
    assert load(Config, ["generator=x", "generator.revision="]).generator.revision == ""


@dataclass
class Folded:
    FOLDED: ClassVar[bool] = True

    name: str = "gsm8k"
    """which set: gsm8k (of the hub) | jsonl (a file)"""
    limit: int = 0


@dataclass
class Helped:
    problems: Folded = field(default_factory=lambda: Folded(name="math"))
    """what is asked"""
    way: str = "b"
    """what happens to a thing that is longer than the other things: a (it is left out, and nothing
    is said of it) | b (it is kept)"""


def test_help_shows_true_defaults_folds_groups_and_gives_choices_a_line():
    assert describe(Helped).splitlines() == [
        "  problems=math  what is asked (2 keys: --help problems)",
        "  way=b          what happens to a thing that is longer than the other things:",
        "                 · a (it is left out, and nothing is said of it)",
        "                 · b (it is kept)",
    ]
    opened = describe(Helped, Helped(Folded("jsonl", 3)), "problems").splitlines()
    assert opened == [
        "  problems             what is asked",
        "  problems.name=jsonl  which set: gsm8k (of the hub) | jsonl (a file)",
        "  problems.limit=3",
    ]
    assert "way=b" in describe(Helped, topic="all")
    with pytest.raises(UserError, match="--help prblems: expected all or a group of keys: prob"):
        describe(Helped, topic="prblems")


def test_malformed_yaml_names_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("run: [a\n")
    with pytest.raises(UserError, match=r"c\.yaml: not readable YAML"):
        load(Config, [str(path)])


def test_text_is_taken_as_it_is():
    question = r"If ${x} = 3: what, in $, is {y}? '\frac12'"
    assert load(Config, [{"run": question.replace("${", r"\${")}]).run == question


def test_help_shows_defaults_and_the_strings_under_fields():
    text = describe(Config)
    assert "run=" in text
    assert "the run's folder" in text
    assert "generator.name=embedded" in text
    assert "modes={cot: 8}" in text


def test_one_word_is_a_list_of_one():
    config = load(EvaluateConfig, ["by=difficulty", "n=64", "k=auto"])
    assert (config.by, config.n, config.k) == (["difficulty"], [64], "auto")
    assert load(EvaluateConfig, ["n=[1,8]", "k=3"]).n == [1, 8]
    assert load(EvaluateConfig, ["k=3"]).k == 3


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"a: " + b"1" * 5000, "not readable YAML"),
        (b"a: " + b"[" * 20_000, "not readable YAML"),
        (b"a: '\xff'", "not readable YAML"),
        (b'a: "\\xq"', "not readable YAML"),
        (b'a: "\\ud83d"', "not readable YAML"),
        (b"a: !!python/object:os.system {}", "not readable YAML"),
    ],
)
def test_yaml_that_cannot_be_used_is_one_line(written, told, tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(written)
    with pytest.raises(UserError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: {told}")
    assert "\n" not in str(caught.value)


def test_yaml_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\nlist: [1]\n")
    assert read_yaml(path) == {"name": "x", "list": [1]}


@pytest.mark.parametrize(
    "word", ['name="x \\ud83d"', "name=" + "[" * 20_000, "limit=" + "1" * 5000, 'name="\\xq"']
)
def test_words_that_cannot_be_used_are_one_line(word):
    with pytest.raises(UserError) as caught:
        load(Model, [word])
    assert "\n" not in str(caught.value)


@dataclass
class OfBase:
    run: str = ""
    """the run"""
    launcher: str = field(default="local", kw_only=True)
    """who works"""


@dataclass
class OfSubclass(OfBase):
    modes: str = "cot"
    """what is asked"""


def test_keys_of_a_base_class_that_have_names_alone_are_explained_last():
    assert describe(OfSubclass).split() == (
        ["run=", "the", "run", "modes=cot", "what", "is", "asked", "launcher=local", "who", "works"]
    )
    assert load(OfSubclass, ["launcher=slurm"]) == OfSubclass("", "cot", launcher="slurm")
