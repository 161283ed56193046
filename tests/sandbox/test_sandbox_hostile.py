"""Programs that mean harm: each has one right outcome, and nothing outside notices.

What they are is in `assay.sandbox.hostile`, how they are judged in `assay.sandbox.check`.
"""

import random
import re
from collections import Counter

import pytest

import assay.sandbox.check as check_module
from assay.sandbox import STATUSES, Limits, Sandbox, capabilities
from assay.sandbox.check import Verdict, check
from assay.sandbox.hostile import ATTACKS, Attack
from assay.sandbox.layers import LAYERS


@pytest.fixture(scope="module")
def verdicts() -> dict[tuple[str, str], Verdict]:
    return {(verdict.kind, verdict.name): verdict for verdict in check()}


def tell(attack: Attack) -> str:
    return f"{attack.kind}: {attack.name}"


@pytest.mark.parametrize("attack", ATTACKS, ids=tell)
def test_attack(attack: Attack, verdicts: dict[tuple[str, str], Verdict]) -> None:
    verdict = verdicts[attack.kind, attack.name]
    if verdict.missing:
        pytest.skip(f"{verdict.missing} is not available here")
    assert verdict.contained, verdict


def test_nothing_else_is_wrong(verdicts: dict[tuple[str, str], Verdict]) -> None:
    """All plain programs in one call; and no process, descriptor or file is left at the end."""
    known = {(attack.kind, attack.name) for attack in ATTACKS}
    others = [verdict for key, verdict in verdicts.items() if key not in known]
    assert [verdict.kind for verdict in others] == ["together", "afterwards"]
    assert all(verdict.contained for verdict in others), others


def test_every_attack_is_well_formed() -> None:
    names = Counter((attack.kind, attack.name) for attack in ATTACKS)
    assert [name for name, count in names.items() if count > 1] == []
    for attack in ATTACKS:
        assert set(attack.expected.split("|")) <= set(STATUSES), attack
        assert not attack.needs or set(attack.needs.split("|")) <= set(LAYERS), attack
        re.compile(attack.pattern)


def test_no_kind_of_attack_is_forgotten() -> None:
    kinds = Counter(attack.kind.partition(":")[0] for attack in ATTACKS)
    assert set(kinds) == {
        *("time", "memory", "output", "crash", "processes", "signals", "system calls", "writing"),
        *("reading", "network", "forging", "spying", "poisoning", "answers", "sources"),
        *("printing", "plain", "numpy", "sympy"),
    }
    assert min(kinds.values()) >= 5
    assert kinds["plain"] >= 100


def test_output_is_kept_up_to_the_limit() -> None:
    with Sandbox(workers=1, limits=Limits(output_kb=64)) as sandbox:
        (outcome,) = sandbox.run(["print('x' * 20_000_000)"])
    assert (outcome.status, outcome.output) == ("output_limit", "x" * 64 * 1024)


def test_a_shared_process_changes_no_outcome() -> None:
    """Alone, and in processes with others in an order of chance; addresses in memory aside."""
    active = capabilities()
    programs = [
        attack.source({})
        for attack in ATTACKS
        if check_module._may_share(attack)
        and not check_module._needs_packages(attack)
        and not attack.missing(active)
    ]
    programs = random.Random(1).sample(programs, len(programs))
    assert len(programs) > 100
    with Sandbox(workers=1, limits=check_module.LIMITS, share=False) as sandbox:
        alone = sandbox.run(programs)
    with Sandbox(workers=1, limits=check_module.LIMITS) as sandbox:
        shared = sandbox.run(programs)
    for program, one, other in zip(programs, alone, shared, strict=True):
        if "timeout" not in (one.status, other.status):
            assert check_module._comparable(one) == check_module._comparable(other), program


def test_neighbours_that_use_much_harm_nobody() -> None:
    """Each within its limits, all together far beyond them: of time, of memory and of output."""
    limits = Limits(cpu_seconds=0.5, memory_mb=64)
    programs = [f"x = [{i}] * 5_000_000\nprint(len(x))" for i in range(4)]
    programs += [f"x = {i}\nfor y in range(10**6): x += y\nprint(x)" for i in range(8)]
    programs += [f"print('{i}' * 60_000)" for i in range(4)]
    with Sandbox(workers=1, limits=limits) as sandbox:
        outcomes = sandbox.run(programs)
    assert [outcome.status for outcome in outcomes] == ["ok"] * 16
    assert [outcome.output for outcome in outcomes[:4]] == ["5000000\n"] * 4
    assert [int(outcome.output) for outcome in outcomes[4:12]] == [
        499999500000 + i for i in range(8)
    ]
    assert [outcome.output for outcome in outcomes[12:]] == [
        str(i) * 60_000 + "\n" for i in range(4)
    ]
