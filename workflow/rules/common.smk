# Inputs:  config.yaml, any further --configfile, workflow/schemas/config.schema.yaml
# Outputs: the checked configuration, lists of datasets, specifications and figures

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
PACKAGE = "workflow/scripts/groupwise"
sys.path.insert(0, str(SCRIPTS))

from configuration import ConfigError, check_configuration, file_with, modules

try:
    check_configuration(config, workflow.configfiles)
except ConfigError as error:
    raise WorkflowError(f"groupwise: {error}") from None
validate(config, Path(workflow.basedir) / "workflow/schemas/config.schema.yaml")

SPECIFICATIONS = modules(SCRIPTS / "groupwise" / "specifications")
FIGURES = modules(SCRIPTS / "groupwise" / "figures", besides=["style"])
SIMULATED = [name for name, block in config["datasets"].items() if "simulate" in block]


wildcard_constraints:
    dataset="[A-Za-z][A-Za-z0-9_]*",
    specification="[a-z_]+",
    figure="[a-z_]+",


def package(*parts):
    """Files of the package a rule runs, so that editing one reruns the rules that use it."""
    files = []
    for part in ("__init__.py", "tidy.py", "data", *parts):
        found = [part] if part.endswith(".py") else sorted((SCRIPTS / "groupwise" / part).glob("*.py"))
        files += [f"{PACKAGE}/{part}/{each.name}" if isinstance(each, Path) else f"{PACKAGE}/{each}" for each in found]
    return files


def config_file(wildcards):
    """The configuration file that describes a dataset, for messages."""
    return file_with(("datasets", wildcards.dataset), workflow.configfiles)
