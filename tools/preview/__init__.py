"""Turn a Quarto document into a self-contained HTML page on a machine without Quarto.

The page has the content Quarto would give it (the cells are executed, captions numbered,
references resolved) but neither Quarto's layout nor its interactive features, and says so.
Only documented Quarto syntax is read, so that the same file renders with Quarto elsewhere.
"""

from preview.document import render
from preview.errors import PreviewError

__all__ = ["PreviewError", "render"]
