r"""Attention over packs, one layer, forward and backward: three ways to do it, in one run.

    python scripts/gpu/attention.py [device=cuda] [dtype=bfloat16] [tokens=16384] [packs=4]
        [heads=16] [size=128] [repeats=20] [seed=0]

`shared prefix` is what the verifier trains with (`assay.verifier.attention`: padded rows, PyTorch's
scaled-dot-product attention); `dense mask` is the same attention as one call with a mask over all
pairs; `FlexAttention` skips the blocks of the mask that are empty (compiled on CUDA, which takes
about a minute; its mask is built once for all layers of a batch, and that time is printed too).
Questions have 100 tokens, solutions about 150. Outputs are compared before anything is timed.

On a CPU (`device=cpu dtype=float32 tokens=512 packs=2 heads=2 size=16 repeats=1`) this is a test:
FlexAttention runs uncompiled there and has no backward pass, so only forward passes are done.
FlexAttention needs torch 2.5 or newer; where it is missing or fails, the table says so.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# In the place of this folder.
sys.path[0] = str(Path(__file__).resolve().parents[2])

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor  # noqa: E402

from assay.verifier.attention import PackLayout, _shared_prefix_attention, pack_mask  # noqa: E402
from assay.verifier.data import Sampled  # noqa: E402
from assay.verifier.packing import Pack, packed_batch  # noqa: E402
from scripts.bench.machine import machine  # noqa: E402

DEFAULTS = {
    "device": "cuda",
    "dtype": "bfloat16",
    "tokens": "16384",
    "packs": "4",
    "heads": "16",
    "size": "128",
    "repeats": "20",
    "seed": "0",
}
Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def layout_of(tokens: int, packs: int, seed: int) -> PackLayout:
    """The layout of a row of about so many tokens."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(packs):
        sampled: list[Sampled] = []
        while 100 + sum(len(s.ids) for s in sampled) < tokens / packs - 75:
            length = int(rng.lognormal(np.log(150), 0.35))
            sampled.append(Sampled(rng.integers(2, 99, length), True, 1))
        made.append(Pack(rng.integers(2, 99, 100), tuple(sampled), ()))
    layout = packed_batch(made, "token").layout
    assert layout is not None
    return layout


def shared_prefix(layout: PackLayout) -> Attention:
    """The verifier's attention."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        output, _ = _shared_prefix_attention(None, query, key, value, None, pack_layout=layout)
        return output.transpose(1, 2)

    return attend


def dense(layout: PackLayout) -> Attention:
    """One call, a mask over all pairs."""
    mask = pack_mask(layout.packs, layout.segments)

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)

    return attend


def flex(layout: PackLayout) -> Attention:
    """FlexAttention with the same mask, as a rule."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    packs, segments, length = layout.packs, layout.segments, len(layout.packs)

    def visible(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = (segments[key] == 0) | (segments[key] == segments[query])
        return seen & (packs[key] == packs[query]) & (key <= query)

    def mask() -> Any:
        return create_block_mask(visible, None, None, length, length, device=packs.device)

    attend, block_mask = flex_attention, mask()
    if packs.device.type == "cuda":
        attend = torch.compile(flex_attention, dynamic=False)
        print(f"FlexAttention's mask: {1000 * seconds_of(mask, packs.device):.1f} ms a batch")
    return lambda query, key, value: attend(query, key, value, block_mask=block_mask)


def seconds_of(work: Callable[[], Any], device: torch.device) -> float:
    """Seconds by the clock, until the device is done."""
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    begin = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - begin


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    if unknown := set(given) - set(DEFAULTS):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(DEFAULTS)}")
    given = {**DEFAULTS, **given}
    device, dtype = torch.device(given["device"]), getattr(torch, given["dtype"])
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("device=cuda: PyTorch finds no CUDA GPU")
    layout = layout_of(int(given["tokens"]), int(given["packs"]), int(given["seed"])).to(device)
    length = len(layout.packs)
    shape = (1, length, int(given["heads"]), int(given["size"]))
    torch.manual_seed(int(given["seed"]))
    backward = device.type == "cuda"
    inputs = [
        torch.randn(shape, device=device, dtype=dtype).transpose(1, 2).requires_grad_(backward)
        for _ in range(3)
    ]
    visible = int(pack_mask(layout.packs, layout.segments).sum())
    print(machine())
    print(f"torch {torch.__version__}, {device}, {given['dtype']}: {given['packs']} packs, "
          f"{length} tokens, {visible / length**2:.1%} of all pairs visible")  # fmt: skip
    print(f"{'':16}{'ms':>9}{'TFLOP/s that count':>22}{'largest difference':>20}")
    flop = (3.5 if backward else 1) * 4 * visible * shape[2] * shape[3]
    expected: Tensor | None = None
    for name, make in (("shared prefix", shared_prefix), ("dense mask", dense),
                       ("FlexAttention", flex)):  # fmt: skip
        try:
            attend = make(layout)
            output = attend(*inputs)
            gradient = torch.ones_like(output)

            def once(attend: Attention = attend, gradient: Tensor = gradient) -> None:
                made = attend(*inputs)
                if backward:
                    torch.autograd.grad(made, inputs, gradient)

            once()
            times = [seconds_of(once, device) for _ in range(int(given["repeats"]))]
        except (ImportError, RuntimeError, NotImplementedError) as error:
            print(f"  {name:14} not here: {type(error).__name__}: {str(error).splitlines()[0]}")
            continue
        expected = output.detach() if expected is None else expected
        apart = float((output.detach() - expected).abs().max())
        middle = statistics.median(times)
        print(f"  {name:14}{1000 * middle:9.2f}{flop / middle / 1e12:22.3f}{apart:20.1e}")


if __name__ == "__main__":
    main()
