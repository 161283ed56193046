"""Configuration: what can be set, how it is read, and how bad input is refused.

In: dataclasses as schemas, YAML files, `key=value` words. Out: a configuration that has been
checked, its help text, and `UserError`, the one line that a user's mistake ends with. Never here: a
schema of one of the other rooms, which keep their own beside the code that reads it.
"""
