"""Which problems a verifier was trained on: `problems.json` beside its weights.

Whoever uses a verifier's scores to choose or to train something must know them: on these problems
they look better than they are. Questions are kept as hashes (`assay.problems.problem`).

    write_training_problems(Path("runs/verifier"), training, held_out)
    read_training_problems(Path("runs/verifier"))       # {"9f86d081884c7d65", …}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from assay.problems.problem import Problem, question_hash
from assay.settings.errors import UserError
from assay.storage.files import atomic_file

__all__ = ["FILE", "read_training_problems", "write_training_problems"]

FILE = "problems.json"


def write_training_problems(
    folder: Path, training: Sequence[Problem], held_out: Sequence[Problem]
) -> None:
    """Records the problems trained on, and those held out to choose which step is kept."""
    content = {
        name: sorted({question_hash(problem.question) for problem in problems})
        for name, problems in (("training", training), ("held_out", held_out))
    }
    with atomic_file(folder / FILE) as stream:
        json.dump(content, stream)
        stream.write("\n")


def read_training_problems(folder: Path) -> set[str] | None:
    """Hashes of the questions trained on; `None` where the folder does not say.

    Those held out for validation are not among them: they decided which step is kept, no weight.
    Raises `UserError` for a file that is damaged.
    """
    file = folder / FILE
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {str(each) for each in content["training"]}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: cannot be read ({error!r:.80})") from error
