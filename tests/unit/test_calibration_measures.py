"""Scenarios, blocks, partial sums and measures of the calibration."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from experiments import analyse, draw, request_for, sample_of
from hypothesis import given
from hypothesis import strategies as st

from groupwise.catalogue.methods import NAMES, costs
from groupwise.design import Design
from groupwise.methods import concerning
from groupwise.rows import KINDS
from groupwise.simulation import scenarios
from groupwise.simulation.blocks import Block, blocks, partial_sums, run_block
from groupwise.simulation.estimation import estimate_process
from groupwise.simulation.grid import (
    Grid,
    between_design,
    group_sizes,
    study_axes,
    study_scenarios,
)
from groupwise.simulation.measures import MEASURES, measures
from groupwise.simulation.options import Amount
from groupwise.simulation.processes import (
    PROCESSES,
    Process,
    dataset_cases,
    icc_grid,
)
from groupwise.simulation.scenarios import (
    BLOCK,
    Background,
    Scenario,
    dataset_scenarios,
    outcomes,
    simulate,
)
from groupwise.simulation.sums import gather, totals
from groupwise.tidy import TABLES

RESAMPLING = ("ols_wild_bootstrap", "mixed_bootstrap", "randomization")
FAST = ("ols_classical", "ols_cr2", "group_means", "mixed_kenward_roger", "dummy")


def scenario(design: Design | None = None, **changes: object) -> Scenario:
    design = design or between_design(3, 4, 5)
    base = Scenario(
        name="null",
        design=design,
        background=Background.plain(design, variance=4.0),
        effects=np.zeros(len(design.arm_labels)),
        icc=0.3,
        process=Process(),
        dgp="normal",
        seed=7,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def measured(sums: pd.DataFrame, *made: Scenario) -> pd.DataFrame:
    return measures(sums, [each.setting for each in made], methods=NAMES)


# ---- what is drawn -------------------------------------------------------------------------------


CONTINUOUS = [name for name, process in PROCESSES.items() if process.concerns_outcome(None)]


@pytest.mark.parametrize("dgp", CONTINUOUS)
def test_draws_depend_on_seed_name_and_block_alone(dgp: str) -> None:
    def drawn(block: int, size: int, **changes: object) -> np.ndarray:
        return simulate(scenario(process=PROCESSES[dgp], **changes), block, size)

    y = drawn(3, 40)
    np.testing.assert_array_equal(drawn(3, 90)[:40], y)
    for other in ({"seed": 8}, {"name": "null 2"}):
        assert not np.any(drawn(3, 40, **other) == y)
    assert not np.any(drawn(2, 40) == y)


@pytest.mark.parametrize("dgp", ["normal", "t_groups", "skewed_groups", "varying_effects"])
def test_large_designs_are_drawn_and_analysed_in_parts(
    dgp: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = sample_of(draw("blocked", groups=12, sizes=4), blocks_as="random")
    background = Background(np.zeros(3), 1.0, 2.0, 0.0, np.zeros(3))
    made = scenario(sample.design, background=background, process=PROCESSES[dgp])
    methods = costs(("ols_cr2", "group_means", "ols_wild_bootstrap"))
    request = request_for(19)
    whole, y = (
        run_block(made, Block(0, Amount.of(50, 20)), methods=methods, request=request),
        simulate(made, 0, 50),
    )
    monkeypatch.setattr(scenarios, "MOST_NUMBERS", 48 * 7)
    assert [len(part) for part in outcomes(made, 0, 50, individuals=50)] == [7] * 7 + [1]
    assert [len(part) for part in outcomes(made, 0, 50)] == [25, 25]  # 12 groups, and the remainder
    np.testing.assert_array_equal(simulate(made, 0, 50), y)
    parts = run_block(made, Block(0, Amount.of(50, 20)), methods=methods, request=request)
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-9)


@pytest.mark.parametrize("dgp", CONTINUOUS)
def test_every_process_keeps_variance_and_share(dgp: str) -> None:
    design = between_design(2, 10, 6, imbalance=0.5)
    made = scenario(design, process=PROCESSES[dgp], dgp=dgp)
    y = np.concatenate([simulate(made, block) for block in range(40)])
    reference = design.arm == 0  # the arm in which no process changes the spread
    variance = y[:, reference].var(axis=0)
    if dgp != "informative_sizes":
        heavy = 0.15 if dgp.startswith("t_") else 0.04
        assert np.median(variance) == pytest.approx(4.0, rel=heavy)
    a, b = np.flatnonzero(design.group == 0)[:2]
    if dgp in ("normal", "unequal_variance", "varying_effects", "skewed_groups"):
        assert np.cov(y[:, a], y[:, b])[0, 1] == pytest.approx(0.3 * 4.0, rel=0.1)


def test_processes_do_what_they_are_called() -> None:
    design = between_design(2, 10, 6, imbalance=0.5)

    def outcomes(process: Process, icc: float = 0.3) -> np.ndarray:
        made = scenario(design, process=process, icc=icc)
        return np.concatenate([simulate(made, block) for block in range(10)])

    unequal = outcomes(Process(sd_ratio=2)).std(axis=0)
    assert unequal[design.arm == 1].mean() / unequal[design.arm == 0].mean() == pytest.approx(
        2, rel=0.02
    )
    skewed = outcomes(Process(skewed_groups=True), icc=0.95)
    assert ((skewed / skewed.std()) ** 3).mean() > 1.5
    informative = outcomes(Process(size_correlation=0.7), icc=0.9).mean(axis=0)
    own = design.arm == 0
    assert np.corrcoef(informative[own], design.group_size[design.group][own])[0, 1] > 0.95
    varying = outcomes(Process(sd_effect=1.0))
    assert varying[:, design.arm == 1].var() == pytest.approx(8.0, rel=0.05)
    assert varying[:, own].var() == pytest.approx(4.0, rel=0.05)


def test_effects_background_and_other_groupings_are_added() -> None:
    sample = sample_of(draw("blocked", groups=12, sizes=4), blocks_as="random")
    design = sample.design
    coefficients = np.array([5.0, 0.0, 0.0])
    background = Background(coefficients, 1.0, 3.0, 0.0, np.zeros(3))
    made = scenario(design, background=background, effects=np.array([0.0, 1.0, 2.0]))
    y = np.concatenate([simulate(made, block) for block in range(20)])
    np.testing.assert_allclose(y.mean(axis=0), 5 + made.effects[design.arm], atol=0.2)
    apart = np.flatnonzero(design.block != design.block[0])[0]
    together = [i for i in range(design.n_obs) if design.block[i] == design.block[0]]
    together = [i for i in together if design.group[i] != design.group[0]]
    assert np.cov(y[:, 0], y[:, together[0]])[0, 1] == pytest.approx(9, rel=0.1)
    assert abs(np.cov(y[:, 0], y[:, apart])[0, 1]) < 0.5


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="1 to 500"):
        simulate(scenario(), 0, BLOCK + 1)
    with pytest.raises(ValueError, match="no variance"):
        simulate(scenario(process=Process(group_df=2)), 0)
    with pytest.raises(ValueError, match="nonsense is not one of"):
        analyse(scenario().design, simulate(scenario(), 0, 2), methods=("nonsense",))


def test_dataset_scenarios_hold_the_estimate_its_interval_and_zero() -> None:
    sample = sample_of(draw(groups=12, sizes=8, covariates=("x",)))
    found = estimate_process(sample.design, sample.y)
    cases = dataset_cases(found, processes=("normal", "t_residuals"), iccs=(0.9,))
    made = dataset_scenarios(sample.design, found, cases)
    iccs = sorted({each.icc for each in made if each.name.startswith("null, icc")})
    expected = icc_grid((found.icc, found.icc_low, found.icc_high, 0.9))
    assert iccs == expected and iccs[0] == 0
    assert found.icc_low <= found.icc <= found.icc_high
    assert len({each.number for each in made}) == len(made) == 2 * len(expected) + 1
    assert [each.dgp for each in made if each.dgp != "normal"] == ["t_residuals"]
    effect = next(each for each in made if each.name.startswith("effect"))
    np.testing.assert_allclose(effect.truth_of("ols_cr2")[0], effect.effects[1])
    whole = sample.design.X @ made[0].background.coefficients
    left = sample.y - whole - found.effects[sample.design.arm]
    assert left.var() == pytest.approx(found.variance, rel=0.5)


@pytest.mark.parametrize(
    "options", [{"blocks_as": "random"}, {"random_slopes": True}], ids=lambda options: str(options)
)
def test_other_random_terms_are_part_of_the_background(options: dict) -> None:
    kind = "blocked" if "blocks_as" in options else "within"
    sample = sample_of(draw(kind, groups=12, sizes=6), **options)
    found = estimate_process(sample.design, sample.y)
    assert np.isfinite([found.icc, found.icc_low, found.icc_high]).all()
    background = Background.estimated(sample.design, found)
    drawn = background.sd_block if kind == "blocked" else background.sd_slope.max()
    assert drawn >= 0
    assert {"block"} < set(found.std_dev) if kind == "blocked" else found.sd_slope[0] == 0


def test_icc_grid_is_sorted_bounded_and_without_repetitions() -> None:
    assert icc_grid((0.2, np.nan, 0.2001, -0.1, 1.0)) == [0.0, 0.2, 0.95]


# ---- blocks --------------------------------------------------------------------------------------


@given(n=st.integers(1, 3000), share=st.floats(0, 1))
def test_blocks_hold_every_replicate_once(n: int, share: float) -> None:
    slow = int(share * n)
    made = blocks(Amount.of(n, slow))
    assert sum(block.sizes.fast for block in made) == n
    assert sum(block.sizes.slow for block in made) == slow
    assert all(block.sizes.fast == BLOCK for block in made[:-1])
    assert [block.number for block in made] == list(range(len(made)))


def test_slow_methods_are_asked_of_fewer() -> None:
    request = request_for(19)
    part = run_block(scenario(), Block(1, Amount(12, 5, 3)), methods=costs(), request=request)
    n = part.groupby("method")["n"].first()
    assert (n["mixed_bootstrap"], n["ols_wild_bootstrap"], n["randomization"]) == (3, 5, 5)
    assert (n.drop(list(RESAMPLING)) == 12).all()
    assert set(n.index) == set(concerning(scenario().design, NAMES))


def test_results_do_not_depend_on_how_replicates_are_batched() -> None:
    """Also those of methods that draw: replicate i has random numbers of its own."""
    made, request = scenario(), request_for(19, max_assignments=5)
    design, y = between_design(3, 6, 3), simulate(scenario(between_design(3, 6, 3)), 0, 60)
    whole = analyse(design, y, effects=made.effects, request=request)
    parts = [analyse(design, y[i : i + 50], request=replace(request, first=i)) for i in (0, 50)]
    for method, found in whole.items():
        joined = np.concatenate([part[method].inference.p_value for part in parts])
        np.testing.assert_allclose(found.inference.p_value, joined, rtol=1e-9, err_msg=method)


def test_replicates_do_not_share_what_is_drawn() -> None:
    """Else errors of the draws would go together, and the Monte Carlo errors be too small."""
    design = between_design(2, 9, 3)
    y = np.repeat(simulate(scenario(design), 0, 1), 60, axis=0)
    request = request_for(99, max_assignments=5)
    found = analyse(design, y, methods=RESAMPLING, request=request)
    for method, least in zip(RESAMPLING, (2, 10, 2), strict=True):
        assert len(np.unique(found[method].inference.p_value.round(9))) >= least, method


# ---- sums and measures ---------------------------------------------------------------------------


def test_gathering_knows_no_order_and_refuses_what_was_counted_twice() -> None:
    made = scenario()
    parts = [run_block(made, block, methods=costs(FAST)) for block in blocks(Amount.of(1100, 0))]
    forwards, backwards = gather(parts), gather(reversed(parts))
    pd.testing.assert_frame_equal(forwards, backwards)
    pd.testing.assert_frame_equal(gather([gather(parts[1:]), parts[0]]), forwards)
    pd.testing.assert_frame_equal(measured(forwards, made), measured(backwards, made))
    with pytest.raises(ValueError, match="Block 1 of 'null' was counted twice"):
        gather([*parts, parts[1]])


def test_measures_are_those_of_all_replicates_together() -> None:
    made = scenario(effects=np.array([0.0, 0.7, 0.0]))
    parts = [run_block(made, block, methods=costs(FAST)) for block in blocks(Amount.of(700, 0))]
    table = measured(gather(parts), made)
    assert list(table.columns) == list(TABLES["calibration"])
    drawn = [*outcomes(made, 0), *outcomes(made, 1, 200)]
    y = np.concatenate([each.y[KINDS] for each in drawn])
    found = analyse(made.forms.design[KINDS], y, methods=FAST, effects=made.effects)
    for method in ("ols_cr2", "mixed_kenward_roger"):
        answers = found[method]
        truth = made.truth_of(method)
        error = answers.inference.estimate - truth
        expected = {
            "truth": truth,
            "bias": error.mean(axis=0),
            "empirical_se": answers.inference.estimate.std(axis=0, ddof=1),
            "model_se": np.sqrt((answers.inference.std_error**2).mean(axis=0)),
            "rejection_10": (answers.inference.p_value < 0.10).mean(axis=0),
            "rejection_05": (answers.inference.p_value < 0.05).mean(axis=0),
            "rejection_01": (answers.inference.p_value < 0.01).mean(axis=0),
            "coverage": answers.covers.mean(axis=0),
            "width": (answers.inference.conf_high - answers.inference.conf_low).mean(axis=0),
            "singular": np.full(3, answers.singular.mean()),
            "failed": np.zeros(3),
        }
        own = table[table["method"] == method]
        for measure in MEASURES:
            values = own.loc[own["measure"] == measure, "value"]
            np.testing.assert_allclose(values, expected[measure], rtol=1e-9, atol=1e-12)
    assert (table["n_replicates"] == 700).all()


def test_monte_carlo_errors_are_the_spread_of_the_measures() -> None:
    """Over many small studies, each measure spreads as its mcse says."""
    design = between_design(2, 4, 3)
    studies = [scenario(design, name=f"study {i}") for i in range(250)]
    sums = []
    for made in studies:
        found = analyse(design, simulate(made, 0, 120), methods=("mixed_kenward_roger",))
        sums.append(partial_sums([found], made))
    table = measured(gather(sums), *studies).set_index("measure")
    for measure in ("bias", "empirical_se", "model_se", "rejection_10", "coverage", "width"):
        ratio = table.loc[measure, "value"].std() / table.loc[measure, "mcse"].mean()
        assert ratio == pytest.approx(1, abs=0.16), measure


def test_failures_are_counted_and_never_dropped() -> None:
    made = scenario()
    y = simulate(made, 0, 40)
    y[3] = 5.0  # nothing varies: no method has an answer
    y[4, 0] = np.nan
    with np.errstate(invalid="ignore"):
        found = analyse(made.design, y, methods=FAST)
    table = measured(partial_sums([found], made), made)
    answered = table[table["method"] != "dummy"]
    assert (answered["n_failed"] == 2).all() and (answered["n_replicates"] == 40).all()
    share = answered.loc[answered["measure"] == "failed", "value"]
    np.testing.assert_allclose(share, 2 / 40)
    nothing = table[table["method"] == "dummy"]  # not identified in this design
    assert (nothing["n_failed"] == 40).all()
    kept = nothing["measure"].isin(["truth", "failed", "singular"])
    assert nothing.loc[~kept, "value"].isna().all()
    assert (nothing.loc[nothing["measure"] == "failed", "value"] == 1).all()


def test_widths_of_inverted_tests_count_the_replicates_they_are_of() -> None:
    made, request = scenario(), request_for(39, searched=4)
    methods = ("ols_wild_bootstrap", "randomization")
    found = analyse(made.design, simulate(made, 0, 30), methods=methods, request=request)
    table = measured(partial_sums([found], made), made).set_index("measure")
    assert (table.loc["width", "n_replicates"] <= 4).all()
    assert (table.loc["coverage", "n_replicates"] == 30).all()
    answers = found["ols_wild_bootstrap"]
    held = (answers.inference.conf_low <= 0) & (answers.inference.conf_high >= 0)
    np.testing.assert_array_equal(held[:4], answers.covers[:4] == 1)


@pytest.mark.parametrize("effect", [0.0, 0.8])
def test_the_test_of_the_true_value_says_what_the_interval_says(effect: float) -> None:
    design = between_design(2, 7, 3, imbalance=0.5)
    made = scenario(design, effects=np.array([0.0, effect]))
    request = replace(request_for(99, searched=60), conf_level=0.8)
    y = simulate(made, 0, 60)
    found = analyse(design, y, methods=RESAMPLING, effects=made.effects, request=request)
    for method, answers in found.items():
        truth = made.truth_of(method)
        held = (answers.inference.conf_low <= truth) & (truth <= answers.inference.conf_high)
        np.testing.assert_array_equal(answers.covers == 1, held, err_msg=method)
        assert 0.5 < answers.covers.mean() < 1


def test_sums_of_an_unknown_scenario_are_an_error() -> None:
    part = run_block(scenario(), Block(0, Amount.of(4, 0)), methods=costs(FAST))
    with pytest.raises(ValueError, match="not known: null"):
        measured(part, scenario(name="other"))
    assert len(totals(part)) == len(FAST) * 3


def test_no_replicates_at_all_is_an_empty_table() -> None:
    assert len(measured(gather([]), scenario())) == 0


def test_partial_sums_survive_parquet(tmp_path) -> None:
    part = run_block(scenario(), Block(0, Amount.of(9, 0)), methods=costs(FAST))
    part.to_parquet(tmp_path / "part.parquet")
    pd.testing.assert_frame_equal(gather([pd.read_parquet(tmp_path / "part.parquet")]), part)


def test_a_replicate_without_an_interval_does_not_cover() -> None:
    design = between_design(2, 3, 3)
    y = simulate(scenario(design), 0, 5)
    found = analyse(design, y, methods=("dummy",))["dummy"]
    assert found.failed.all() and np.isnan(found.covers).all()


# ---- the general study ---------------------------------------------------------------------------


@given(
    groups=st.integers(2, 30), mean=st.integers(5, 60), imbalance=st.sampled_from([0, 0.3, 0.6, 1])
)
def test_sizes_keep_their_mean(groups: int, mean: int, imbalance: float) -> None:
    sizes = group_sizes(groups, mean, imbalance)
    assert sizes.sum() == groups * mean and sizes.min() >= 2 and len(sizes) == groups
    if groups >= 20 and mean >= 20 and imbalance <= 0.6:
        assert sizes.std() / sizes.mean() == pytest.approx(imbalance, rel=0.2, abs=1e-9)


def test_study_has_every_cell_once_and_the_lectures_design() -> None:
    grid = Grid(icc=(0.0, 0.2))
    made, axes = list(study_scenarios(grid)), study_axes(grid)
    assert [each.name for each in made] == list(axes["scenario"])
    assert axes["scenario"].is_unique and len({each.number for each in made}) == len(made)
    cell = axes.query("groups_per_arm == 5 and size == 25 and imbalance == 0 and icc == 0.2")
    assert sorted(cell["effect"]) == [0, grid.effect]
    lecture = made[cell.index[0]]
    assert lecture.design.n_groups == 15 and lecture.design.n_obs == 375 and lecture.icc == 0.2
    for each, row in zip(made, axes.itertuples(), strict=True):
        assert each.design.n_groups == 3 * row.groups_per_arm
        assert each.effects.max() == row.effect
        assert each.design.n_obs == 3 * row.groups_per_arm * row.size
