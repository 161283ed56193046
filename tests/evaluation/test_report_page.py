"""The page: what is in it, where its data lie, that texts cannot become markup."""

import base64
import json
import re
import zlib

import numpy as np
import pandas as pd
import pytest

from assay.evaluation.report import page as page_module
from assay.evaluation.report.page import PageRun, write_page
from assay.evaluation.report.problem import describe, pack
from assay.selection.evaluate import evaluate
from assay.selection.pool import PoolArrays
from assay.selection.request import EvaluateConfig
from tests.evaluation.page_runs import HOSTILE, candidate, evaluated, make_problems

SETTINGS = {"command": "assay report", "sample": {"params": {"top_p": 1.0}, "stop": []}}


def make_run(name="one", problems=None, **config):
    problems = problems or make_problems()
    return PageRun(name, evaluated(problems, **config), SETTINGS, problems, {"sample": 3.2})


def block(text, name):
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)
    return json.loads(found[1])


def unpack(packed):
    return json.loads(zlib.decompress(base64.b64decode(packed)))


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "index.html"
    return write_page(path, "A <run>", [make_run()]).path.read_text(encoding="utf-8")


def test_it_needs_no_network(text):
    markup = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert not re.search(r'(src|href)="(?!data:)', markup)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in text
    assert "fetch(" not in text


def test_tables_and_settings_are_in_the_markup(text):
    assert "<title>A &lt;run&gt;</title>" in text
    assert "Accuracy at n = 2" in text
    for words in ("single sample", "majority vote", "top-2 vote", "pass@2 (ceiling)"):
        assert words in text
    assert "<dt>params.top_p</dt><dd>1.0</dd>" in text
    assert "<dt>command</dt><dd>assay report</dd>" in text
    assert "sample 3.2 s" in text


def test_texts_cannot_leave_their_block(text):
    assert "<img" not in text
    assert "document.title='broken'</script>" not in text
    assert block(text, "data")["problems"][0] == ["easy", HOSTILE, "18"]
    assert unpack(block(text, "block-0-0")[0])["candidates"][0]["text"] == HOSTILE


def test_the_list_says_which_rule_was_right(text):
    run = block(text, "data")["runs"][0]
    # rescued, top-k: three votes, 4, 4 and 5
    assert run["right"] == {
        "majority": "100",
        "best_of_n": "110",
        "weighted": "110",
        "top_k": "100",
        "weighted_top_k": "110",
    }
    assert run["share"] == [1.0, 0.25, 0.0]
    assert run["agreed"] == pytest.approx([1.0, 2 / 3, 0.0], abs=1e-4)
    assert run["places"] == [0, 1, 2]
    assert run["starts"] == [0]


def test_curves_have_the_axes_that_are_known(text):
    cot = block(text, "data")["runs"][0]["panels"][0]
    assert cot["label"] == "CoT only"
    first = next(series for series in cot["series"] if series["rule"] == "majority")
    assert (first["n"], first["tokens"]) == ([1, 2], [10, 20])
    assert "flops" not in first


def test_axes_of_cost_are_drawn_where_they_are_known():
    run = make_run()
    run.evaluation.frame["flops"] = 1.5e9 * run.evaluation.frame["n"]
    run.evaluation.frame["seconds"] = float("nan")
    series = page_module.curves.panels(run.evaluation)[2]["series"][0]
    assert series["flops"] == [1.5e9, 3e9, 6e9]
    assert "seconds" not in series


def details(index, limit=0, problems=None):
    problems = problems or make_problems()
    return describe(problems[index], evaluated(problems), limit)[1]


def test_identical_candidates_are_written_once_best_first():
    found = details(0)
    told = [(c["mode"], c["samples"], c["score"]) for c in found["candidates"]]
    assert told == [("cot", [0], 0.9), ("cot", [1], 0.8), ("pot", [0, 1], 0.7)]
    assert found["chosen"]["best_of_n"] == 0
    assert found["candidates"][0]["origin"] == "T = 0.7"


def test_answers_with_votes_by_mode_and_mean_scores():
    found = details(1)
    assert [(c["mode"], c["samples"]) for c in found["candidates"]] == [
        ("pot", [1]),
        ("cot", [1]),
        ("cot", [0]),
        ("pot", [0]),
    ]
    assert (found["shown"], found["total"]) == (4, 4)
    assert found["chosen"]["best_of_n"] == 0
    assert found["candidates"][found["chosen"]["majority"]]["answer"] == "4"
    told = [(c["answer"], c["votes"], c["cot"], c["pot"], c["score"]) for c in found["classes"]]
    assert told == [("4", 2, 2, 0, 0.15), ("5", 1, 0, 1, 0.95), (None, 1, 0, 1, None)]


