"""Run Snakemake with the plugin beside this file on `sys.path`; called by `make report`.

Snakemake 9 writes `sys.executable` into the shell command of each script without quotes, so that
no script runs where the path to .venv has a space. Quoted here, it does; other paths stay as
they are.
"""

import shlex
import sys

from snakemake.cli import main

if __name__ == "__main__":
    sys.executable = shlex.quote(sys.executable)
    main()
