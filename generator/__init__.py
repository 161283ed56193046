"""The model that writes candidates: its training data, its training, its sampling engines.

    from assay.generator.engines import EngineConfig, Request, SamplingParams, make_engine
    from assay.generator.models import ModelConfig
    from assay.generator.train import TrainGeneratorConfig, train_generator

`models.py` finds and loads language models, `fetch.py` gets one where no hub is reachable;
`rationales.py` and `packing.py` make training batches of reference solutions, `train.py` fine-tunes
on them and `coverage.py` tells which epoch to keep; `engines/` samples.
"""