def test_a_choice_is_shown_whatever_the_limit():
    problems = make_problems()
    crowd = [candidate("cot", s, str(s % 7), s % 7, s % 7 == 3, s / 50) for s in range(50)]
    problems[0] = {"id": "crowd", "question": "?", "answer": "3", "candidates": crowd}
    found = details(0, limit=4, problems=problems)
    # The best score is that of sample 49; seven answers with 7 votes, and "0" with an eighth.
    best = found["candidates"][found["chosen"]["best_of_n"]]
    assert best["samples"] == [49]
    assert found["candidates"][found["chosen"]["majority"]]["answer"] == "0"
    assert sum(each["votes"] for each in found["classes"]) == 50
    assert 5 <= found["shown"] <= 4 + 4


def test_every_origin_has_its_share_of_what_is_shown():
    problems = make_problems()
    pools = [("cold", 8), ("hot", 8)]
    problems[0]["candidates"] = [
        candidate("cot", s, None, -1, False, 0.0, origin=origin, text=f"{origin} {s}")
        for origin, size in pools
        for s in range(size)
    ]
    # The evaluation is of the other problems: what is shown does not depend on it.
    found = describe(problems[0], evaluated(problems[1:]), 4)[1]
    assert {c["text"] for c in found["candidates"]} == {"cold 0", "cold 1", "hot 0", "hot 1"}
    assert (found["shown"], found["total"]) == (4, 16)


def test_free_scores_are_told_by_their_labels():
    problems = make_problems()
    problems[1]["candidates"][3]["free"] = {"entropy": np.float32(0.25), "margin": float("nan")}
    found = details(1, problems=problems)["candidates"]
    assert found[0]["free"] == {"entropy": 0.25}
    assert all("free" not in each for each in found[1:])


def test_tokens_count_as_javascript_does():
    first = details(1)["candidates"][0]
    # "𝟙" takes two UTF-16 units; the spaces are in no token; the empty last token is left out
    assert first["text"] == "𝟙 + 4 ok"
    assert first["pieces"] == [2, -1, 1, -1, 1]
    # The value 1.5 makes the scale 0 … 1.5, in steps of 1/160: 80, 40 and 120 above a space.
    assert first["values"] == "".join(map(chr, (112, 72, 152)))


def test_values_on_the_usual_scale_are_exact_hundredths():
    problems = make_problems()
    shown = problems[1]["candidates"][3]
    shown |= {"text": "abc", "values": np.float32([0, 0.37, 1])}
    shown |= {"starts": np.int32([0, 1, 2]), "ends": np.int32([1, 2, 3])}
    found = details(1, problems=problems)
    low, step, red, green = found["scale"]
    values = [low + step * (ord(c) - 32) for c in found["candidates"][0]["values"]]
    assert values == pytest.approx([0, 0.37, 1], abs=1e-9)
    assert (red, green) == (0, 1)
    assert found["candidates"][0]["pieces"] == [1, 1, 1]


def slow_pieces(text, values, starts, ends):
    """The tokens one after the other: (text of the piece, value or None)."""
    found, at = [], 0
    for value, start, end in zip(values, starts, ends, strict=True):
        start, end = max(int(start), at), min(int(end), len(text))
        if end > start:
            found += [(text[at:start], None)] if start > at else []
            found.append((text[start:end], float(value)))
            at = end
    return found


@pytest.mark.parametrize("seed", range(20))
def test_pieces_against_the_slow_way(seed):
    from assay.evaluation.report.problem import Scale, _pieces

    draw = np.random.default_rng(seed)
    text = "".join(draw.choice(list("ab c𝟙é\n😀"), 30))
    edges = np.sort(draw.integers(0, 33, (12, 2)).ravel()).reshape(12, 2)
    starts, ends = (
        edges[:, 0] - draw.integers(0, 2, 12),
        edges[:, 1],
    )  # some overlap, some are empty
    starts = np.maximum(starts, 0)
    values = draw.integers(0, 101, 12) / 100
    found = _pieces(text, values, starts, ends, Scale())
    units = text.encode("utf-16-le")
    pieces, at, told = [], 0, iter(found["values"])
    for length in found["pieces"]:
        piece = units[2 * at : 2 * (at + abs(length))].decode("utf-16-le")
        value = None if length < 0 else round(-0.1 + 0.005 * (ord(next(told)) - 32), 6)
        pieces.append((piece, value))
        at += abs(length)
    assert pieces == slow_pieces(text, values, starts, ends)


def test_half_a_surrogate_pair_is_replaced():
    assert unpack(pack({"text": "a\ud835b"})) == {"text": "a?b"}


