"""Results tables have their schema's columns, order and types, whatever fills them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from groupwise import tidy
from groupwise.inference.wald import f_test, wald

WHO = {"dataset": "d", "specification": "s", "method": "m"}
OMNIBUS = WHO | {"statistic": 1, "df_num": 2, "df_den": np.inf, "p_value": 0.5, "message": ""}


def joint_test(L: np.ndarray, beta: np.ndarray, vcov: np.ndarray, df: float) -> tidy.JointTest:
    return f_test(L @ beta, L @ vcov @ L.T, df)


# Schema -------------------------------------------------------------------------------------------


def test_table_orders_and_types_its_columns() -> None:
    found = tidy.table("omnibus", [dict(reversed(OMNIBUS.items()))])
    assert list(found.columns) == list(tidy.TABLES["omnibus"])
    assert found["statistic"].dtype == float and found["df_den"].iloc[0] == np.inf


@pytest.mark.parametrize("name", list(tidy.TABLES))
def test_empty_table_has_columns_and_types(name: str) -> None:
    found = tidy.table(name, [])
    assert list(found.columns) == list(tidy.TABLES[name]) and found.empty
    kinds = {float: "f", int: "i", bool: "b"}
    for column, kind in tidy.TABLES[name].items():
        assert found[column].dtype.kind == kinds.get(kind, found[column].dtype.kind)
    assert list(tidy.concat(name, [found, found]).dtypes) == list(found.dtypes)


def test_unknown_or_missing_column_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"table omnibus: .*: estmate, statistic$"):
        rows = {key: value for key, value in OMNIBUS.items() if key != "statistic"}
        tidy.table("omnibus", [rows | {"estmate": 1}])


def test_empty_parts_do_not_change_types() -> None:
    full = tidy.table("omnibus", [OMNIBUS])
    found = tidy.concat("omnibus", [tidy.table("omnibus", []), full, full])
    assert len(found) == 2 and list(found.dtypes) == list(full.dtypes)
    assert list(found.index) == [0, 1]


def test_names_are_those_of_broom() -> None:
    glossary = {"estimate", "std_error", "statistic", "df", "p_value"}
    glossary |= {"conf_low", "conf_high", "conf_level"}
    for name in ("estimates", "marginal_means", "coefficients"):
        assert glossary <= set(tidy.TABLES[name])


def test_twelve_digits_come_back_from_csv() -> None:
    value = 0.1234567890123456
    assert float(tidy.FLOAT_FORMAT % value) == pytest.approx(value, rel=1e-11)


# Rows of NaN --------------------------------------------------------------------------------------


def inference(k: int) -> tidy.Inference:
    return wald(np.eye(k), np.arange(1.0, k + 1), np.eye(k), df=7, conf_level=0.9)


def test_missing_inference_is_nan_at_its_level() -> None:
    found = pd.DataFrame(tidy.Inference.missing(3, 0.9).columns())
    assert (found.pop("conf_level") == 0.9).all() and found.isna().all().all() and len(found) == 3


def test_mask_keeps_some_rows_and_empties_others() -> None:
    keep = np.array([True, False, True])
    found = pd.DataFrame(inference(3).mask(keep).columns()).drop(columns="conf_level")
    expected = pd.DataFrame(inference(3).columns()).drop(columns="conf_level")
    pd.testing.assert_frame_equal(found[keep], expected[keep])
    assert found[~keep].isna().all().all()


def result(answers: tidy.Answers, **changes: object) -> tidy.MethodResult:
    shared = {"specification": "s", "method": "m", "terms": ("Intercept", "B"), "estimand": "e"}
    shared |= {"vcov_type": "v", "df_method": "t", "software": "none", "converged": True}
    return tidy.MethodResult(answers=answers, **(shared | changes))  # type: ignore[arg-type]


def test_method_that_does_not_apply_has_its_rows_all_the_same() -> None:
    good = tidy.Answers(inference(1), inference(2), inference(2), tidy.JointTest(1, 1, 7, 0.3))
    nothing = tidy.Answers.missing(1, 2, 2, 0.9)
    results = [result(good), result(nothing, method="n", converged=False, message="Why not.")]
    shared = {"dataset": "d", "contrasts": ["B - A"], "arms": ["A", "B"], "n_obs": 9, "n_groups": 4}
    tables = tidy.method_tables(results, **shared)
    assert {name: len(table) for name, table in tables.items()} == {
        "estimates": 2,
        "marginal_means": 4,
        "coefficients": 4,
        "omnibus": 2,
    }
    for name, table in tables.items():
        assert list(table.columns) == list(tidy.TABLES[name])
        row = table[table["method"] == "n"].iloc[0]
        assert row["message"] == "Why not." and np.isnan(row["p_value"])
    row = tables["estimates"].iloc[1]
    assert not row["converged"] and np.isnan(row["estimate"]) and row["n_obs"] == 9


# Wald ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("df", [3.0, 7.5, np.inf])
@pytest.mark.parametrize("conf_level", [0.5, 0.95])
def test_wald_is_t_or_normal(df: float, conf_level: float) -> None:
    L, beta = np.array([[1.0, 0], [-1, 1]]), np.array([1.0, 3.0])
    vcov = np.array([[4.0, 1], [1, 9]])
    found = wald(L, beta, vcov, df=df, conf_level=conf_level)
    se = np.sqrt([4, 4 + 9 - 2])
    dist = stats.norm() if np.isinf(df) else stats.t(df)
    assert_allclose(found.estimate, [1, 2])
    assert_allclose(found.std_error, se)
    assert_allclose(found.statistic, found.estimate / se)
    assert_allclose(found.p_value, 2 * dist.sf(found.estimate / se))
    half = dist.ppf(0.5 + conf_level / 2) * se
    assert_allclose(found.conf_low, found.estimate - half)
    assert_allclose(found.conf_high, found.estimate + half)
    assert (found.df == df).all() and found.conf_level == conf_level


@pytest.mark.parametrize("df", [3.0, np.inf])
def test_joint_test_of_one_row_is_the_square_of_wald(df: float) -> None:
    L, beta, vcov = np.array([[-1.0, 1]]), np.array([1.0, 3]), np.diag([4.0, 9])
    one, joint = wald(L, beta, vcov, df=df, conf_level=0.95), joint_test(L, beta, vcov, df)
    assert_allclose([joint.statistic, joint.p_value], [one.statistic[0] ** 2, one.p_value[0]])
    assert (joint.df_num, joint.df_den) == (1, df)


def test_joint_test_does_not_depend_on_how_contrasts_are_written() -> None:
    beta, vcov = np.array([1.0, 3, 2]), np.array([[4.0, 1, 1], [1, 9, 2], [1, 2, 5]])
    L = np.array([[-1.0, 1, 0], [-1, 0, 1]])
    other = np.array([[1.0, 2], [3, -1]]) @ L
    assert_allclose(
        list(vars(joint_test(L, beta, vcov, 5)).values()),
        list(vars(joint_test(other, beta, vcov, 5)).values()),
    )


def test_chi_squared_is_the_limit_of_f() -> None:
    L, beta, vcov = np.eye(2), np.array([1.0, 3]), np.diag([4.0, 9])
    limit, far = (joint_test(L, beta, vcov, df) for df in (np.inf, 1e7))
    assert limit.statistic == far.statistic == pytest.approx((0.25 + 1) / 2)
    assert limit.p_value == pytest.approx(far.p_value, rel=1e-6)
    assert limit.p_value == pytest.approx(stats.chi2.sf(1.25, 2))
