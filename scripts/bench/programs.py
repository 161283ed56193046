r"""The mixed programs that the sandbox's benchmark and soak test run, each with its right outcome.

They are made from templates in the manner of programs that fine-tuned generators write, with
numbers drawn from a seed, so that no two are the same text and every result is known: it is
computed here by ordinary Python, never by running the program.

    program, status, output = mixed(2000, seed=0)[0]
"""

import random
from collections.abc import Callable
from fractions import Fraction

__all__ = ["Made", "mixed"]

# A program, the status that it must have, and what it must print ("" where it does not matter).
Made = tuple[str, str, str]

_NAMES = ("Ann", "Ben", "Chidi", "Dora", "Eve", "Farid", "Gita", "Hugo")
_THINGS = ("apples", "books", "marbles", "tickets", "cookies", "pens")


def _shop(draw: random.Random) -> Made:
    name, thing = draw.choice(_NAMES), draw.choice(_THINGS)
    count, price, paid = draw.randint(2, 40), draw.randint(1, 30), draw.randint(1300, 5000)
    program = f"""
# {name} buys {thing}
{thing}_bought = {count}
price_each = {price}
total_cost = {thing}_bought * price_each
paid = {paid}
change = paid - total_cost
print(change)
"""
    return program, "ok", f"{paid - count * price}\n"


def _function(draw: random.Random) -> Made:
    a, b, days = draw.randint(3, 90), draw.randint(2, 9), draw.randint(2, 30)
    program = f'''
def solution():
    """{draw.choice(_NAMES)} reads {a} pages on a weekday and {b} times as many on a day off."""
    weekday = {a}
    day_off = weekday * {b}
    days = {days}
    total = 0
    for day in range(1, days + 1):
        if day % 7 in (6, 0):
            total += day_off
        else:
            total += weekday
    result = total
    return result

print(solution())
'''
    total = sum(a * b if day % 7 in (6, 0) else a for day in range(1, days + 1))
    return program, "ok", f"{total}\n"


def _percent(draw: random.Random) -> Made:
    base, percent = draw.randint(10, 900), draw.choice((5, 10, 20, 25, 40, 75))
    program = f"""
original_price = {base}
discount_rate = {percent} / 100
discount = original_price * discount_rate
final_price = original_price - discount
print("The final price is", round(final_price, 2))
"""
    return program, "ok", f"The final price is {round(base - base * (percent / 100), 2)}\n"


def _comprehension(draw: random.Random) -> Made:
    numbers = [draw.randint(1, 200) for _ in range(draw.randint(4, 12))]
    program = f"""
import math
values = {numbers}
evens = [v for v in values if v % 2 == 0]
answer = sum(evens) + math.floor(max(values) / 3) - len(set(values))
print(f"{{answer:.1f}}")
"""
    answer = sum(v for v in numbers if v % 2 == 0) + max(numbers) // 3 - len(set(numbers))
    return program, "ok", f"{answer:.1f}\n"


def _while_loop(draw: random.Random) -> Made:
    start, factor, goal = draw.randint(1, 9), draw.randint(2, 4), draw.randint(5000, 90000)
    program = f"""
bacteria = {start}
hours = 0
while bacteria < {goal}:
    bacteria *= {factor}
    hours += 1
print(hours)
"""
    hours, bacteria = 0, start
    while bacteria < goal:
        bacteria, hours = bacteria * factor, hours + 1
    return program, "ok", f"{hours}\n"


def _fraction(draw: random.Random) -> Made:
    a, b, c, d = (draw.randint(1, 20) for _ in range(4))
    program = f"""
from fractions import Fraction
eaten = Fraction({a}, {b}) + Fraction({c}, {d})
ans = eaten / 2
"""
    return program, "ok", f"{(Fraction(a, b) + Fraction(c, d)) / 2}\n"


def _linear(draw: random.Random) -> Made:
    a, x, b = draw.randint(2, 30), draw.randint(1, 60), draw.randint(1, 400)
    program = f"""
from sympy import symbols, Eq, solve
x = symbols('x')
equation = Eq({a} * x + {b}, {a * x + b})
solution = solve(equation, x)
print(solution[0])
"""
    return program, "ok", f"{x}\n"


