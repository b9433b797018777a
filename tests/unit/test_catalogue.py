"""The catalogues: every method and every table is listed once, and all that is asked of it is there."""

from __future__ import annotations

import re

import numpy as np
import pytest
from configuration import modules
from experiments import ROOT
from settings import METHODS_PACKAGE

from groupwise.catalogue import methods, tables
from groupwise.catalogue.methods import METHODS, NAMES
from groupwise.methods import all_methods, methods_in
from groupwise.planning.power import why_not
from groupwise.planning.precision import METHODS as PLANNED

SCRIPTS = ROOT / "workflow" / "scripts"


def test_methods_stand_in_the_order_of_tables_and_unknown_ones_last() -> None:
    assert [methods.method_order(name) for name in NAMES] == list(range(len(NAMES)))
    assert methods.method_order("new_method") == len(NAMES)
    assert methods.method_label("new_method") == methods.method_phrase("new_method") == "new_method"


def test_methods_are_told_apart_by_their_names_and_words() -> None:
    assert len(NAMES) == len({method.label for method in METHODS.values()})
    assert len(NAMES) == len({method.phrase for method in METHODS.values()})


@pytest.mark.parametrize("method", NAMES)
def test_assumptions_of_methods_can_be_filled_in(method: str) -> None:
    keys = {"group": "class", "groups": "classes", "Group": "Class", "Groups": "Classes"}
    keys |= {"a_group": "a class", "Rows": "Measurements"}
    text = METHODS[method].assumption.format(**keys)
    assert text.endswith(".") and not set("{}") & set(text)
    assert np.char.isupper(text[0])


@pytest.mark.parametrize("method", NAMES)
def test_method_has_a_panel_and_a_cost_that_there_are(method: str) -> None:
    costs = (methods.FAST, methods.SLOW, methods.SLOWEST)
    entry = METHODS[method]
    assert entry.panel in methods.PANELS
    # More random terms never make a replicate cheaper.
    assert costs.index(entry.cost) <= costs.index(entry.general_cost)


def test_every_specification_is_a_module_and_every_method_answers_simulations() -> None:
    folder = SCRIPTS.joinpath(*METHODS_PACKAGE.split("."))
    assert {method.specification for method in METHODS.values()} == set(modules(folder))
    assert sorted(all_methods()) == sorted(NAMES)
    for name, method in METHODS.items():
        assert name in methods_in(method.specification)


def test_methods_of_events_are_those_that_take_no_other_outcomes() -> None:
    for name, method in all_methods().items():
        assert METHODS[name].of_events == ("continuous" not in method.families), name


def test_methods_with_a_formula_for_their_power_are_in_the_catalogue() -> None:
    assert set(PLANNED) <= set(NAMES) and set(methods.CURVES) <= set(PLANNED)
    for name in set(NAMES) - set(PLANNED):
        assert why_not(None, name).startswith("Not planned for: ")  # type: ignore[arg-type]


def test_places_are_taken_once() -> None:
    curves = [method.curve for method in METHODS.values() if method.curve is not None]
    assert sorted(curves) == list(range(1, len(curves) + 1))
    for kind in methods.DESIGN_KINDS:
        places = [method.leads[kind] for method in METHODS.values() if kind in method.leads]
        assert len(set(places)) == len(places) == len(methods.PREFERENCES[kind])


def test_docs_name_every_method() -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", tables.TABLES)
def test_rule_that_makes_a_table_there_is(name: str) -> None:
    entry = tables.TABLES[name]
    assert (SCRIPTS / f"{entry.rule}.py").is_file()
    assert set(entry.columns.values()) <= {str, int, float, bool}
    assert entry.file in ("csv", "parquet")
    assert not entry.shown or (entry.of_dataset and entry.json)


def test_tables_of_methods_name_them() -> None:
    for name in tables.PER_METHOD:
        assert list(tables.TABLES[name].columns)[:3] == ["dataset", "specification", "method"]


def test_docs_give_the_order_in_which_methods_lead() -> None:
    """The table of docs/verdict.md, a column per kind of design."""
    text = (ROOT / "docs" / "verdict.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if re.match(r"\| (place|\d+) ", line)]
    head, *rows = [[cell.strip(" `") for cell in line.split("|")[2:-1]] for line in lines]
    columns = zip(*rows, strict=True)
    order = {kind: tuple(filter(None, column)) for kind, column in zip(head, columns, strict=True)}
    assert order == methods.PREFERENCES
