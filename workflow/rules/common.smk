# Inputs:  config.yaml, any further --configfile, workflow/schemas/config.schema.yaml
# Outputs: the checked configuration, and the modules of methods, and the names of figures by dataset

# (SCRIPTS and ConfigError: see syntax.smk.)

from snakemake.utils import validate

from checksums import listed_sum, read_sums
from configuration import (
    SCHEMA,
    check_configuration,
    expand_datasets,
    from_here,
    modules,
)
from figure_list import figures_for, needed_roles
from groupwise.catalogue.methods import CURVES, NAMES, costs
from groupwise.catalogue.tables import IN_JSON, SHOWN as SHOWN_TABLES, file_of, made_by
from package_files import PackageDigest
from places import REFERENCES, is_study, of_tool
from resources import memory, minutes
from settings import METHODS_PACKAGE, Settings

SUMS_FILE = "data/raw/SHA256SUMS"
# A study of its own may have no such list.
SUMS_FILES = [] if is_study() and not Path(SUMS_FILE).exists() else [SUMS_FILE]

try:
    check_configuration(config, workflow.configfiles)
    config["datasets"] = expand_datasets(config["datasets"])
    SUMS = read_sums(SUMS_FILE) if SUMS_FILES else {}
except ConfigError as error:
    raise WorkflowError(f"groupwise: {error}") from None
validate(config, SCHEMA)

SETTINGS = Settings(config, [from_here(file) for file in workflow.configfiles])
SIMULATED = [name for name, block in config["datasets"].items() if "simulate" in block]
FAMILIES = {
    name: block["family"]
    for name, block in config["datasets"].items()
    if "family" in block
}
METHOD_MODULES = [
    f"{METHODS_PACKAGE}.{name}"
    for name in modules(SCRIPTS.joinpath(*METHODS_PACKAGE.split(".")))
]  # loaded by name
NEEDED_ROLES = needed_roles()
FIGURE_MODULES = [f"groupwise.figures.{name}" for name in NEEDED_ROLES]
FIGURES = {
    name: figures_for(block["roles"], NEEDED_ROLES)
    for name, block in config["datasets"].items()
}


wildcard_constraints:
    dataset=r"(?!study\b)[A-Za-z][A-Za-z0-9_]*",  # results/study/ is the study's
    figure="[a-z_]+",


# Pages are finished one after the other: jobs of a dataset come before those of later ones, and what
# is cheap before what is expensive, so that a core that waits for one dataset's last jobs does not
# begin the simulations of the next.
TURNS = {
    name: 2 * (len(config["datasets"]) - i) for i, name in enumerate(config["datasets"])
}


def in_turn(wildcards):
    """The priority of a dataset's jobs, in the order of the configuration."""
    return TURNS.get(wildcards.dataset, 0)


def expensive_in_turn(wildcards):
    """The priority of those of its jobs that take long."""
    return in_turn(wildcards) - 1


def listed_sha256(wildcards):
    """The sum listed for a dataset's file: another one, and the file is checked and read again."""
    return listed_sum(SETTINGS.raw_file(wildcards), SUMS_FILE, SUMS)


def figures_needing(role):
    """Names of the figures that need a column of this role, or none."""
    return [name for name, needed in NEEDED_ROLES.items() if needed == role]


FIGURE_KINDS = {"svg": "svg", "png": "png", "alt": "txt"}


def figure_files(figures):
    """Outputs of a rule that draws these figures of a dataset."""
    return {
        name: [f"results/{{dataset}}/figures/{figure}.{kind}" for figure in figures]
        for name, kind in FIGURE_KINDS.items()
    }


def drawn(dataset, *kinds):
    """The files of a dataset's figures; none of a name that is no dataset, such as `index`."""
    return [
        f"results/{dataset}/figures/{figure}.{kind}"
        for kind in kinds
        for figure in FIGURES.get(dataset, ())
    ]
