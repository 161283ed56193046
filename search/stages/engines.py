"""The engine of a sampling process: loaded when first needed, kept while the model is the same."""

from __future__ import annotations

import gc

from assay.generator.engines import Engine, EngineConfig, make_engine
from assay.generator.models import ModelConfig
from assay.search.stages.mixture import Origin

__all__ = ["Engines", "model_of"]


def model_of(origin: Origin) -> tuple[ModelConfig, EngineConfig]:
    """What decides whether two origins can share an engine."""
    return origin.generator, origin.engine


class Engines:
    """Keeps the engine used last, so that consecutive users of one model load it once.

    A process that it is sent to starts without an engine.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._loaded: tuple[ModelConfig, EngineConfig] | None = None

    def get(self, origin: Origin) -> Engine:
        """The engine of an origin, loaded unless it is the one used last."""
        if self._engine is None or self._loaded != model_of(origin):
            self.release()
            self._engine = make_engine(origin.engine, origin.generator)
            self._loaded = model_of(origin)
        return self._engine

    def release(self) -> None:
        """Drops the engine, so that two models need not fit into memory."""
        self._engine = None
        gc.collect()

    def __reduce__(self) -> tuple[type[Engines], tuple[()]]:
        return Engines, ()
