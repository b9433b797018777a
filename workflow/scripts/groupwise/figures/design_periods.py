"""The design of an experiment with periods: who was in which arm when, with sizes and means."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
import pandas as pd
from plotnine import (
    aes,
    element_blank,
    geom_text,
    geom_tile,
    ggplot,
    labs,
    scale_fill_manual,
    scale_x_continuous,
    scale_y_continuous,
)

from groupwise.data.labels import combined, labels
from groupwise.effect_words import EffectWords
from groupwise.figures import Figure, Tables
from groupwise.figures.style import (
    GRID,
    INK,
    MANY_GROUPS,
    WIDTH,
    GroupAxis,
    arm_tints,
    look,
    row_label,
    sentence,
    wrap,
)
from groupwise.sequences import Sequences
from groupwise.words import (
    count,
    decimals_for,
    fixed,
    percent,
    plural,
    role_word,
    row_word,
)

NEEDS_ROLE = "period"
"""Only data in which a column plays this role have the figure."""

MOST_ROWS = 120
"""Of more groups a row shows a sequence; of more sequences the most frequent are shown."""

MOST_LABELS, MOST_WRITTEN = 24, 8
"""Periods that have a label, and sequences that the alt text describes."""

LETTER, LINE = 0.1, 0.19
"""Inches that a letter is wide, and a line of text high."""

GAP = 0.5
"""Between sequences, in rows."""


def draw(tables: Tables) -> Figure:
    """Plot of arms by period: a row for each group, or for all units that share a sequence."""
    if not tables.design["periods"]:
        n = count(tables.design["n_groups"], "group")
        text = f"Nothing says when these {n} were measured: there are no periods to show."
        return Figure(sentence(text), WIDTH, 2, text)
    it = _Picture(tables, _rows(tables))
    plot = (
        ggplot(it.cells, aes("x", "y"))
        + geom_tile(data=it.blank, fill="white", color=GRID, size=0.6, width=0.96, height=0.92)
        + geom_tile(aes(fill="arm"), width=0.96, height=1 if it.crowded else 0.92)
        + scale_fill_manual(arm_tints(list(tables.design["arms"])), labels=_wrapped)
        + it.x_axis
        + it.y_axis
        + labs(x=role_word(tables.design["roles"], "period"), y=it.rows.title, caption=it.note)
        + look(panel_grid_major=element_blank(), **it.axis.settings)
    )
    if it.has_text:
        plot += geom_text(aes(label="label"), size=10.5, color=INK, lineheight=1.1)
    if not it.rows.pooled:
        plot += geom_text(aes(label="label"), data=it.sizes, size=10.5, color=INK, ha="left")
    return Figure(plot, WIDTH, it.height, _alt(tables, it.rows))


def _wrapped(arms: list[str]) -> list[str]:
    return [wrap(arm) for arm in arms]


@dataclass(frozen=True)
class _Rows:
    """The rows of the picture, which show groups or, pooled, whole sequences.

    Attributes
    ----------
    cells : row and period (numbers from 0), arm, n, mean and sd, of the cells that have data
    labels : of the rows
    title : what a row is
    sequence : of each row
    units : of each sequence, how many go through it
    arms : of each sequence by period, codes
    unit : what goes through a sequence
    pooled : whether a row shows all of a sequence
    """

    cells: pd.DataFrame
    labels: list[str]
    title: str
    sequence: np.ndarray
    units: np.ndarray
    arms: np.ndarray
    unit: str
    pooled: bool = True


def _rows(tables: Tables) -> _Rows:
    """Rows of sequences where units are individuals, or many; of arms where a cell holds several."""
    roles, periods, data = tables.design["roles"], tables.design["periods"], _data(tables)
    bearer = "individual" if periods["bearer"] == "individual" else "group"
    unit, word = data[bearer].cat.codes.to_numpy(int), role_word(roles, bearer)
    arm, n_periods = data["arm"].cat.codes.to_numpy(int), len(periods["labels"])
    sequences = Sequences.of(arm, unit, data["period"].to_numpy(), n_periods)
    if sequences is None:
        arms = np.repeat(np.arange(len(tables.design["arms"]))[:, None], n_periods, axis=1)
        n_groups = data.groupby("arm", observed=False)["group"].nunique().to_numpy()
        title, labelled = role_word(roles, "treatment"), list(tables.design["arms"])
        return _Rows(_cells(data, arm), labelled, title, np.arange(len(arms)), n_groups, arms, word)
    of_unit, units = sequences.sequence, sequences.n_units
    alone = data.groupby([unit, "period"]).size().max() == 1  # groups are individuals
    if bearer == "individual" or alone or len(of_unit) > MOST_ROWS:
        kept = np.arange(len(units))
        if len(kept) > MOST_ROWS:
            kept = np.sort(np.argsort(-units, kind="stable")[:MANY_GROUPS])
        shown = np.isin(of_unit[unit], kept)
        cells = _cells(data[shown], np.searchsorted(kept, of_unit[unit[shown]]))
        labelled = [count(int(units[k]), word) for k in kept]
        return _Rows(cells, labelled, "sequence", kept, units, sequences.arms, word)
    order = np.argsort(of_unit, kind="stable")
    cells = _cells(data, np.argsort(order)[unit])
    labelled = [str(data["group"].cat.categories[k]) for k in order]
    return _Rows(cells, labelled, word, of_unit[order], units, sequences.arms, word, pooled=False)


def _data(tables: Tables) -> pd.DataFrame:
    """Outcome, arm, period (a number from 0), group and individual of every row."""
    roles, data = tables.design["roles"], tables.data
    labelled = tables.design["periods"]["labels"]
    columns = {
        "outcome": data[roles["outcome"]].astype(float),
        "arm": data[roles["treatment"]].cat.set_categories(list(tables.design["arms"])),
        "period": data[roles["period"]].cat.set_categories(labelled).cat.codes.astype(int),
        "group": labels(data[roles["group"]]),
    }
    if tables.design["periods"]["bearer"] == "individual":
        columns["individual"] = combined([data[roles["group"]], data[roles["individual"]]])
    return pd.DataFrame(columns)


def _cells(data: pd.DataFrame, row: np.ndarray) -> pd.DataFrame:
    cells = data.groupby([pd.Series(row, data.index, name="row"), "period"]).agg(
        arm=("arm", "first"),
        n=("outcome", "size"),
        mean=("outcome", "mean"),
        sd=("outcome", "std"),
    )
    return cells.reset_index()


@dataclass(frozen=True)
class _Picture:
    """Where rows and periods lie, and what stands in and beside them."""

    tables: Tables
    rows: _Rows

    @cached_property
    def y(self) -> np.ndarray:
        """Of each row, from the top down, with a gap between sequences."""
        gaps = 0 if self.rows.pooled else np.diff(self.rows.sequence, prepend=0) != 0
        return -np.arange(len(self.rows.labels)) - GAP * np.cumsum(gaps)

    @property
    def n_periods(self) -> int:
        return int(self.rows.arms.shape[1])

    @cached_property
    def cells(self) -> pd.DataFrame:
        cells = self.rows.cells
        place = {"x": cells["period"] + 1, "y": self.y[cells["row"]]}
        return cells.assign(**place, label=self.texts(" " if self.on_one_line else "\n"))

    @cached_property
    def blank(self) -> pd.DataFrame:
        """The cells without rows: to be seen where there are few rows."""
        x = np.tile(np.arange(self.n_periods) + 1, len(self.y))
        every = pd.DataFrame({"x": x, "y": np.repeat(self.y, self.n_periods)})
        there = pd.MultiIndex.from_frame(self.cells[["x", "y"]])
        return every[~pd.MultiIndex.from_frame(every).isin(there) & (not self.crowded)]

    @cached_property
    def sizes(self) -> pd.DataFrame:
        """How many groups a sequence has, beside the middle of its rows."""
        middle = pd.Series(self.y).groupby(self.rows.sequence).mean()
        word = self.rows.unit if len(self.rows.unit) <= 12 else "group"
        texts = [count(int(n), word) for n in self.rows.units]
        return pd.DataFrame({"x": self.n_periods + 0.6, "y": middle.to_numpy(), "label": texts})

    def texts(self, between: str) -> list[str]:
        """The mean of every cell and its size; of a single row no mean."""
        cells, binary = self.rows.cells, self.is_binary
        decimals = decimals_for(float(np.sqrt((cells["sd"] ** 2).mean() / cells["n"].median())))
        return [
            f"{percent(mean) if binary else fixed(mean, decimals)}{between}({n:,})"
            if n > 1
            else f"({n})"
            for mean, n in zip(cells["mean"], cells["n"], strict=True)
        ]

    @property
    def is_binary(self) -> bool:
        """Whether means are shares."""
        return EffectWords.of(self.tables.design).response.family == "binary"

    @property
    def crowded(self) -> bool:
        return len(self.y) > MANY_GROUPS

    @cached_property
    def labels(self) -> list[str]:
        return [] if self.crowded else [row_label(each, 22, lines=1) for each in self.rows.labels]

    @cached_property
    def beside(self) -> float:
        """Inches to the right of the cells."""
        return 0.0 if self.rows.pooled else 0.1 + LETTER * self.sizes["label"].str.len().max()

    @cached_property
    def cell_width(self) -> float:
        """In inches."""
        left = 0.5 + LETTER * max(map(len, self.labels), default=0)
        return float(WIDTH - left - self.beside) / self.n_periods

    def fits(self, between: str) -> bool:
        """Whether the texts of cells do, with this between mean and size."""
        longest = max(len(line) for text in self.texts(between) for line in text.split("\n"))
        return LETTER * longest + 0.05 <= self.cell_width

    @cached_property
    def on_one_line(self) -> bool:
        return self.fits(" ")

    @cached_property
    def has_text(self) -> bool:
        return not self.crowded and self.fits("\n")

    @cached_property
    def axis(self) -> GroupAxis:
        """Labels of the periods, of every second or third where they are many."""
        names = self.tables.design["periods"]["labels"]
        step = -(-len(names) // MOST_LABELS)
        return GroupAxis.of(["" if i % step else name for i, name in enumerate(names)])

    @property
    def x_axis(self) -> scale_x_continuous:
        return scale_x_continuous(
            breaks=list(range(1, self.n_periods + 1)),
            labels=self.axis.labels,
            limits=(0.5, self.n_periods + 0.5 + self.beside / self.cell_width),
            expand=(0, 0),
        )

    @property
    def y_axis(self) -> scale_y_continuous:
        breaks = [] if self.crowded else list(self.y)
        limits = (self.y.min() - 0.5, 0.5)
        return scale_y_continuous(breaks=breaks, labels=self.labels, limits=limits, expand=(0, 0))

    @property
    def height(self) -> float:
        """In inches."""
        lines = (2 - self.on_one_line) if self.has_text else 0.7
        row = 0.09 if self.crowded else 0.12 + LINE * lines
        heads = max(1 + wrap(arm).count("\n") for arm in self.tables.design["arms"])
        around = 1.0 + LINE * (heads + 1 + self.note.count("\n")) + self.axis.height
        return max(2.2, around + row * float(1 - self.y.min()))

    @cached_property
    def note(self) -> str:
        """What stands in the cells, and that not all sequences are drawn."""
        rows, texts = self.rows, []
        if self.has_text:
            what = EffectWords.of(self.tables.design).cell_mean()
            single = "; no mean of a single one" if (rows.cells["n"] == 1).any() else ""
            things = plural(row_word(self.tables.design))
            texts.append(f"In a cell: {what} (number of {things}){single}.")
        if rows.pooled and len(rows.labels) < len(rows.units):
            shown, total = len(rows.labels), len(rows.units)
            units = plural(rows.unit)
            texts.append(f"Drawn: the {shown:,} of {total:,} sequences with the most {units}.")
        return wrap(" ".join(texts), 88)


def _alt(tables: Tables, rows: _Rows) -> str:
    """Every sequence in words, or the first ones; the sizes of cells, and which have no rows."""
    periods, cells = tables.design["periods"]["labels"], rows.cells
    shown = list(dict.fromkeys(rows.sequence))
    written = [_written(tables, rows, k) for k in shown[:MOST_WRITTEN]]
    things = plural(row_word(tables.design))
    words = EffectWords.of(tables.design)
    what = words.cell_mean().replace("mean of", "means of").replace("share with", "shares with")
    texts = [f"Arms by period ({periods[0]} to {periods[-1]}), and {what}.", *written]
    if more := len(rows.units) - len(written):
        texts.append(f"Not listed: {count(more, 'more sequence')}.")
    sizes = dict.fromkeys(f"{n:,}" for n in (cells["n"].min(), cells["n"].max()))
    texts.append(f"A cell holds {' to '.join(sizes)} {things}.")
    missing = len(rows.labels) * len(periods) - len(cells)
    if missing:
        verb = "has" if missing == 1 else "have"
        texts.append(f"{missing} of {len(cells) + missing} cells {verb} no rows and no colour.")
    return " ".join(texts)


def _written(tables: Tables, rows: _Rows, k: int) -> str:
    """A sequence: its units, and each arm with its periods and the range of means in them."""
    periods, arms = tables.design["periods"]["labels"], list(tables.design["arms"])
    cells = rows.cells[rows.sequence[rows.cells["row"]] == k]
    shown = EffectWords.of(tables.design).shown
    total = (cells["mean"] * cells["n"]).groupby(cells["period"]).sum()
    n = cells["n"].groupby(cells["period"]).sum()
    means, parts = (total / n)[n > 1], []
    for arm, run in groupby(range(len(periods)), key=lambda t: rows.arms[k, t]):
        during = list(run)
        values = means[means.index.isin(during)]
        names = dict.fromkeys(periods[t] for t in (during[0], during[-1]))
        text = f"{arms[arm]} in {' to '.join(names)}"
        if len(values):
            ends = dict.fromkeys(shown(value) for value in (values.min(), values.max()))
            text += f" ({' to '.join(ends)})"
        parts.append(text)
    return f"{count(int(rows.units[k]), rows.unit)}: {', '.join(parts)}."
