# Inputs:  config.yaml
# Outputs: nothing, or one sentence about a file that Snakemake would refuse without naming the line

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# One thread a job: jobs run side by side, and sums come out the same however many cores there are.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

# As a module of another workflow too: `workflow.basedir` would be the folder of that one.
SCRIPTS = Path(str(workflow.current_basedir)).parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

from configuration import ConfigError, check_file

try:
    check_file("config.yaml")
except ConfigError as error:
    raise WorkflowError(f"groupwise: {error}") from None
