"""Configuration: dataclasses are the schema; YAML files and `key=value` words are merged into them.

    config = load(SampleConfig, ["configs/sample.yaml", "modes.cot=64", "generator=PATH"])

- An unknown key is an error that names the nearest known one; a value of the wrong type is an error
  that names its key. Both are one line (`UserError`).
- Two nodes have a short form: a model is named by its name alone (`generator=PATH_OR_HUB_ID`), a
  problem set by its name or by a JSONL file (`problems=gsm8k`, `problems=my.jsonl`). Where such
  nodes have names, a list names them by their folders (`verifiers=[runs/a, runs/b]`).
- Numbers by name (`modes`) that have a default lose it where some are asked for: `modes.cot=4` is
  four in words and nothing else. `modes=cot` and `modes=[cot]` are the default's number of these
  alone.
- The help text of a command (`describe`) is made from the dataclasses: names, defaults, and the
  strings that stand under the fields in the source.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from assay.settings.errors import UserError
from assay.settings.explain import told, told_file, told_word
from assay.settings.files import CONFIGS, packaged

__all__ = ["as_dict", "fields_of", "find_config", "load", "merge", "read_yaml"]

T = TypeVar("T")


def load(schema: type[T], words: Sequence[str | Mapping[str, Any]]) -> T:
    """The configuration of type `schema` from YAML files and `key=value` words, later ones winning.

    A mapping among the words is taken as it is.

    Raises `UserError` for a missing file, malformed YAML, an unknown key or a wrong type.
    """
    return merge(schema, [_read(w) if isinstance(w, str) else w for w in words])


def merge(schema: type[T], layers: Sequence[Mapping[str, Any]]) -> T:
    """The configuration of type `schema` from nested dictionaries, later ones winning."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    merged = OmegaConf.structured(schema)
    expanded = [_expand(schema, dict(layer), "") for layer in layers]
    for name, counts in _counts(schema).items():
        given = [layer[name] for layer in expanded if isinstance(layer.get(name), dict)]
        if any(count != 0 for each in given for count in each.values()):
            merged[name] = dict.fromkeys(counts, 0)
    for plain in expanded:
        try:
            merged = OmegaConf.merge(merged, OmegaConf.create(plain))
        except OmegaConfBaseException as error:
            raise UserError(told(error)) from error
    try:
        return typing.cast(T, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise UserError(told(error)) from error


def fields_of(schema: type[T], config: Any) -> T:
    """The part of a configuration that its base class `schema` describes."""
    return schema(**{f.name: getattr(config, f.name) for f in dataclasses.fields(schema)})  # type: ignore[arg-type]


def find_config(name: str) -> Path:
    """The YAML file `name`: as given, else among the configurations that come with Assay."""
    path = packaged(name)
    if path.is_file():
        return path
    # These are no command's configuration.
    shipped_all = [p.relative_to(CONFIGS) for p in CONFIGS.rglob("*.yaml")]
    others = ("accelerate", "imports")
    known = sorted(str(p) for p in shipped_all if p.parts[0] not in others)
    raise UserError(f"{name}: no such configuration file; Assay comes with {', '.join(known)}")


def as_dict(config: Any) -> dict[str, Any]:
    """The resolved configuration as JSON types."""
    return dataclasses.asdict(config)


def _read(word: str) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    # Not `Path.is_file`: that raises for words longer than a path may be.
    is_setting = re.match(r"[A-Za-z_][\w.]*=", word) and not os.path.isfile(word)
    if word.endswith((".yaml", ".yml")) and not is_setting:
        file = find_config(word)
        return _beside(read_yaml(file), file.parent)
    if "=" not in word:
        raise UserError(f"{word}: expected a .yaml file or key=value")
    try:
        node = OmegaConf.from_dotlist([word])
    except RecursionError as error:
        raise UserError(f"{word[:60]}…: nested too deep") from error
    except (OmegaConfBaseException, YAMLError, ValueError) as error:
        raise UserError(told_word(word, error)) from error
    return _plain(node, word)


def _beside(layer: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The layer, its DeepSpeed file looked for beside the layer's own where it is nowhere else."""
    for key, value in layer.items():
        if isinstance(value, dict):
            _beside(value, folder)
        elif key == "deepspeed" and isinstance(value, str) and not packaged(value).is_file():
            layer[key] = str(folder / value) if (folder / value).is_file() else value
    return layer


def read_yaml(path: Path) -> dict[str, Any]:
    """The keys and values of a YAML file. Raises `UserError` naming the file."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        node = OmegaConf.load(path)
    except RecursionError as error:
        raise UserError(f"{path}: not readable YAML (nested too deep)") from error
    except (OmegaConfBaseException, YAMLError, OSError, ValueError) as error:
        raise UserError(told_file(path, error)) from error
    return _plain(node, str(path))


def _plain(node: Any, where: str) -> dict[str, Any]:
    from omegaconf import OmegaConf

    plain = OmegaConf.to_container(node, resolve=False)
    if not isinstance(plain, dict):
        raise UserError(f"{where}: expected keys and values")
    return typing.cast(dict[str, Any], plain)


def _expand(schema: type[Any], layer: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Checks a layer's keys against the schema and writes out short forms."""
    hints, defaults = typing.get_type_hints(schema), _counts(schema)
    for key, value in layer.items():
        if key not in hints:
            raise UserError(_unknown(schema, key, prefix))
        _check_colons(value, f"{prefix}{key}")
        nested = hints[key]
        if value is None and nested is str:  # `deepspeed=` on a command line
            layer[key] = ""
            continue
        if not dataclasses.is_dataclass(nested):
            if typing.get_origin(nested) is list and isinstance(value, (str, int, float)):
                layer[key] = value = [value]
            element = _element(nested)
            if key in defaults:
                layer[key] = value = _counted(value, defaults[key])
            _check_kind(nested, element, value, f"{prefix}{key}")
            if element is not None and isinstance(value, list):
                value = _named(value, f"{prefix}{key}")
            if element is not None and isinstance(value, dict):
                layer[key] = {
                    name: _expand(
                        element,
                        _node(element, item, f"{prefix}{key}.{name}"),
                        f"{prefix}{key}.{name}.",
                    )
                    for name, item in value.items()
                }
            continue
        assert isinstance(nested, type)
        layer[key] = _expand(nested, _node(nested, value, f"{prefix}{key}"), f"{prefix}{key}.")
    return layer


def _counts(schema: type[Any]) -> dict[str, dict[str, int]]:
    """The fields that hold numbers by name and have a default, with that."""
    hints = typing.get_type_hints(schema)
    return {
        field.name: counts
        for field in dataclasses.fields(schema)
        if hints[field.name] == dict[str, int]
        and field.default_factory is not dataclasses.MISSING
        and (counts := field.default_factory())
    }


def _counted(value: Any, counts: Mapping[str, int]) -> Any:
    """Names alone, `cot` or `[cot]`, with their default numbers; anything else as it is."""
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and names and all(name in counts for name in names):
        return {name: counts[name] for name in names}
    return value


def _check_kind(hint: Any, element: Any, value: Any, where: str) -> None:
    """Refuses a list or a word where keys and values stand, and the other way round."""
    wants_keys = typing.get_origin(hint) is dict and element is None
    if wants_keys and isinstance(value, (list, str, int)) and not str(value).startswith("${"):
        raise UserError(f"{where}={value}: expected keys and values, as {where}='{{a: 1}}'")
    if typing.get_origin(hint) is list and isinstance(value, dict):
        raise UserError(f"{where}={value}: expected a list, as {where}='[a, b]'")


def _check_colons(value: Any, where: str) -> None:
    """Refuses `{cot:50}`, which YAML reads as a key without a value."""
    for key in value if isinstance(value, dict) else ():
        if value[key] is None and isinstance(key, str) and ":" in key:
            name, _, rest = key.partition(":")
            raise UserError(f"{where}={{{key}}}: write {{{name}: {rest}}}, with a space")


def _named(names: list[Any], where: str) -> dict[str, Any]:
    """A list of folders or hub ids, each under its last name."""
    found = {Path(str(name)).name: name for name in names}
    if len(found) < len(names):
        raise UserError(f"{where}: two have one name; name them: {where}='{{NAME: PATH, …}}'")
    return found


def _element(hint: Any) -> type[Any] | None:
    """The dataclass D of a `dict[str, D]`."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is dict and dataclasses.is_dataclass(arguments[1]):
        return typing.cast(type[Any], arguments[1])
    return None


def _node(schema: type[Any], value: Any, where: str) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    fields = {f.name for f in dataclasses.fields(schema)}
    if isinstance(value, (str, int, float)) and "name" in fields:
        text = str(value)
        if "path" in fields and text.endswith((".jsonl", ".json")):
            return {"name": "jsonl", "path": text}
        return {"name": text}
    if value is None:
        return {}
    raise UserError(f"{where}: expected keys and values, found {value!r}")


def _renamed(schema: type[Any], key: str, prefix: str) -> str | None:
    """What a key is called now; a name that begins with "^" stands one level further out."""
    name = getattr(schema, "RENAMED", {}).get(key)
    if name is None or not name.startswith("^"):
        return name and f"{prefix}{name}"
    outer = prefix.rstrip(".").rpartition(".")[0]
    return f"{outer}.{name[1:]}" if outer else str(name[1:])


def _unknown(schema: type[Any], key: str, prefix: str) -> str:
    renamed = _renamed(schema, key, prefix)
    if renamed is not None:
        return f"{prefix}{key}: is called {renamed} now"
    known = list(_names(schema))
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if not near:
        leaf = key.split(".")[-1]
        near = [name for name in known if name.split(".")[-1] == leaf][:1]
    hint = (
        f"; did you mean {prefix}{near[0]}?"
        if near
        else f"; known here: {', '.join(f.name for f in dataclasses.fields(schema))}"
    )
    return f"{prefix}{key}: unknown key{hint}"


def _names(schema: type[Any], prefix: str = "") -> Iterator[str]:
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        yield prefix + field.name
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _names(typing.cast(type[Any], hints[field.name]), f"{prefix}{field.name}.")


# Help
