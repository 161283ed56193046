"""Calculator (being written: evaluation, annotations, derivation follow in minutes)."""


def annotate(text: str) -> str:
    return text


def derive_program(solution: str, answer: str) -> str | None:
    return None
