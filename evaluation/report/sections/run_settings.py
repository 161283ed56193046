"""The page's settings: those of a run, by stage, and those in which runs differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["differing_settings", "settings_groups"]


def settings_groups(settings: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """(group, rows) of the settings; what is in no group comes first, as "run"."""
    loose = {key: value for key, value in settings.items() if not isinstance(value, Mapping)}
    groups = [("run", list(_flat(loose)))] if loose else []
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            groups.append((key, list(_flat(value))))
    return groups


def differing_settings(settings: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """(key, the value in each run) of the settings in which the runs differ."""
    flat = [dict(_flat(each)) for each in settings]
    names = list(dict.fromkeys(name for each in flat for name in each))
    rows = [(name, [each.get(name, "—") for each in flat]) for name in names]
    return [(name, values) for name, values in rows if len(set(values)) > 1]


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{key}", "—" if value is None else text or "—"
