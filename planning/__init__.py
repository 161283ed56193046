"""What a configuration will take before it runs: memory by part, tokens, time, cost.

In: a command's configuration and a description of the hardware. Out: a table of stages, and what
would fit where something does not. Never here: loading a model; shapes are enough.
"""