def _system(draw: random.Random) -> Made:
    x, y = draw.randint(1, 90), draw.randint(1, 90)
    a, b = draw.randint(2, 9), draw.randint(2, 9)
    program = f"""
import sympy as sp
adults, children = sp.symbols('adults children', positive=True)
result = sp.solve(
    [sp.Eq({a} * adults + {b} * children, {a * x + b * y}),
     sp.Eq(adults - children, {x - y})], (adults, children))
print(result[adults], result[children])
"""
    return program, "ok", f"{x} {y}\n"


def _quadratic(draw: random.Random) -> Made:
    p, q = sorted((draw.randint(-30, -1), draw.randint(1, 40)))
    program = f"""
from sympy import *
x = symbols('x', real=True)
roots_found = solve(x**2 - ({p + q})*x + ({p * q}), x)
print([r for r in roots_found if r > 0][0])
"""
    return program, "ok", f"{q}\n"


def _calculus(draw: random.Random) -> Made:
    n, a, b = draw.randint(2, 6), draw.randint(1, 5), draw.randint(1, 9)
    program = f"""
from sympy import symbols, integrate, diff, simplify, Rational
t = symbols('t')
f = {a} * t**{n} + {b} * t
area = integrate(f, (t, 0, {b}))
slope = diff(f, t).subs(t, {a})
print(simplify(area + slope))
"""
    area = Fraction(a * b ** (n + 1), n + 1) + Fraction(b**3, 2)
    return program, "ok", f"{area + n * a * a ** (n - 1) + b}\n"


def _number_theory(draw: random.Random) -> Made:
    primes = [draw.choice((2, 3, 5, 7, 11, 13)) for _ in range(5)]
    number = 1
    for prime in primes:
        number *= prime
    program = f"""
from sympy import factorint, divisors
n = {number}
print(factorint(n), len(divisors(n)))
"""
    powers = {prime: primes.count(prime) for prime in sorted(primes)}
    count = 1
    for power in powers.values():
        count *= power + 1
    return program, "ok", f"{powers} {count}\n"


def _numpy(draw: random.Random) -> Made:
    numbers = [draw.randint(1, 60) for _ in range(draw.randint(4, 9))]
    program = f"""
import numpy as np
data = np.array({numbers})
print(int(data.sum()), int(np.max(data)), float(np.dot(data, data)))
"""
    squares = float(sum(n * n for n in numbers))
    return program, "ok", f"{sum(numbers)} {max(numbers)} {squares}\n"


def _mistake(draw: random.Random) -> Made:
    a = draw.randint(2, 900)
    program = draw.choice(
        (
            f"total = {a}\nprint(total / (total - {a}))",
            f"total = {a}\nprint(totl * 2)",
            f"prices = [{a}, {a + 1}]\nprint(prices[2])",
            f"cost = {a}\nprint('cost: ' + cost)",
            f"x = {a}\nif x > 3\n    print(x)",
        )
    )
    return program, "error", ""


def _loop(draw: random.Random) -> Made:
    return f"x = {draw.randint(2, 10**6)}\nwhile x > 0:\n    x += 1\nprint(x)", "timeout", ""


def _hog(draw: random.Random) -> Made:
    if draw.random() < 0.5:
        return f"x = [{draw.randint(0, 10**6)}] * 10**10\nprint(len(x))", "memory", ""
    chunk = draw.randint(10**6, 2 * 10**6)
    return f"kept = []\nwhile True:\n    kept.append('x' * {chunk})", "memory", ""


_PLAIN = (_shop, _function, _percent, _comprehension, _while_loop, _fraction)
_SYMPY = (_linear, _system, _quadratic, _calculus, _number_theory)


def mixed(count: int, seed: int, slow: bool = True) -> list[Made]:
    """Programs in random order: 70 % plain arithmetic, 20 % sympy, 5 % numpy, 3 % that raise.

    With `slow` also 1 % endless loops and 1 % memory hogs; without, the others alone, in the same
    order and as many as they would have been.
    """
    draw = random.Random(seed)
    kinds: tuple[tuple[int, tuple[Callable[[random.Random], Made], ...]], ...] = (
        (70, _PLAIN),
        (20, _SYMPY),
        (5, (_numpy,)),
        (3, (_mistake,)),
        (1, (_loop,)),
        (1, (_hog,)),
    )
    made = [
        draw.choice(templates)(draw)
        for share, templates in kinds
        for _ in range(count * share // 100)
    ]
    draw.shuffle(made)
    return [row for row in made if slow or row[1] not in ("timeout", "memory")]