def test_a_page_without_scores_or_problems(tmp_path):
    frame = pd.DataFrame(
        [("a", "cot", 0, 0, True)],
        columns=["problem_id", "mode", "sample", "answer_class", "label"],
    )
    evaluation = evaluate(PoolArrays.from_frame(frame), EvaluateConfig(draws=5, bootstrap=5))
    page = write_page(tmp_path / "p.html", "t", [PageRun("t", evaluation, {}, [])])
    text = page.path.read_text(encoding="utf-8")
    assert "Accuracy at n = 1" in text
    assert "What the verifier adds" not in text
    assert 'id="problems"' not in text
    assert sorted(file.name for file in tmp_path.iterdir()) == ["p.html"]


def test_large_data_lie_beside_the_page_and_old_ones_go(tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "BLOCK", 0)  # every problem a block of its own
    first = write_page(tmp_path / "index.html", "t", [make_run()], single=False)
    assert re.fullmatch(r"data-[0-9a-f]{12}", first.data.name)
    names = ["problems-0-0.js", "problems-0-1.js", "problems-0-2.js"]
    assert sorted(file.name for file in first.data.iterdir()) == names
    assert first.data_bytes == sum(len(t) for t in block_texts(first.data).values())
    assert re.search(r", and \d\.\d kB beside it in data-\w+/\)$", str(first))
    text = first.path.read_text(encoding="utf-8")
    assert 'id="block-' not in text
    assert block(text, "data")["folder"] == first.data.name
    assert block(text, "data")["runs"][0]["starts"] == [0, 1, 2]
    packed = block_texts(first.data)["problems-0-1.js"]
    assert unpack(json.loads(packed)[0])["chosen"]["best_of_n"] == 0
    # The same again gives the same folder; another page takes its place; one file leaves none.
    (first.data / names[0]).unlink()
    assert write_page(tmp_path / "index.html", "t", [make_run()], single=False).data == first.data
    assert (first.data / names[0]).exists()
    (tmp_path / "data-mine").mkdir()
    problems = make_problems()[:2]
    other = write_page(tmp_path / "index.html", "t", [make_run(problems=problems)], single=False)
    assert other.data != first.data
    assert not first.data.exists()
    assert write_page(tmp_path / "index.html", "t", [make_run()], single=True).data is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data-mine", "index.html"]


def block_texts(folder):
    """The JSON in each script of the folder."""
    return {
        file.name: re.fullmatch(r'assayBlock\("[\d-]+",(.*)\);\n', file.read_text())[1]
        for file in folder.iterdir()
    }


def test_one_file_where_it_is_small(tmp_path, monkeypatch):
    assert write_page(tmp_path / "index.html", "t", [make_run()]).data is None
    monkeypatch.setattr(page_module, "SINGLE", 100)
    assert write_page(tmp_path / "index.html", "t", [make_run()]).data is not None


def test_a_page_that_fails_leaves_the_one_before(tmp_path, monkeypatch):
    page = write_page(tmp_path / "index.html", "before", [make_run()], single=False)
    before = page.path.read_bytes()

    def fail(*_):
        raise RuntimeError("no room")

    monkeypatch.setattr(page_module, "_render", fail)
    with pytest.raises(RuntimeError, match="no room"):
        write_page(page.path, "after", [make_run(problems=make_problems()[:2])], single=False)
    assert page.path.read_bytes() == before
    assert (page.data / "problems-0-0.js").exists()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Two runs that share "rescued" and "silent"; in the second the vote on "rescued" is right."""
    problems = make_problems()[1:]
    for each in problems[0]["candidates"][:2]:
        each.update(answer="5", answer_class=1, label=True)
    problems.append({**make_problems()[0], "id": "more"})
    other = make_run("two", problems)
    other = PageRun("two", other.evaluation, {"sample": {"params": {"top_p": 0.9}}}, problems)
    path = tmp_path_factory.mktemp("both") / "index.html"
    return write_page(path, "both", [make_run(), other]).path.read_text(encoding="utf-8")


def test_runs_side_by_side(both):
    data = block(both, "data")
    assert [each[0] for each in data["problems"]] == ["easy", "rescued", "silent", "more"]
    assert [run["places"] for run in data["runs"]] == [[0, 1, 2], [1, 2, 3]]
    assert data["runs"][1]["right"]["majority"] == "101"
    assert "<caption>PoT only, n = 2</caption>" in both
    assert "one · CoT only, n =" in both
    assert '<th scope="row">sample.params.top_p</th><td>1.0</td><td>0.9</td>' in both


def test_runs_are_compared_on_the_problems_that_both_have(both):
    between = both[both.index('id="h-between"') : both.index('id="h-differences"')]
    assert "two − one: CoT only, n = 2, 2 problems" in between
    rows = re.findall(r"</i>([^<]+)</span>.*?<b>([^<]+)</b>", between, re.S)
    # Of two problems one is now always right by CoT: from 0 to 1, half of the mean.
    assert rows[0] == ("single sample", "+50.0")
    assert ("majority vote", "+50.0") in rows
