# Inputs:  config.yaml
# Outputs: nothing, or one sentence about a file that Snakemake would refuse without naming the line

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))

from configuration import ConfigError, check_file

try:
    check_file("config.yaml")
except ConfigError as error:
    raise WorkflowError(f"groupwise: {error}") from None
