"""Matrix products in 8-bit integers, for CPUs.

Weights are rounded once, by one scale for each output; activations at every call, by one scale for
each row. A row's result depends on nothing but the row (an integer sum is exact in any order), so
samples stay independent of their batch. What changes is the model's distribution, a little.

The same sums can be had in several ways, of which a processor is fast at some. On AVX-512 with VNNI
and without AMX, oneDNN takes signed activations to its plain reference, a thousand times slower
than float32; without VNNI its sums of two products saturate at 16 bits. So nothing is taken on
trust: `fastest_way` tries values and speed on the spot.

    way = fastest_way(inputs=576, outputs=3072)         # None: float32 is faster here
    product = Int8Product(model.lm_head, way=way.name)
    logits = product(hidden)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

__all__ = ["WAYS", "Int8Product", "Way", "fastest_way"]

_LARGEST = 127
# What is timed: few rows, as at the end of a part, and as many as fill a batch.
_ROWS = (8, 64)
_REPEATS = 5

Sums = Callable[[torch.Tensor], torch.Tensor]


class _Make(Protocol):
    def __call__(self, whole: torch.Tensor, scale: torch.Tensor) -> Sums: ...


@dataclass(frozen=True)
class Way:
    """How products are made, and how many times as fast as in float32 that was when tried."""

    name: str
    ratio: float


class Int8Product:
    """Linear modules of one input as one product; they keep their own weights."""

    def __init__(self, *linears: torch.nn.Linear, way: str) -> None:
        weight = torch.cat([m.weight.data for m in linears]).float()
        scale = _scale(weight)
        self._product = WAYS[way]((weight / scale).round_().to(torch.int8), scale[:, 0])
        biases = [m.bias for m in linears if m.bias is not None]
        self._bias = torch.cat([b.data for b in biases]).float() if biases else None

    def current(self) -> bool:
        """Always: the rounded copy is what samples are drawn from, whatever the model becomes."""
        return True

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """The product of `rows`, (rows, inputs) in float32: (rows, outputs)."""
        sums, scale = self._sums(rows)
        product = sums.mul_(scale)
        return product if self._bias is None else product.add_(self._bias)

    def add_to(self, total: torch.Tensor, rows: torch.Tensor) -> None:
        """Adds the product to `total`."""
        total.addcmul_(*self._sums(rows))
        if self._bias is not None:
            total.add_(self._bias)

    def _sums(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The product but for the rows' scales, and these, (rows, 1)."""
        scale = _scale(rows)
        return self._product((rows / scale).round_().to(torch.int8)), scale


def _scale(rows: torch.Tensor) -> torch.Tensor:
    """What makes each row's largest value 127, (rows, 1)."""
    return rows.abs().amax(1, keepdim=True).clamp_(min=1e-30).div_(_LARGEST)


def _unsigned(whole: torch.Tensor, scale: torch.Tensor) -> Sums:
    """Activations plus 128: what processors with VNNI, AMX or not, multiply fast."""
    multiply = _packed(whole, scale, zero=128)
    # Adding 128 to a number of 8 bits turns over its highest bit.
    return lambda rows: multiply(rows.view(torch.uint8) ^ 128)


def _signed(whole: torch.Tensor, scale: torch.Tensor) -> Sums:
    return _packed(whole, scale, zero=0)


def _halves(whole: torch.Tensor, scale: torch.Tensor) -> Sums:
    """Weights w as 2 ⌊w / 2⌋ + w mod 2: two products, whose sums of two fit into 16 bits."""
    half = torch.div(whole, 2, rounding_mode="floor")
    upper, lower = _unsigned(half, 2 * scale), _unsigned(whole - 2 * half, scale)
    return lambda rows: upper(rows).add_(lower(rows))


def _packed(whole: torch.Tensor, scale: torch.Tensor, zero: int) -> Sums:
    weight = torch.ops.onednn.qlinear_prepack(whole, None)
    zeros = torch.zeros(len(scale), dtype=torch.int32)

    def multiply(rows: torch.Tensor) -> torch.Tensor:
        # The operator has one scale for all activations: 1, and the rows' own come after it.
        product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            *(rows, 1.0, zero),
            *(weight, scale, zeros),
            *(None, 1.0, 0, torch.float32, "none", [], ""),
        )
        return product

    return multiply


WAYS: dict[str, _Make] = {
    "unsigned activations": _unsigned,
    "signed activations": _signed,
    "weights in two halves": _halves,
}
"""In the order in which they are tried."""


def fastest_way(
    inputs: int, outputs: int, seconds: Callable[[str, Callable[[], Any]], float] | None = None
) -> Way | None:
    """The first of `WAYS` that gives the right sums and beats float32; `None` where none does.

    It is tried on random weights of this shape, which takes milliseconds. `seconds` tells how long
    a call takes, given a name ("float32" or a way's) and the call.
    """
    seconds = seconds or _seconds
    draws = torch.Generator().manual_seed(0)
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    with torch.inference_mode():
        linear.weight.copy_(torch.randn(outputs, inputs, generator=draws))
        batches = [torch.randn(rows, inputs, generator=draws) for rows in _ROWS]
        plain = linear.weight.t().contiguous()
        exact = [seconds("float32", lambda b=batch: b @ plain) for batch in batches]  # type: ignore[misc]
        for name, make in WAYS.items():
            product = Int8Product(linear, way=name)
            # One row first: a reference kernel would take a second for a batch.
            single = seconds(name, lambda p=product: p(batches[0][:1]))  # type: ignore[misc]
            if single > exact[-1] or not _right(make, inputs):
                continue
            found = [seconds(name, lambda b=batch, p=product: p(b)) for batch in batches]  # type: ignore[misc]
            ratios = [a / b for a, b in zip(exact, found, strict=True)]
            if min(ratios) > 1:
                return Way(name, ratios[-1])
    return None


def _right(make: _Make, inputs: int) -> bool:
    """Whether sums are exact, of large numbers of one sign too: those saturate."""
    draws = torch.Generator().manual_seed(1)
    shape = (3, inputs)
    weights = torch.randint(-_LARGEST, _LARGEST + 1, shape, generator=draws, dtype=torch.int8)
    rows = torch.randint(-_LARGEST, _LARGEST + 1, shape, generator=draws, dtype=torch.int8)
    weights[0], rows[0], rows[1] = _LARGEST, _LARGEST, -_LARGEST
    found = make(weights, torch.ones(3))(rows).double()
    expected = rows.double() @ weights.double().t()
    return bool(torch.allclose(found, expected, rtol=1e-6, atol=0.5))


def _seconds(_: str, call: Callable[[], Any]) -> float:
    """The least of some tries: other processes only ever make one longer."""
    times: Sequence[float] = [_once(call) for _ in range(_REPEATS)]
    return min(times)


def _once(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
