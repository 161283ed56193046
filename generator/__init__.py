"""The model that writes candidates: its training data, its training, its sampling engines.

In: problems with reference solutions, prompts. Out: trained models, completions. Never here: what a
completion claims or whether it is right (`assay.problems`, `assay.pools`).

`models` finds and loads language models, `fetch` gets one where no hub is reachable; `rationales`
and `packing` make training batches of reference solutions, `train` fine-tunes on them and
`coverage` tells which epoch to keep; `engines` samples.
"""
