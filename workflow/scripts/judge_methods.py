"""Say which methods can be trusted for a dataset's design, and which one leads its report."""

from dataclasses import asdict

from job import logged, read_json, read_result, write_json, write_table

from groupwise.calibration.partial import LEVELS
from groupwise.calibration.rules import Rules
from groupwise.calibration.verdict import answering, uncalibrated, verdict


def rules_for(conf_level, settings):
    """The rules at the level that belongs to the dataset's intervals, if tests were counted at it."""
    level = next((each for each in LEVELS.values() if abs(1 - conf_level - each) < 1e-9), 0.05)
    preference = tuple(settings["preference"])
    return Rules(
        **dict(settings) | {"level": level, "conf_level": conf_level, "preference": preference}
    )


def run(calibration, overview, estimates, rules, headline):
    """The verdict; `headline` is a method that was chosen beforehand, or `auto`."""
    chosen = None if headline == "auto" else headline
    if not overview["simulated"]:
        return uncalibrated(estimates, overview["message"], rules, chosen=chosen)
    icc = overview["icc"]["estimate"]
    return verdict(calibration, estimates, rules, chosen=chosen, icc=icc)


def said(found, estimates, rules):
    """verdict.json: all but the table of methods."""
    return {
        "headline": found.headline,
        "lead": found.lead(answering(estimates), rules),
        "chosen": found.chosen,
        "calibrated": found.calibrated,
        "most_powerful": list(found.most_powerful),
        "sentences": list(found.sentences),
        "departures": list(found.departures),
        "disagreements": [asdict(each) for each in found.disagreements],
        "rules": asdict(rules),
    }


if __name__ == "__main__":
    with logged(snakemake):
        estimates = read_result(snakemake.input.estimates, "estimates")
        conf_level = read_json(snakemake.input.design)["conf_level"]
        rules = rules_for(conf_level, snakemake.params.rules)
        found = run(
            read_result(snakemake.input.calibration, "calibration"),
            read_json(snakemake.input.overview),
            estimates,
            rules,
            snakemake.params.headline,
        )
        write_table(snakemake.output.methods, found.methods)
        write_json(snakemake.output.verdict, said(found, estimates, rules))
