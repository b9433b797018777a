"""Guessed roles over a table of layouts: nearly all are right or left open, hardly any is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import layouts_fifth_round  # noqa: F401  (to import a round is to add its layouts)
import layouts_fourth_round  # noqa: F401
import layouts_second_round  # noqa: F401
import layouts_third_round  # noqa: F401
import pandas as pd
import pytest
import yaml
from configuration import check_configuration
from describe_file import describe
from layouts import LAYOUTS, ROLES, Key, Layout
from raw_table import read_raw

from groupwise.data.codes import without_codes
from groupwise.data.drafting import FILL_IN, WHICH
from groupwise.data.guess import Guess, guess_layout, guess_reference
from groupwise.data.ingest import ingest
from groupwise.data.validate import Roles

LEAST_HARMLESS = 0.95
MOST_WRONG = 0.02
AT_ONCE = 31


ROUNDS = ("tuned", "first round", "second round", "third round", "fourth round", "fifth round")


def verdicts(layout: Layout) -> dict[str, tuple[str, Key]]:
    """`right`, `open` or `wrong` for each role, with the guess."""
    return _verdicts(LAYOUTS.index(layout))


@cache
def _verdicts(place: int) -> dict[str, tuple[str, Key]]:
    layout = LAYOUTS[place]
    table, guesses = layout.table, _guesses(place)
    found = {role: guesses[role].name if role in guesses else None for role in ROLES}
    judged = {role: (_judged(found[role], layout.right[role]), found[role]) for role in ROLES}
    treatment = found["treatment"]
    if isinstance(treatment, str) and judged["treatment"][0] == "right":
        judged["reference"] = _judged_reference(table[treatment], layout)
    return judged


@cache
def _guesses(place: int) -> dict[str, Guess]:
    return dict(guess_layout(LAYOUTS[place].table).roles)


def _judged_reference(arms: pd.Series, layout: Layout) -> tuple[str, Key]:
    """Where no arm sounds like a control the page says so, and the first stands for none: open."""
    guess = guess_reference(arms)
    if layout.reference == {None} or guess.name in layout.reference:
        return "right", guess.name
    return ("open" if guess.why.startswith("no arm") else "wrong"), guess.name


def _judged(guess: Key, right: frozenset[Key]) -> str:
    if guess in right:
        return "right"
    return "open" if guess is None else "wrong"


def tally(layouts: Sequence[Layout]) -> tuple[dict[str, Counter[str]], list[str]]:
    counts: dict[str, Counter[str]] = {role: Counter() for role in (*ROLES, "reference")}
    faults = []
    for layout in layouts:
        for role, (verdict, guess) in verdicts(layout).items():
            counts[role][verdict] += 1
            if verdict != "right":
                faults.append(f"{layout.name}: {role} {verdict}, {guess}")
    return counts, faults


def shown(title: str, counts: dict[str, Counter[str]], faults: list[str]) -> str:
    lines = [f"\n{title:12} {'n':>4} {'right':>6} {'open':>5} {'wrong':>6}  harmless"]
    for role, each in counts.items():
        n = each.total()
        share = (each["right"] + each["open"]) / n
        lines.append(
            f"{role:12} {n:4} {each['right']:6} {each['open']:5} {each['wrong']:6}  {share:8.1%}"
        )
    return "\n".join([*lines, *(f"  {fault}" for fault in faults)])


@pytest.mark.parametrize("aside", range(len(ROUNDS)), ids=ROUNDS)
def test_guesses_do_no_harm(aside: int) -> None:
    """Each round was held out when it was written (see `layouts`); rules were mended after it."""
    layouts = [each for each in LAYOUTS if each.aside == aside]
    counts, faults = tally(layouts)
    table = shown(ROUNDS[aside], counts, faults)
    print(table)
    for role, each in counts.items():
        assert each["wrong"] <= MOST_WRONG * each.total() + 1e-9, f"{role}\n{table}"
        assert each["right"] + each["open"] >= LEAST_HARMLESS * each.total()


def test_there_are_layouts_enough() -> None:
    assert len(LAYOUTS) >= 180
    assert len({each.name for each in LAYOUTS}) == len(LAYOUTS)


@pytest.fixture(scope="module")
def drafts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The drafted block of each layout; some together are one configuration, and checked as one."""
    folder = tmp_path_factory.mktemp("layouts")
    blocks: dict[str, dict[str, Any]] = {}
    for first in range(0, len(LAYOUTS), AT_ONCE):
        config: dict[str, Any] = {"datasets": {}}
        for each in LAYOUTS[first : first + AT_ONCE]:
            config["datasets"] |= _drafted(each, folder)
        file = folder / "config.yaml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        check_configuration(config, [str(file)])
        blocks |= config["datasets"]
    return blocks


def _drafted(layout: Layout, folder: Path) -> dict[str, Any]:
    path, table = folder / f"{layout.name}.parquet", layout.table
    texts = [name for name in table if pd.api.types.is_object_dtype(table[name])]
    table.astype(dict.fromkeys(texts, "string")).to_parquet(path)
    page = describe(str(path), {})
    block: dict[str, Any] = yaml.safe_load(page[page.index("\ndatasets:") :])["datasets"]
    return block


@pytest.mark.parametrize("layout", LAYOUTS, ids=[each.name for each in LAYOUTS])
def test_draft_runs_or_says_what_is_to_be_filled_in(
    layout: Layout, drafts: dict[str, dict[str, Any]]
) -> None:
    block = drafts[layout.name]
    if "FILL IN" in str(block):
        roles = _guesses(LAYOUTS.index(layout))
        is_open = [role for role in ("outcome", "treatment", "group") if roles[role].name is None]
        assert is_open or FILL_IN in str(block.get("recode")) or block.get("event") == WHICH
        assert all(block["roles"][role].startswith("FILL IN") for role in is_open)
        return
    names = ("reference", "recode", "baseline", "ungrouped", "untreated_periods", "missing_codes")
    names = (*names, "outcome_kind", "event")
    given = {key: block[key] for key in names if key in block}
    table = without_codes(read_raw(Path(block["file"]), None).table, given.get("missing_codes"))
    taken = ingest(table, Roles.from_settings(block["roles"]), **given)
    assert len(taken.table) >= 0.45 * len(table)
    assert taken.table[block["roles"]["treatment"]].cat.categories[0] == block["reference"]


def test_most_drafts_run() -> None:
    """To leave everything open would do no harm either."""
    counts, _ = tally(LAYOUTS)
    for role, each in counts.items():
        assert each["right"] >= 0.85 * each.total(), role
