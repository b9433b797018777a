"""The estimated process survives its file to the last bit, and says what is simulated without data."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from experiments import draw, sample_of

from groupwise.catalogue.methods import costs
from groupwise.design import describe
from groupwise.sample import Sample
from groupwise.simulation.estimation import estimate_process
from groupwise.simulation.gathering import gathered
from groupwise.simulation.options import NotSimulated, Options
from groupwise.simulation.processes import (
    EstimatedProcess,
    NoProcess,
    ScenarioSetting,
    outline,
    read_process,
)
from groupwise.simulation.scenarios import Background
from groupwise.simulation.workload import dataset_workload

SAMPLES = {
    "one intercept": lambda: sample_of(draw(groups=6, sizes=5, covariates=("x",))),
    "random blocks": lambda: sample_of(draw("blocked", groups=6, sizes=4), blocks_as="random"),
    "slopes": lambda: sample_of(draw("within", groups=6, sizes=6), random_slopes=True),
}
each_sample = pytest.mark.parametrize("name", SAMPLES)


def estimated(sample: Sample) -> EstimatedProcess:
    process = estimate_process(sample.design, sample.y, conf_level=0.9)
    assert isinstance(process, EstimatedProcess)
    return process


def from_file(process: EstimatedProcess | NoProcess) -> EstimatedProcess | NoProcess:
    """As it comes back from process.json."""
    return read_process(json.loads(json.dumps(process.content(), allow_nan=False)))


@each_sample
def test_process_comes_back_from_its_file_to_the_last_bit(name: str) -> None:
    process = estimated(SAMPLES[name]())
    read = from_file(process)
    assert isinstance(read, EstimatedProcess)
    np.testing.assert_array_equal(read.coefficients, process.coefficients)
    np.testing.assert_array_equal(read.effects, process.effects)
    np.testing.assert_array_equal(read.sd_slope, process.sd_slope)
    assert (read.terms, read.arms, read.std_dev) == (process.terms, process.arms, process.std_dev)
    np.testing.assert_array_equal(read.std_error, process.std_error)
    assert (read.numbers, read.slow_form) == (process.numbers, process.slow_form)
    for field in ("icc", "icc_low", "icc_high", "conf_level", "variance"):
        assert getattr(read, field) == getattr(process, field)


def test_limits_that_are_not_known_stay_so() -> None:
    process = replace(estimated(SAMPLES["slopes"]()), icc_high=np.nan)
    read = from_file(process)
    assert isinstance(read, EstimatedProcess) and np.isnan(read.icc_high)
    assert process.content()["icc"]["high"] is None


@each_sample
def test_background_and_effects_are_the_fitted_values(name: str) -> None:
    sample = SAMPLES[name]()
    design, process = sample.design, estimated(sample)
    background = Background.estimated(design, process)
    fitted = design.X @ process.coefficients
    mean = design.X @ background.coefficients + process.effects[design.arm]
    np.testing.assert_allclose(mean, fitted, rtol=1e-12)
    assert process.icc == pytest.approx(process.std_dev["group"] ** 2 / background.variance)


def test_outcomes_that_do_not_vary_have_no_process_and_are_not_simulated() -> None:
    sample = SAMPLES["one intercept"]()
    process = from_file(estimate_process(sample.design, np.zeros(sample.design.n_obs)))
    assert isinstance(process, NoProcess) and process.message
    understood = describe(sample.design)
    with pytest.raises(NotSimulated, match="The mixed model that is simulated from has no fit"):
        outline(process, Options(), arms=sample.design.arm_labels)
    table, overview = gathered(understood, process, Options(), "estimated", [], methods=())
    assert table.empty and not overview["simulated"] and process.message in overview["message"]


@each_sample
def test_scenarios_are_named_from_the_design_and_the_process_as_they_were_simulated(
    name: str,
) -> None:
    """Gathering reads no data: design.json and process.json say all that the sums do not."""
    sample = SAMPLES[name]()
    process = from_file(estimated(sample))
    options = Options(replicates=100, departures=("skewed_groups",), iccs=(0.3,))
    workload = dataset_workload(sample.design, process, options, methods=costs(("ols_cr2",)))
    understood = describe(sample.design)
    plan = outline(process, options, arms=tuple(understood["arms"]))
    sizes = (understood["n_obs"], understood["n_groups"])
    settings = [
        ScenarioSetting(case, tuple(understood["contrasts"]), *sizes) for case in plan.cases
    ]
    assert len(settings) == len(workload.scenarios)
    for setting, scenario in zip(settings, workload.scenarios, strict=True):
        assert (setting.case.name, setting.case.icc) == (scenario.name, scenario.icc)
        assert setting.contrasts == scenario.setting.contrasts
        place = {label: j for j, label in enumerate(sample.design.arm_labels)}
        for (b, a), true in zip(sample.design.contrasts, scenario.truth_of("ols_cr2"), strict=True):
            assert true == scenario.effects[place[b]] - scenario.effects[place[a]]
    table, overview = gathered(
        understood, process, options, "true", [workload.run_share(1, 1)], methods=("ols_cr2",)
    )
    assert overview["replicates"] == {"least": 100, "most": 100} and set(table["scenario"]) == {
        scenario.name for scenario in workload.scenarios
    }
