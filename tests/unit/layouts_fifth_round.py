"""Twenty further layouts, written after a look at those of the fourth round, before one at theirs."""

from __future__ import annotations

import numpy as np
from layouts import arms, layout, members, named, score, some, typed


@layout(
    aside=5, outcome=["final_exam"], treatment="active_learning", group="lab_section",
    reference=["no"], block=["quarter", None],
)  # fmt: skip
def chemistry_labs(rng):
    section = members(rng, 32, 22)
    n = len(section)
    return {
        "quarter": np.array(["Fall", "Winter"])[section // 16],
        "lab_section": named(section, "L{}"),
        "student_num": rng.permutation(np.arange(1, n + 1)),
        "active_learning": np.array(["no", "yes"])[section % 2],
        "first_gen": rng.integers(0, 2, n),
        "ACT": rng.integers(15, 37, n),
        "midterm": rng.integers(20, 101, n),
        "final_exam": rng.integers(20, 101, n),
    }


@layout(
    aside=5, outcome=["Tinetti_T1", "TUG_T1", "Tinetti_T2", "TUG_T2"], treatment="Intervention",
    group="Heim", reference=["nein"],
)  # fmt: skip
def balance_training(rng):
    home = members(rng, 20, 15)
    n = len(home)
    columns = {
        "Nr": np.arange(1, n + 1),
        "Heim": home + 1,
        "Intervention": arms(rng, home, "ja", "nein"),
        "Alter": rng.integers(65, 100, n),
    }
    for time in ("T0", "T1", "T2"):
        columns[f"Tinetti_{time}"] = rng.integers(5, 29, n)
        columns[f"TUG_{time}"] = rng.gamma(9, 2, n).round(1)
    return columns


@layout(
    aside=5, outcome=["grain_yield", None], treatment="variety", group=["plot", ("farm", "plot"), None],
    block=["farm", None], reference=["local"],
)  # fmt: skip
def on_farm_trials(rng):
    plot = np.repeat(np.arange(60), 4)
    return {
        "farm": named(plot // 3, "farm{:02d}"),
        "plot": plot + 1,
        "variety": np.array(["local", "TMEB419", "TMS30572"])[plot % 3],
        "subsample": np.tile([1, 2, 3, 4], 60),
        "grain_yield": score(rng, plot, mean=2.6, sd=0.6, digits=2),
    }


@layout(
    aside=5, outcome=["bounced", "time_on_page", None], treatment="layout", group="cookie",
    individual="cookie", reference=["old"],
)  # fmt: skip
def site_layouts(rng):
    cookie = members(rng, 380, 5, 0.5)
    n = len(cookie)
    return {
        "cookie": [f"{c * 2654435761 % 2**32:08x}" for c in cookie],
        "ts": 1700000000 + np.arange(n) * 37,
        "layout": arms(rng, cookie, "old", "new"),
        "os": some(rng, n, "iOS", "Android", "Windows"),
        "time_on_page": rng.gamma(1, 40, n).round(1),
        "bounced": rng.integers(0, 2, n),
    }


@layout(
    aside=5, outcome=["CES_D_post", "RSES_post"], treatment="bedingung", group="gruppe",
    reference=["Warteliste"],
)  # fmt: skip
def student_groups(rng):
    group = members(rng, 26, 9)
    n = len(group)
    return {
        "vp": np.arange(1, n + 1),
        "gruppe": group + 1,
        "bedingung": arms(rng, group, "Training", "Warteliste"),
        "semester": rng.integers(1, 12, n),
        "CES_D_pre": rng.integers(0, 50, n),
        "RSES_pre": rng.integers(8, 31, n),
        "CES_D_post": rng.integers(0, 50, n),
        "RSES_post": rng.integers(8, 31, n),
        "kommentar": some(rng, n, "", "gut", "zu lang", p=[0.8, 0.1, 0.1]),
    }


@layout(
    aside=5, outcome=["infant_weight", "z_score", "haz", None], treatment="supplement", group="village",
    reference=["none"], block=["union", None],
)  # fmt: skip
def infants(rng):
    village = members(rng, 48, 15)
    n = len(village)
    return {
        "union": village // 8 + 1,
        "village": village + 1,
        "motherid": np.arange(1, n + 1),
        "supplement": np.array(["none", "LNS", "MNP"])[village % 3],
        "birthweight": rng.normal(2.8, 0.4, n).round(2),
        "age_months": rng.integers(6, 24, n),
        "haz": rng.normal(-1.4, 1.1, n).round(2),
    }


@layout(
    aside=5, outcome="response", treatment="stimulus_type", group=["observer"],
    individual=[None, "observer"], reference=["baseline"],
)  # fmt: skip
def vision(rng):
    observer = np.repeat(np.arange(20), 48)
    return {
        "observer": named(observer, "obs{}"),
        "run": np.tile(np.repeat([1, 2, 3, 4], 12), 20),
        "stimulus_type": np.tile(np.repeat(["baseline", "motion", "flicker"], 4), 80),
        "contrast": np.tile([5, 10, 20, 40], 240),
        "response": rng.normal(0.6, 0.2, 960).round(3),
    }


@layout(
    aside=5, outcome=["catheter_days", "uti", None], treatment="phase_arm", group="ward",
    reference=["usual"],
)  # fmt: skip
def catheters(rng):
    ward = members(rng, 18, 40)
    n = len(ward)
    return {
        "id": np.arange(1, n + 1),
        "ward": named(ward, "Ward {}"),
        "phase_arm": arms(rng, ward, "usual", "reminder"),
        "age": rng.integers(20, 95, n),
        "diabetes": some(rng, n, "no", "yes", p=[0.8, 0.2]),
        "catheter_days": rng.poisson(5, n) + 1,
        "uti": some(rng, n, "no", "yes", p=[0.93, 0.07]),
    }


@layout(
    aside=5, outcome=["productivity", "output_per_hour", None], treatment="pay", group="line",
    individual=["worker"], reference=["fixed", "piece"],
)  # fmt: skip
def piece_rates(rng):
    worker = np.repeat(np.arange(180), 5)
    line = worker // 9
    return {
        "line": line + 1,
        "worker": worker + 1,
        "day": np.tile(["Mon", "Tue", "Wed", "Thu", "Fri"], 180),
        "pay": np.array(["fixed", "piece"])[line % 2],
        "defects": rng.poisson(1.2, 900),
        "output_per_hour": score(rng, worker, mean=22, sd=4),
    }


@layout(
    aside=5, outcome=["survival_days", "dead", None], treatment="diet", group="vial",
    reference=["standard", "control"],
)  # fmt: skip
def flies(rng):
    vial = members(rng, 40, 12)
    n = len(vial)
    return {
        "vial": vial + 1,
        "diet": arms(rng, vial, "standard", "high sugar"),
        "sex": some(rng, n, "F", "M"),
        "survival_days": rng.integers(3, 80, n),
        "censored": rng.choice([0, 1], n, p=[0.9, 0.1]),
    }


@layout(
    aside=5, outcome=["vote_share", "trust_gov", None], treatment="canvass", group="ward_no",
    reference=["0"], block=["constituency", None],
)  # fmt: skip
def canvassing(rng):
    ward = members(rng, 50, 12)
    n = len(ward)
    return {
        "resp_id": np.arange(1, n + 1),
        "constituency": ward // 10 + 1,
        "ward_no": ward + 1,
        "canvass": ward % 2,
        "urban": (ward // 2) % 2,
        "educ_years": rng.integers(0, 18, n),
        "hh_income": rng.lognormal(7, 0.7, n).round(0),
        "trust_gov": rng.integers(1, 6, n),
        "wt": rng.uniform(0.4, 2.5, n).round(3),
    }


@layout(
    aside=5, outcome=["VO2max_post"], treatment="Groupe", group="club", reference=["temoin"],
)  # fmt: skip
def french_clubs(rng):
    club = members(rng, 16, 12)
    n = len(club)
    return {
        "sujet": np.arange(1, n + 1),
        "club": named(club, "club {}"),
        "Groupe": arms(rng, club, "temoin", "HIIT"),
        "Sexe": some(rng, n, "F", "M"),
        "Taille": rng.normal(172, 9, n).round(0),
        "VO2max_pre": rng.normal(44, 6, n).round(1),
        "VO2max_post": rng.normal(46, 6, n).round(1),
    }


@layout(
    aside=5, outcome="outcome", treatment="intervention", group="cluster", reference=["0"],
)  # fmt: skip
def tutorial_file(rng):
    cluster = members(rng, 20, 25)
    n = len(cluster)
    return {
        "cluster": cluster + 1,
        "id": np.arange(1, n + 1),
        "intervention": cluster % 2,
        "cov1": rng.normal(0, 1, n).round(3),
        "cov2": rng.integers(0, 2, n),
        "outcome": score(rng, cluster, mean=0, sd=1, digits=3),
    }


@layout(
    aside=5, outcome=["sleep_quality", "sleep_hours", None], treatment="app_version", group="user",
    individual="user", reference=["control"],
)  # fmt: skip
def sleep_app(rng):
    user = np.repeat(np.arange(130), 7)
    return {
        "user": named(user, "u{:04d}"),
        "night": np.tile(np.arange(1, 8), 130),
        "app_version": np.array(["control", "coach"])[user % 2],
        "caffeine": rng.integers(0, 5, 910),
        "sleep_hours": rng.normal(7, 1, 910).round(1),
        "sleep_quality": rng.integers(1, 6, 910),
    }


@layout(
    aside=5, outcome=["fruit_set", None], treatment="pollination", group=["plant", None],
    individual=[None, "plant"], reference=["open", "bagged", "hand"], block=[None],
)  # fmt: skip
def pollination(rng):
    """Branches of each plant are treated differently."""
    plant = np.repeat(np.arange(30), 9)
    return {
        "site": np.array(["ridge", "valley", "slope"])[plant // 10],
        "plant": plant + 1,
        "pollination": np.tile(np.repeat(["open", "bagged", "hand"], 3), 30),
        "n_flowers": rng.integers(5, 40, 270),
        "fruit_set": rng.uniform(0, 1, 270).round(2),
    }


@layout(
    aside=5, outcome=["MoCA_24w", None], treatment="ARM", group="SITEID", reference=["PBO", "PLACEBO"],
)  # fmt: skip
def sdtm(rng):
    """Capital letters as in files of trials; randomised one by one in sites."""
    site = members(rng, 15, 16)
    n = len(site)
    return {
        "STUDYID": np.repeat("ABC-101", n),
        "USUBJID": [f"ABC-101-{s + 1:02d}-{i:03d}" for i, s in enumerate(site)],
        "SITEID": site + 1,
        "ARM": some(rng, n, "PLACEBO", "ACTIVE"),
        "AGE": rng.integers(50, 90, n),
        "SEX": some(rng, n, "F", "M"),
        "RFSTDTC": [f"2022-{1 + i % 12:02d}-{1 + i % 27:02d}" for i in range(n)],
        "MoCA_BL": rng.integers(10, 28, n),
        "MoCA_24w": rng.integers(8, 30, n),
    }


@layout(
    aside=5, outcome=["Leesvaardigheid", None], treatment="Methode", group="Groep",
    block=["School", None], reference=["oud"],
)  # fmt: skip
def dutch_reading(rng):
    group = members(rng, 28, 24)
    n = len(group)
    return {
        "Leerling": np.arange(1, n + 1),
        "School": named(group // 4, "School {}"),
        "Groep": group + 1,
        "Methode": np.array(["oud", "nieuw"])[group % 2],
        "Geslacht": some(rng, n, "jongen", "meisje"),
        "Leesvaardigheid": score(rng, group, mean=60, sd=14, digits=0),
    }


@layout(
    aside=5, outcome=["recall", "recall_correct"], treatment="encoding", group="participant_no",
    individual=[None, "participant_no"], reference=["shallow", "deep"],
)  # fmt: skip
def word_lists(rng):
    person = np.repeat(np.arange(48), 20)
    return {
        "participant_no": person + 1,
        "word": np.tile([f"word{i}" for i in range(20)], 48),
        "encoding": np.tile(["shallow", "deep"], 480),
        "recall": rng.integers(0, 2, 960),
    }


@layout(
    aside=5, outcome=["repaid", "default", "late_days", None], treatment="contract", group="loan_group",
    reference=["joint", "individual"], block=["branch", None],
)  # fmt: skip
def joint_liability(rng):
    group = members(rng, 72, 6)
    n = len(group)
    return {
        "branch": group // 12 + 1,
        "loan_group": group + 1,
        "borrower": np.arange(1, n + 1),
        "contract": np.array(["joint", "individual"])[group % 2],
        "loan_amount": rng.integers(1, 20, n) * 500,
        "late_days": rng.poisson(3, n),
        "default": typed(some(rng, n, 0, 1, p=[0.93, 0.07])),
    }


@layout(
    aside=5, outcome=["self_efficacy", "selfeff_T2"], treatment="prog", group="preceptor",
    reference=["ctrl"], block=["hospital", None],
)  # fmt: skip
def nursing_students(rng):
    preceptor = members(rng, 34, 5)
    n = len(preceptor)
    return {
        "stud": np.arange(1, n + 1),
        "hospital": np.array(["St. Mary", "General", "Mercy"])[preceptor % 3],
        "preceptor": named(preceptor, "PR{:02d}"),
        "prog": np.array(["ctrl", "sim"])[(preceptor // 3) % 2],
        "GPA_entry": rng.normal(3.2, 0.4, n).round(2),
        "selfeff_T1": rng.normal(28, 5, n).round(0),
        "selfeff_T2": rng.normal(30, 5, n).round(0),
    }
