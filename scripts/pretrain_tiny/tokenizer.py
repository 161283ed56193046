"""Make the embedded model's tokenizer: byte-level BPE over the corpus and everyday words.

Any text can be encoded and decodes to itself; digits are single tokens, so that a number is copied
digit by digit. `</s>` ends, `<pad>` pads, eight reserved tokens wait for the verifier's head.

    python scripts/pretrain_tiny/tokenizer.py --out generator/embedded
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

import corpus
import words
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

END, PAD = "</s>", "<pad>"
RESERVED = [f"<|reserved_{i}|>" for i in range(8)]
SIZE = 3072
STARTS = """
If In On At When How What Then There They The This That These Each Every He She It First Since
Next After Before His Her Their While But And So Thus Therefore Together Find Out Of For From
Altogether Let We A An Now Later Yesterday Today Half Total Calculate
"""


def texts(seed: int = 0) -> Iterator[str]:
    """What the merges are learned from: 4000 examples of each stage, and every known word."""
    rng = random.Random(seed)
    for stage in (1, 2, 3):
        for _ in range(4_000):
            example = corpus.sample(rng, stage)
            yield example.prompt + example.response
    known = [
        *words.COMMON,
        *words.MEASURES,
        *words.SURNAMES,
        *words.MONTHS,
        *words.SUBJECTS,
        *words.SPORTS,
    ]
    known += [
        *words.SHE,
        *words.HE,
        *words.ROLES,
        *words.KIN,
        *words.PLACES,
        *words.COLORS,
        *words.DAYS,
    ]
    known += [form for thing in words.THINGS for form in thing]
    known += [form for pair in [*words.HOLDERS, *words.GROUPS] for form in pair.split("/")]
    for word in dict.fromkeys(known):
        yield f" {word}" * 200
    for word in STARTS.split():
        yield f" {word}" * 200 + f"\n{word}" * 50


def train() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=[PAD, END, *RESERVED],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=RESERVED,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the embedded model's tokenizer.")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    train().save_pretrained(args.out)
    print(f"{SIZE} tokens -> {args.out}")


if __name__ == "__main__":
    main()
