"""What a design understands of an experiment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from experiments import KINDS, draw, fit_all, only, roles_of, sample_of
from numpy.testing import assert_allclose

from groupwise.data.errors import InputError
from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles
from groupwise.design import Design, _fewer_rows, _Part, describe, make_design


def design_of(table: pd.DataFrame, blocks_as: str = "fixed") -> Design:
    return sample_of(table, blocks_as=blocks_as).design


@pytest.mark.parametrize("kind", KINDS)
def test_kind_is_read_off_the_data(kind: str) -> None:
    assert design_of(draw(kind)).kind == kind


def test_treatment_that_varies_in_groups_inside_blocks_is_within() -> None:
    assert design_of(draw("within").assign(b="one block")).kind == "within"


@pytest.mark.parametrize(
    ("arms", "expected"),
    [
        (2, ["B - A"]),
        (3, ["B - A", "C - A", "C - B"]),
        (4, ["B - A", "C - A", "D - A", "C - B", "D - B", "D - C"]),
    ],
)
def test_every_pair_of_arms_is_a_contrast_those_with_the_reference_first(
    arms: int, expected: list[str]
) -> None:
    design = design_of(draw(arms=arms, groups=2 * arms))
    assert list(design.contrast_labels) == expected
    beta = np.arange(float(design.X.shape[1]))  # arm B adds 1, C adds 2, ...
    effect = dict(zip("ABCD", np.append(0, beta[1:]), strict=False))
    assert_allclose(design.L @ beta, [effect[b] - effect[a] for b, a in design.contrasts])
    assert_allclose(design.omnibus, np.eye(design.X.shape[1])[1:arms])


def test_columns_are_intercept_arms_blocks_covariates() -> None:
    design = design_of(draw("blocked", covariates=["x", "w", "c"]))
    assert design.terms == ("Intercept", "B", "C", "b: south", "x", "w", "c: green", "c: red")
    roles = ["intercept"] + ["treatment"] * 2 + ["block"] + ["covariate"] * 4
    assert list(design.role) == roles
    assert list(design.columns("treatment", "block")) == [1, 2, 3]
    assert design.X.shape == (36, 8) and (design.X[:, 0] == 1).all()


def test_random_blocks_have_no_columns() -> None:
    design = design_of(draw("blocked"), blocks_as="random")
    assert design.terms == ("Intercept", "B", "C")
    assert design.block_labels == ("north", "south") and design.block is not None


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (["10", "9", "2", "1"], ["1", "2", "9", "10"]),
        (["b", "10", "a", "9"], ["9", "10", "a", "b"]),
        (["07", "7", "x7", "-1"], ["-1", "07", "7", "x7"]),
    ],
)
def test_labels_stand_in_natural_order(labels: list[str], order: list[str]) -> None:
    table = pd.DataFrame({"g": np.repeat(labels, 2), "arm": list("aabbaabb"), "y": range(8)})
    design = design_of(table)
    assert list(design.group_labels) == order
    assert [order[code] for code in design.group] == list(np.repeat(labels, 2))


def test_groups_know_size_arm_and_first_row() -> None:
    table = draw("mixed", groups=6, sizes=[1, 2, 3, 4, 5, 6])
    design = design_of(table)
    assert list(design.group_size) == [1, 2, 3, 4, 5, 6]
    assert list(design.first_of_group) == [0, 1, 3, 6, 10, 15]
    # One member is in one arm; two members of a group that mixes arms are in two.
    assert list(design.arm_of_group) == [0, -1, 2, 0, 1, 2]
    assert (design.n_obs, design.n_groups) == (21, 6)


# emmeans 1.8.4.1, R 4.2.2: emmeans(lm(y ~ arm + site + x + col), "arm") of this table.
EMMEANS = [5.6666666666666687, 5.5744476464937547, 4.4858309317963512]
EMMEANS_SE = [1.3471783583842010, 1.5813907578225836, 1.4834798040719877]


def test_reference_grid_is_that_of_emmeans() -> None:
    table = pd.DataFrame(
        {
            "y": [3, 5, 4, 8, 7, 9, 6, 2, 1, 5, 4, 6],
            "arm": list("ABC") * 4,
            "site": ["n"] * 6 + ["s"] * 6,
            "x": [1, 4, 2, 6, 3, 5, 7, 2, 9, 4, 1, 8],
            "col": ["red", "green", "blue", "red"] * 3,
            "g": range(12),
        }
    )
    sample = sample_of(table, Roles("y", "arm", "g", "site", ("x", "col")))
    found = only(fit_all(sample, ["pooled"])["marginal_means"], method="ols_classical")
    assert_allclose(found["estimate"], EMMEANS, rtol=1e-12)
    assert_allclose(found["std_error"], EMMEANS_SE, rtol=1e-12)


@pytest.mark.parametrize(
    ("covariates", "words"),
    [
        ({"copy": lambda t: 2 * t["y"] - 2 * t["y"] + (t["arm"] == "B")}, "'copy'"),
        ({"fixed": 3.0}, "'fixed'"),
        ({"x": lambda t: t["y"], "twice": lambda t: 2 * t["y"] + 1}, "cannot be told apart"),
    ],
)
def test_terms_that_say_the_same_are_refused(covariates: dict[str, object], words: str) -> None:
    table = draw().assign(**covariates)
    roles = Roles("y", "arm", "g", None, tuple(covariates))
    data = ingest(table.assign(y=np.arange(len(table))), roles).table
    with pytest.raises(InputError, match="cannot be told apart") as caught:
        make_design(data, roles)
    assert words in str(caught.value) and caught.value.key == "roles"


def test_blocks_with_one_arm_each_are_refused_as_fixed() -> None:
    table = draw(arms=2).assign(b=lambda t: t["arm"])
    with pytest.raises(InputError, match="cannot be told apart"):
        sample_of(table)
    assert sample_of(table, blocks_as="random").design.kind == "blocked"


# design.json --------------------------------------------------------------------------------------


def test_description_of_the_lectures_design() -> None:
    found = describe(design_of(draw(groups=15, sizes=25)))
    sizes = {"min": 25, "median": 25.0, "mean": 25.0, "max": 25}
    assert found == {
        "kind": "between",
        "n_obs": 375,
        "n_groups": 15,
        "n_blocks": 0,
        "blocks_as": None,
        "arms": {arm: {"n_groups": 5, "n_obs": 125, "group_size": sizes} for arm in "ABC"},
        "contrasts": ["B - A", "C - A", "C - B"],
        "group_size": sizes,
        "groups_in_several_arms": 0,
        "constant_within_groups": [],
        "second_group": None,
        "unit": {"unit": "group", "bearer": "group"},
        "periods": None,
        "individual_level": False,
        "random_slopes": "none",
        "left_out": [],
        "balanced": True,
        "n_parameters": {"fixed": 3, "dummy_groups": 14},
        "warnings": [],
    }


def test_description_of_a_ragged_design_in_blocks() -> None:
    table = draw("blocked", groups=7, sizes=[1, 2, 3, 4, 5, 6, 9])
    table["b"] = np.where(table["g"] <= 5, "north", "south")  # groups 6 and 7: arms C and A
    found = describe(design_of(table, blocks_as="random"))
    assert (found["kind"], found["n_blocks"], found["blocks_as"]) == ("blocked", 2, "random")
    assert found["group_size"] == {"min": 1, "median": 4.0, "mean": 30 / 7, "max": 9}
    assert (found["arms"]["A"]["n_groups"], found["arms"]["A"]["n_obs"]) == (3, 14)
    assert found["arms"]["A"]["group_size"]["max"] == 9
    assert not found["balanced"]
    warnings = " ".join(found["warnings"])
    assert "There are few groups, 3 in 'A'," in warnings
    assert "1 of 7 groups " in warnings and "one member only" in warnings
    assert "1 of 2 blocks " in warnings and "every arm" in warnings


def test_equal_groups_in_unequal_numbers_are_not_balanced() -> None:
    assert not describe(design_of(draw(arms=3, groups=7)))["balanced"]


def test_design_does_not_depend_on_the_order_of_rows() -> None:
    table = draw("blocked", covariates=["x", "c"])
    shuffled = table.sample(frac=1, random_state=1)
    roles = roles_of(table)
    one, other = (sample_of(t, roles).design for t in (table, shuffled))
    back = shuffled.index.argsort()
    assert one.terms == other.terms and one.group_labels == other.group_labels
    assert_allclose(other.X[back], one.X)
    assert_allclose(other.L_means, one.L_means)


# Second groupings, slopes and terms that others say ------------------------------------------------


def with_second(kind: str, second: np.ndarray) -> Design:
    table = draw(kind, groups=6, sizes=4).assign(s=second)
    return sample_of(table, Roles("y", "arm", "g", second_group="s")).design


@pytest.mark.parametrize(
    ("second", "relation"),
    [
        (np.arange(24) // 2, "nested in the groups"),
        (np.arange(24) % 4, "crossed with the groups"),
        (np.arange(24) // 8, "holds the groups"),
    ],
)
def test_second_grouping_is_nested_crossed_or_above(second: np.ndarray, relation: str) -> None:
    design = with_second("between", second)
    found = describe(design)["second_group"]
    assert found == {"n_levels": len(np.unique(second)), "relation": relation}
    assert design.X.shape[1] == 3  # the mean does not change


def test_slopes_need_a_treatment_that_varies_within_groups() -> None:
    assert sample_of(draw("within"), random_slopes=True).design.random_slopes == "unstructured"
    assert sample_of(draw("mixed"), random_slopes="diagonal").design.random_slopes == "diagonal"
    with pytest.raises(InputError, match="random_slopes: the treatment is constant within every"):
        sample_of(draw("blocked"), random_slopes=True)


def test_covariates_that_others_say_are_refused_or_dropped_by_name() -> None:
    table = draw(covariates=["x", "z"]).assign(double=lambda t: 2 * t["x"] + t["z"])
    with pytest.raises(InputError, match=r"roles: '\w+' cannot be told apart .*rank_deficient"):
        sample_of(table)
    design = sample_of(table, rank_deficient="drop").design
    assert design.aliased == ("double",) and design.terms[-2:] == ("x", "z")
    assert_allclose(design.X, sample_of(table.drop(columns="double")).design.X)
    assert_allclose(design.L_means, sample_of(table.drop(columns="double")).design.L_means)
    assert any("'double'" in warning for warning in describe(design)["warnings"])


def test_a_treatment_that_the_covariates_say_is_never_dropped() -> None:
    table = draw(covariates=["x"]).assign(same=lambda t: (t["arm"] == "B").astype(float))
    design = sample_of(table, rank_deficient="drop").design
    assert design.aliased == ("same",) and design.terms[1:3] == ("B", "C")


def test_rank_is_told_from_rows_that_have_the_same_cross_products() -> None:
    rng = np.random.default_rng(3)
    arm, block = rng.integers(0, 3, 200), rng.integers(0, 5, 200)
    factors = [
        _Part.intercept(200),
        _Part.factor("treatment", arm, ("a", "b", "c")),
        _Part.factor("block", block, tuple("vwxyz")),
    ]
    X = np.hstack([part.X for part in factors])
    fewer = _fewer_rows(X, factors)
    assert len(fewer) == len({*zip(arm, block, strict=True)})
    assert_allclose(fewer.T @ fewer, X.T @ X, rtol=1e-12)
    number = _Part.numeric("x", rng.normal(size=200))
    with_number = np.hstack([X, number.X])
    assert _fewer_rows(with_number, [*factors, number]) is with_number
