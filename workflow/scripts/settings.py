"""What the rules ask of the configuration, by dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from configuration import file_with

from groupwise.data.names import plain_name
from groupwise.data.simulated_kind import simulated_response, true_effects
from groupwise.data.simulated_sequences import arms_of

METHODS_PACKAGE = "groupwise.methods"
"""A module for each specification, found by its file name."""


class Settings:
    """The checked configuration; methods take Snakemake's wildcards, as input functions do."""

    def __init__(self, config: Mapping[str, Any], files: Sequence[str]) -> None:
        self.config = config
        self.datasets: Mapping[str, Any] = config["datasets"]
        self.files = files

    def value(self, *keys: str, **otherwise: Any) -> Callable[[Any], Any]:
        """An input function: what a dataset's block has at these keys, or `default`, if given.

        Snakemake's `lookup` looks through the whole configuration each time.
        """

        def of_dataset(wildcards: Any) -> Any:
            node = self.datasets.get(wildcards.dataset, {})
            for key in keys:
                if key not in node and "default" in otherwise:
                    return otherwise["default"]
                node = node[key]
            return node

        return of_dataset

    def config_file(self, wildcards: Any) -> str:
        """The configuration file that describes a dataset, for messages."""
        return file_with(("datasets", wildcards.dataset), self.files)

    def raw_file(self, wildcards: Any) -> str:
        """The file a dataset is read from: the user's, or the one its simulation writes."""
        simulated = f"data/processed/simulated/{wildcards.dataset}.csv"
        return str(self.datasets[wildcards.dataset].get("file", simulated))

    def ingest(self, wildcards: Any) -> dict[str, Any]:
        """What the analysis table depends on, and nothing else."""
        block = self.datasets[wildcards.dataset]
        arms = arms_of(block["simulate"]) if "simulate" in block else None
        design = ("blocks_as", "random_slopes", "rank_deficient")
        as_written = (
            *("where", "recode", "baseline", "missing_codes", "periods"),
            *("outcome_kind", "event", "effect_as"),
        )
        with_default = (
            *("reference", "missing", "outcome_as", "categorical", "numeric"),
            *("singletons", "one_arm_blocks", "ungrouped", "most_dropped", "untreated_periods"),
        )
        return {
            "roles": plain_names(block["roles"]),
            "form": block.get("format", {}),
            "assigned": block.get("assigned"),
            "conf_level": block["conf_level"],
            "design": {key: block[key] for key in design},
            "ingest": {"levels": block.get("levels", arms)}
            | {key: _plain_keys(block.get(key)) for key in as_written}
            | {key: block[key] for key in with_default},
        }

    def headline(self, wildcards: Any) -> str:
        """The method that was chosen to lead a dataset's report, or `auto`."""
        chosen: str = self.datasets[wildcards.dataset].get("headline", self.config["headline"])
        return chosen

    def calibration(self, wildcards: Any) -> dict[str, Any]:
        """What is simulated for a dataset; into how many jobs it is cut changes nothing."""
        shared = {k: v for k, v in self.config["calibration"].items() if k != "jobs"}
        block = self.datasets[wildcards.dataset]
        effects = block.get("assumed_effects", _true_effects(block))
        lists = {k: tuple(v) for k, v in shared.items() if isinstance(v, list)}
        return shared | lists | {"effects": effects}

    @property
    def criterion(self) -> dict[str, Any]:
        """When simulations of a scenario may stop: thresholds of the verdict for rates of errors."""
        names = ("allowance", "tolerance", "careful", "error")
        return {name: self.config["verdict"][name] for name in names}

    def checked_effects(self, wildcards: Any) -> list[str]:
        """The note that effects assumed for the arms of a file are of its arms; else nothing."""
        block = self.datasets[wildcards.dataset]
        asked = "assumed_effects" in block and "file" in block
        return [f"data/processed/checked/{wildcards.dataset}.effects.json"] if asked else []

    def effects_are(self, wildcards: Any) -> str:
        """Where the effects come from that power is computed for."""
        block = self.datasets[wildcards.dataset]
        if "assumed_effects" in block:
            return "assumed"
        return "true" if "simulate" in block else "detectable"


def _true_effects(block: Mapping[str, Any]) -> dict[str, float] | None:
    """The effects of a dataset's simulation, on the scale of its effects; None of a file."""
    if "simulate" not in block:
        return None
    scale = simulated_response(block["simulate"], block.get("effect_as")).scale
    return true_effects(block["simulate"], str(block["reference"]), scale)


def plain_names(roles: Mapping[str, Any]) -> dict[str, Any]:
    """Roles whose columns are named as files are read: in one line."""
    return {
        role: plain_name(named)
        if isinstance(named, str)
        else named and list(map(plain_name, named))
        for role, named in roles.items()
    }


def _plain_keys(setting: Any) -> Any:
    """The same of a setting that names columns by its keys."""
    if not isinstance(setting, Mapping):
        return setting
    return {plain_name(column): value for column, value in setting.items()}
