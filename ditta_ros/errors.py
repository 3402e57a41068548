"""The errors that a user can cure, each told in one line."""

from __future__ import annotations


class ModelError(ValueError):
    """A model cannot be loaded; the message names the parameter, what came and the remedy."""


class RequestError(ValueError):
    """A session cannot do now what it was asked for; the message says why, and what can be."""


def printable(text: str) -> str:
    """Return a text that may repeat what a file says as one line that a ROS message can carry."""
    return ''.join(each if each.isprintable() else '?' for each in text)


def one_line(error: Exception) -> str:
    """Return a library's error message without its line breaks."""
    return ' '.join(str(error).split())
