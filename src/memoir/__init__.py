"""memoir: lifelong knowledge editing for language models.

    from memoir import Editor

    editor = Editor.open("smollm2", store="facts/")
    receipt = editor.edit("The CEO of Acme is", "Dana Reyes")
    editor.ask("The CEO of Acme is").text
    editor.revert(receipt.id)

Importing this package is cheap: torch loads when an :class:`Editor` is first touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from memoir.types import Answer, Edit, Match, Receipt

if TYPE_CHECKING:
    from memoir.editor import Editor

__version__ = "0.1.0"
__all__ = ["Answer", "Edit", "Editor", "Match", "Receipt", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "Editor":
        from memoir.editor import Editor

        return Editor
    raise AttributeError(f"module 'memoir' has no attribute '{name}'")
