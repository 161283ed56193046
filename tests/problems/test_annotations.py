"""Annotations: found, stripped, and put where a plain text holds a true equation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.calculator import Annotation, annotate, annotations, evaluate, strip_annotations


def test_found_and_stripped() -> None:
    text = "48/2 = <<48/2=24>>24 clips, $<<9*2=18>>18"
    assert annotations(text) == [
        Annotation(7, 18, "48/2", "24"),
        Annotation(29, 39, "9*2", "18"),
    ]
    assert strip_annotations(text) == "48/2 = 24 clips, $18"


def test_what_is_no_annotation() -> None:
    assert annotations("1 << 3 >> 2, <<3>>, <<a=\nb>>") == []


@pytest.mark.parametrize(
    "annotated",
    [
        "3*4=<<3*4=12>>12",
        "13 * 18 = <<13*18=234>>234 brownies.",
        "27 girls x 3 boys/girl = <<27*3=81>>81 boys",
        "It is $450,000 x 6/100 = $<<450000*6/100=27000>>27,000.",
        "• 87 × 4 = <<87*4=348>>348 pear",
        "- So 3 - 1 = <<3-1=2>>2",
        "36 ÷ 12 = <<36/12=3>>3",
        "5 - 8 = <<5-8=-3>>-3",
        "9+2(21)=<<9+2*21=51>>51.0 minutes",
        "20% of 50 = <<20/100*50=10>>10",
        "she completed 2 for a total of 29*2 = <<29*2=58>>58",
        "129 spools / 430 spools * 100% = <<129/430*100=30>>30%",
        "100% - 20% = <<100-20=80>>80%",
        "$1056 * 25% = $<<1056*25/100=264>>264",
        "27 total students - 5 play music - 3 tennis = <<27-5-3=19>>19",
        "because 57 + 51 = <<57+51=108>>108",
        "100 - 20 = 80 + 5 = <<80+5=85>>85",
        "2 * 1/4 = <<2*1/4=0.5>>1/2 mile",
        "(3 + 4) * 2 = <<(3+4)*2=14>>14",
        "3 + 4 = <<3+4=7>>7, then 7 - 2 = <<7-2=5>>5",
    ],
)
def test_annotate(annotated: str) -> None:
    plain = strip_annotations(annotated)
    assert annotate(plain) == annotated


@pytest.mark.parametrize(
    "text",
    [
        "0.34*60 = 20 students",  # false
        "48=48",  # computes nothing
        "x = 5 and T = 79",
        "75 + 46 + 20 + T = 141 + T = 220",
        "T + 75 + 46 = 121",  # a part of an equation is none
        "2x + 180 = 182",
        "15÷1/2=30",
        "2 1/2 * 4 = 2",
        "3 + 4 = 7x",
        "7 / 2 = 3.49",
        "1 - 1/3 = 2/3",  # no decimal is the result
        "10/3 = 3.33",
        "1/0 = 5",
        "6 * 2 = <<6*2=12>>12 and 3 + 4 = 7",  # a line with annotations stays
        "at 5:30 + 2 = 7",
    ],
)
def test_not_annotated(text: str) -> None:
    assert annotate(text) == text


@given(st.text(st.sampled_from("0123456789 +-*/x×÷=().,%$€\nab<>•"), max_size=60))
def test_nothing_else_changes(text: str) -> None:
    annotated = annotate(text)
    assert strip_annotations(annotated) == strip_annotations(text)
    if not annotations(text):
        for mark in annotations(annotated):
            assert evaluate(mark.expression) is not None


def test_gsm8k_reannotated(shared_data: Path) -> None:
    """Stripped and annotated anew, most of GSM8K's own annotations come back; all are true."""
    own = again = 0
    with open(shared_data / "gsm8k" / "test.jsonl", encoding="utf-8", newline="\n") as lines:
        for line in lines:
            answer = json.loads(line)["answer"]
            plain = strip_annotations(answer)
            annotated = annotate(plain)
            assert strip_annotations(annotated) == plain
            own += len(annotations(answer))
            again += len(annotations(annotated))
            for mark in annotations(annotated):
                assert evaluate(mark.expression) == evaluate(mark.result), mark
    assert again >= 0.75 * own, f"{again} of {own}"
