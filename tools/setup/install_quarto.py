"""Find Quarto, or install the version pinned in requirements-quarto.txt; called by make.

PyPI's `quarto-cli` downloads a binary while it is installed, which can fail for many reasons.
Then the preview renderer makes the reports: that is no error. With `--once`, as in `make report`,
it is tried one time only. `GROUPWISE_QUARTO=off` forbids the installation.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path

PIN = Path("requirements-quarto.txt")
TRIED = Path(sys.prefix) / ".quarto-tried"
LOG = Path(sys.prefix) / "quarto-install.log"
TIME_LIMIT = 300  # seconds
PREVIEW = "reports are made by the preview renderer (see docs/first_analysis.md, 'Quarto')"


def find_version(quarto: str | Path | None) -> str:
    """The version a Quarto executable reports; empty where there is none or it does not run."""
    if quarto is None or not Path(quarto).exists():
        return ""
    try:
        answer = subprocess.run(
            [quarto, "--version"], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def run_pip(arguments: list[str], seconds: float) -> bool:
    """Run pip with its output in the log; False where it fails or takes too long."""
    command = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
    with LOG.open("a", encoding="utf-8") as log:
        pip = subprocess.Popen(
            [*command, *arguments], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            return pip.wait(timeout=seconds) == 0
        except subprocess.TimeoutExpired:
            print(f"stopped after {seconds:.0f} s", file=log)
            return False
        finally:
            if pip.poll() is None:  # out of time, or interrupted by the user
                os.killpg(pip.pid, signal.SIGKILL)
                pip.wait()


def install() -> str:
    """Install the pinned Quarto in this environment; its version, or empty where that fails."""
    LOG.unlink(missing_ok=True)
    launcher = Path(sys.prefix) / "bin" / "quarto"
    # Its dependencies would change .venv, which has what Quarto needs to run Python.
    if run_pip(["install", "--no-deps", "--require-hashes", "-r", str(PIN)], TIME_LIMIT):
        binary = Path(sysconfig.get_path("platlib")) / "quarto_cli" / "bin" / "quarto"
        if version := find_version(binary):
            # The package's launcher exits with 0 whatever Quarto did; its binary does not.
            launcher.unlink(missing_ok=True)
            launcher.symlink_to(os.path.relpath(binary, launcher.parent))
            return version
    run_pip(["uninstall", "--yes", "quarto-cli"], seconds=60)
    launcher.unlink(missing_ok=True)
    return ""


def pinned_version() -> str:
    """The version in requirements-quarto.txt."""
    return PIN.read_text(encoding="utf-8").partition("quarto-cli==")[2].split()[0]


def main() -> None:
    """Say in one line which Quarto there is, or that there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--once", action="store_true", help="do nothing where it was tried before")
    once = parser.parse_args().once
    quarto = shutil.which("quarto")
    off = os.environ.get("GROUPWISE_QUARTO", "").lower() == "off"
    if once and (quarto or off or TRIED.exists()):
        return
    if version := find_version(quarto):
        print(f"Quarto {version}: {quarto}")
    elif quarto and Path(sys.prefix) not in Path(quarto).parents:
        sys.exit(f"'{quarto} --version' fails: mend that Quarto, or take it off the PATH.")
    elif off:
        print(f"No Quarto, and GROUPWISE_QUARTO=off: {PREVIEW}")
    else:
        print(f"Installing Quarto {pinned_version()} in .venv (GROUPWISE_QUARTO=off forbids it)")
        sys.stdout.flush()
        version = install()
        TRIED.touch()
        print(f"Quarto {version}" if version else f"Quarto could not be installed: {PREVIEW}")


if __name__ == "__main__":
    main()
