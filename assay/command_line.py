"""Assay's front door: `assay COMMAND [CONFIG.yaml] [key=value …]`.

Each command is a function of one configuration (a dataclass); YAML files and `key=value` words are
merged into it. `assay --help` lists the commands, `assay COMMAND --help` its keys and defaults.
Exit codes: 0 done, 2 bad input (one line says what), 130 interrupted; 1 only from
`assay sandbox check`: something was not contained.
"""

from __future__ import annotations

import dataclasses
import errno
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from assay.commands import COMMANDS, GROUPS, Command

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Set before the libraries are imported; a user's own values win.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Threads of torch that wait for work spin by default; beside any other busy process that makes
    # two threads several times slower than one. A short spin costs 2 % on an idle machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        _check(words)
        return _dispatch(words)
    except KeyboardInterrupt:
        print(
            "\nassay: interrupted; finished parts are kept, the same command goes on",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        line = _line(error)
        if line is None:
            raise
        print(f"assay: {line}", file=sys.stderr)
        return 2


def _check(words: Sequence[str]) -> None:
    """Refuses words that are not UTF-8: they could neither be printed nor kept in a run."""
    from assay.settings.errors import UserError
    from assay.storage.jsonl import without_surrogates

    for word in words:
        shown = without_surrogates(word)
        if shown != word:
            raise UserError(f"{shown}: expected UTF-8 text")


def _line(error: Exception) -> str | None:
    """The line shown for an error that a user can cause; `None` for a defect of ours."""
    from assay.sandbox import SandboxError
    from assay.settings.errors import UserError

    if isinstance(error, (UserError, SandboxError)):
        return str(error)
    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOENT,
        errno.EISDIR,
        errno.ENOTDIR,
    ):
        return f"{error.filename or 'writing'}: {error.strerror}; finished parts are kept"
    if type(error).__name__ == "OutOfMemoryError":
        return "the accelerator's memory is full; try a smaller batch (engine.batch_size=…)"
    return None


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        print(_overview())
        return 0
    if words[0] in ("--version", "-V"):
        from importlib.metadata import version

        print(f"assay {version('assay')}")
        return 0
    name, rest = _name(words)
    command = COMMANDS.get(name)
    if command is None:
        import difflib

        near = difflib.get_close_matches(name, COMMANDS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(COMMANDS)}"
        print(f"assay: {name}: unknown command; {hint}", file=sys.stderr)
        return 2
    module = importlib.import_module(command.module)
    schema = getattr(module, command.schema)
    from assay.settings.schema import load

    if asked := {"--help", "-h"} & set(rest):
        topic = rest[rest.index(asked.pop()) + 1 :]
        defaults = load(schema, command.configs)
        print(_help(name, command, defaults, topic[0] if topic else ""))
        return 0

    config = load(schema, [*command.configs, *layers(command, with_values(rest, schema))])
    code = getattr(module, command.function)(config)
    return code if isinstance(code, int) else 0


def _name(words: list[str]) -> tuple[str, list[str]]:
    """The command's name, which may be of two words, and the words after it."""
    first, rest = words[0], words[1:]
    has_parts = any(name.startswith(f"{first} ") for name in COMMANDS)
    if has_parts and rest and re.fullmatch(r"[a-z]+", rest[0]):
        return f"{first} {rest[0]}", rest[1:]
    return first, rest


def with_values(words: list[str], schema: Any) -> list[str]:
    """Joins `--format qwen` to `--format=qwen`, unless the key is a switch."""
    out: list[str] = []
    for word in words:
        before = out[-1] if out else ""
        is_key = before.startswith("--") and _takes_value(schema, before[2:].replace("-", "_"))
        if is_key and not word.startswith("--"):
            out[-1] = f"{before}={word}"
        else:
            out.append(word)
    return out


def _takes_value(schema: Any, key: str) -> bool:
    """Whether `key`, perhaps a nested one, is a key of `schema` and no switch."""
    import typing

    hint: Any = schema
    for name in key.split("."):
        if not dataclasses.is_dataclass(hint):
            return typing.get_origin(hint) is dict
        hint = typing.get_type_hints(hint).get(name)
    return hint is not None and hint is not bool


def layers(command: Command, words: list[str]) -> list[str | dict[str, Any]]:
    """The words as layers of a configuration; `--show` is `show=true`."""
    from assay.settings.errors import UserError

    out: list[str | dict[str, Any]] = []
    free = command.word
    many: list[str] = []
    for word in words:
        if word.startswith("--"):
            key, equals, value = word[2:].partition("=")
            out.append(f"{key.replace('-', '_')}={value if equals else 'true'}")
        elif command.others and not _is_own(command, word):
            many.append(word.replace("${", "\\${"))
        elif _is_setting(word, question=free == "question") or _is_braced(command, word):
            out.append(word)
        elif free:
            # A layer of its own, so that nothing in a question is taken for YAML or "${…}".
            out.append({free: word.replace("${", "\\${")})
            free = ""
        elif command.words:
            many.append(word.replace("${", "\\${"))
        else:
            raise UserError(f"{word}: expected a .yaml file or key=value")
    if many:
        out.append({command.words: many})
    return out


def _is_own(command: Command, word: str) -> bool:
    """Whether a word sets one of the command's own keys."""
    schema = getattr(importlib.import_module(command.module), command.schema)
    return re.split("[.=]", word)[0] in {field.name for field in dataclasses.fields(schema)}


def _is_braced(command: Command, word: str) -> bool:
    """Whether a word is `key={…}` or `key=[…]` of the command's own, which may hold spaces."""
    return bool(re.fullmatch(r"[A-Za-z_]\w*=[{\[].*[}\]]", word)) and _is_own(command, word)


def _is_setting(word: str, *, question: bool) -> bool:
    """Whether a word is a YAML file or `key=value`; a question may hold an equals sign too."""
    if question and " " in word:
        return False
    return word.endswith((".yaml", ".yml")) or bool(re.match(r"[A-Za-z_][\w.]*=", word))


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [
        "assay: solve mathematical problems by sampling many candidates and verifying them",
        "",
        "usage: assay COMMAND [CONFIG.yaml] [key=value …]",
        "       assay COMMAND --help [all|GROUP]",
        "       a key is key=value, --key=value or --key value; --key alone is key=true;",
        "       YAML files and keys are merged in their order, later ones winning",
    ]
    for group, names in GROUPS.items():
        lines += ["", group]
        lines += [f"  {name:<{width}}  {COMMANDS[name].summary}" for name in names]
    return "\n".join(lines)


def _help(name: str, command: Command, defaults: Any, topic: str) -> str:
    from assay.settings.help import describe

    text = describe(type(defaults), defaults, topic)
    more = "" if topic else f"\n\nall keys: assay {name} --help all"
    return (
        f"assay {name}: {command.summary}\n\nusage: {command.usage}\n\n"
        f"keys, with their defaults:\n{text}{more if '--help ' in text else ''}"
    )
