"""One base for every error that a user can mend; whatever else is raised is a fault of ours."""

from __future__ import annotations


class FieldCrossbarError(Exception):
    """Something a user can mend: a file, an argument, a setting, a device, a learning rate.

    The message is one line that names the thing, its value and the alternatives. Commands print
    it after "error: "; any other exception but those of files (OSError) keeps its traceback.
    """


class InputError(FieldCrossbarError, ValueError):
    """An argument that cannot be used; the message names it, its value and what it may be."""
