"""What renders pages: the preview, and Quarto where there is one."""

from __future__ import annotations

import shutil

import pytest

QUARTO = shutil.which("quarto")
RENDERERS = [
    pytest.param(None, id="preview"),
    pytest.param(
        QUARTO,
        id="quarto",
        marks=[
            pytest.mark.quarto,
            pytest.mark.slow,
            pytest.mark.skipif(QUARTO is None, reason="no quarto on PATH"),
        ],
    ),
]
