"""The one exception that a user can mend.

Every room raises `UserError` for bad input; its text is the single line that the user sees (`assay`
prints it and exits with code 2). It names the file, the row or the key, and what was expected.

    raise UserError(f"{path}, line 3: expected a JSON object, found a list")
"""

__all__ = ["UserError"]


class UserError(Exception):
    """Bad input, told in one line that says where it is and what was expected there."""
