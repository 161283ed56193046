"""What every worker of a model needs, imported once for all of them: see `search.work.warm_up`.

Torch and Transformers take some six seconds of a core; processes forked from the one that imported
this module share them. Nothing may be computed here, and no GPU looked for: threads and CUDA do not
survive a fork.
"""

import contextlib
import importlib
import signal
import sys

# The fork server looks for modules where the user stands before anywhere else; a random.py there is
# not Python's. Workers get the path of the command.
sys.path[:] = [folder for folder in sys.path if folder]

# Ctrl-C ends this process at once and without a word, but only while it has no workers.
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

# What cannot be imported here fails again where it is needed, and is told there.
with contextlib.suppress(Exception):
    importlib.import_module("transformers.modeling_utils")
    importlib.import_module("transformers.models.auto.modeling_auto")
    importlib.import_module("transformers.models.auto.tokenization_auto")
    importlib.import_module("transformers.models.llama.modeling_llama")

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
