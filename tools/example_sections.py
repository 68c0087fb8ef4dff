"""Lets the site show the ``Example:`` of a docstring as code.

griffe, which reads docstrings for the site, knows the section ``Examples:`` only and takes another
heading for a remark in Markdown.
"""

from __future__ import annotations

import re
from typing import Any

import griffe  # pyright: ignore[reportMissingImports]

HEADING = re.compile(r"^(\s*)Example:$", re.M)


class ExampleSections(griffe.Extension):
    """Renames the section in every docstring that is read."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = HEADING.sub(r"\1Examples:", obj.docstring.value)
