"""What the calculator writes after a text, against literal values."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.problems.calculator import annotations, continue_with, evaluate


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Natalia sold 48/2 = <<48/2=", "24>>"),
        ("<<5=", "5>>"),
        ("<<10/4=", "2.5>>"),
        ("<<.1+.2=", "0.3>>"),
        ("<<2*2.50=", "5>>"),
        ("<<3-8=", "-5>>"),
        ("<<1/3=", "0.3333333333>>"),
        ("<<2+3*(4-1)=", "11>>"),
        ("<<5(4)=", "20>>"),
        ("<<12 / 4 =", "3>>"),
        ("<<6 x 7=", "42>>"),
        ("<<1,200+34=", "1234>>"),
        ("cost $<<$5*3=", "15>>"),
        ("<<60%=", "0.6>>"),
        ("<<50*20%=", "10>>"),
        ("<<7//2=", "3>>"),
        ("<<2**10=", "1024>>"),
        ("<<2**60=", "1152921504606846976>>"),
        ("<<1/2**10=", "0.0009765625>>"),
        # several, repeated, nested, on several lines
        ("<<1+1=2>>2 and <<2+2=", "4>>"),
        ("<<1+1=2>>2 and <<1+1=", "2>>"),
        ("<<1+1 and <<2+2=", "4>>"),
        ("<<1+<<2+2=", "4>>"),
        ("<<<2+2=", "4>>"),
        ("<<1+1=\n<<2+2=", "4>>"),
        ("30% off is 30%<<0.3*20=", "6>>"),
    ],
)
def test_completed(text: str, more: str) -> None:
    assert continue_with(text) == more
    assert annotations(text + more)[-1].result + ">>" == more


@pytest.mark.parametrize(
    "text",
    [
        # not begun, not finished, finished before
        *("", "=", "48/2 =", "<<", "<<48", "<<48/2", "<48/2=", "< <48/2=", "<<1+1=2>>2 ="),
        # the result is begun, or there
        *("<<48/2=2", "<<48/2=24", "<<48/2=24>>", "<<48/2==", "<<48/2=24=", "<<48/2= "),
        # no value
        *("<<=", "<<x=", "<<2x=", "<<5 apples*3=", "<<1/0=", "<<0**-1=", "<<2**.5=", "<<(1+2="),
        *("<<1+<<2+2=4>>=", "<<1\n+1=", "<<1+1>=", "<<1,23=", "<<__import__('os')=", "<<1+1=2>>="),
        # nobody would write it out
        *("<<9**9**9=", "<<10**40=", "<<10**9999=", "<<1/10**40=", "<<" + "1+" * 500 + "1="),
        # shifts, streams, "much less than"
        *(
            "1 << 3 =",
            "1<<3=",
            "x<<3=",
            "f(x)<<3+1=",
            "a[0]<<3=",
            "x << 3 + 1 =",
            "cout << 3 + 4 =",
        ),
    ],
)
def test_left_alone(text: str) -> None:
    assert continue_with(text) is None


def test_hostile_text_takes_no_time() -> None:
    begin = time.thread_time()
    for text in ("<<" * 200_000 + "=", "<<" + "9" * 200_000 + "=", "<<" + "(" * 200_000 + "="):
        assert continue_with(text) is None
    assert continue_with("<<" + "9**" * 100 + "9=") is None
    assert time.thread_time() - begin < 0.5


@given(st.text(alphabet="<>=+-*/.1230% \n", max_size=12))
def test_only_what_ends_in_an_expression_is_completed(text: str) -> None:
    more = continue_with(text)
    if more is None:
        return
    last = annotations(text + more)[-1]
    assert text.endswith(f"<<{last.expression}=")
    assert last.end == len(text) + len(more)
    value, stated = evaluate(last.expression), evaluate(last.result)
    assert value is not None
    assert stated is not None
    assert abs(value - stated) <= abs(value) / 10**9
