"""Start a Python kernel of the running interpreter, with nothing installed for it."""

import os
import sys
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

INLINE_BACKEND = "module://matplotlib_inline.backend_inline"


class RunningInterpreter(KernelSpecManager):
    """Knows one kernel: IPython under ``sys.executable``, registered or not."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the kernel of the running interpreter, whatever its name."""
        return KernelSpec(argv=_command(), display_name="Python 3", language="python")


def kernel_manager(folder: Path) -> AsyncKernelManager:
    """A manager whose connection file and sockets live in `folder`, not in the user's home."""
    manager = AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=RunningInterpreter(),
        connection_file=str(folder / "kernel.json"),
    )
    # Ports are picked first and bound later, so two renders at once can collide on TCP.
    if os.name == "posix":
        manager.transport = "ipc"
        manager.ip = str(folder / "kernel")
    return manager


def kernel_environment(folder: Path, env: dict[str, str] | None) -> dict[str, str]:
    """Environment of the kernel: the caller's additions, no profile, no history, fixed hashes."""
    return {
        **os.environ,
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLBACKEND": INLINE_BACKEND,
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONHASHSEED": "0",
        **(env or {}),
    }


def figure_arguments(metadata: dict[str, Any]) -> list[str]:
    """Kernel arguments that give Matplotlib figures Quarto's defaults for HTML.

    Passed as configuration, so that Matplotlib is imported only by documents that draw.
    """
    size = (metadata.get("fig-width", 7), metadata.get("fig-height", 5))
    rc = {"figure.figsize": size, "figure.dpi": metadata.get("fig-dpi", 96)}
    return [
        f"--InlineBackend.figure_formats={ {str(metadata.get('fig-format', 'retina'))}!r}",
        f"--InlineBackend.rc={rc!r}",
        "--HistoryManager.enabled=False",
    ]


def _command() -> list[str]:
    launcher = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return [sys.executable, "-Xfrozen_modules=off", *launcher]
