"""Twenty further layouts, written after a look at those of the third round, before one at theirs."""

from __future__ import annotations

import numpy as np
from layouts import arms, layout, members, named, score, some


@layout(
    aside=4, outcome="HbA1c_12m", treatment="group", group="GP", block=["PCT", None],
    reference="control",
)  # fmt: skip
def diabetes_education(rng):
    practice = members(rng, 30, 18)
    n = len(practice)
    return {
        "StudyID": np.arange(1, n + 1),
        "PCT": named(practice // 10, "PCT {}"),
        "GP": practice + 1,
        "group": np.array(["control", "DESMOND"])[practice % 2],
        "sex": rng.integers(0, 2, n),
        "HbA1c_0m": rng.normal(8, 1.5, n).round(1),
        "HbA1c_12m": rng.normal(7, 1.2, n).round(1),
        "weight_change": rng.normal(-2, 4, n).round(1),
    }


@layout(
    aside=4, outcome=["reading_level", "reading_score"], treatment="Treatment", group="Teacher",
    block=["School", None], reference="BAU",
)  # fmt: skip
def second_graders(rng):
    teacher = members(rng, 34, 17)
    n = len(teacher)
    return {
        "School": named(teacher // 4, "ES{:02d}"),
        "Teacher": named(teacher, "T{:03d}"),
        "Student": np.arange(1, n + 1),
        "Treatment": np.array(["BAU", "Tutoring"])[teacher % 2],
        "FRL": rng.integers(0, 2, n),
        "ELL": rng.integers(0, 2, n),
        "attendance_days": rng.integers(120, 181, n),
        "fall_score": rng.normal(180, 14, n).round(0),
        "reading_score": rng.normal(192, 14, n).round(0),
    }


@layout(
    aside=4, outcome=["height_cm", "dry_mass_g", None], treatment="light", group="bench",
    reference=["ambient"], block=["room", None],
)  # fmt: skip
def greenhouse(rng):
    bench = np.repeat(np.arange(16), 9)
    return {
        "room": bench // 4 + 1,
        "bench": bench + 1,
        "plant_id": np.arange(1, 145),
        "light": np.array(["ambient", "LED"])[bench % 2],
        "height_cm": score(rng, bench, mean=30, sd=5),
        "dry_mass_g": score(rng, bench, mean=4, sd=1, digits=2),
    }


@layout(
    aside=4, outcome=["donated", None], treatment="letter_type", group="postcode",
    reference=["standard"],
)  # fmt: skip
def fundraising(rng):
    place = members(rng, 90, 20)
    n = len(place)
    return {
        "donor_id": rng.permutation(np.arange(10**5, 10**5 + n)),
        "postcode": place * 7 + 1010,
        "letter_type": arms(rng, place, "standard", "matched", "lead donor"),
        "years_donor": rng.integers(0, 15, n),
        "last_gift": rng.lognormal(3, 0.7, n).round(0),
        "donated": rng.choice([0, 1], n, p=[0.96, 0.04]),
    }


@layout(
    aside=4, outcome=["agitation", None], treatment="music", group=["home", "resident"],
    individual="resident", reference=["no"],
)  # fmt: skip
def dementia_music(rng):
    resident = np.repeat(np.arange(120), 4)
    home = resident // 10
    return {
        "home": named(home, "Home {}"),
        "resident": resident + 1,
        "week": np.tile([0, 4, 8, 12], 120),
        "music": np.array(["no", "yes"])[home % 2],
        "MMSE": rng.integers(5, 25, 120)[resident],
        "agitation": rng.integers(29, 120, 480),
    }


@layout(
    aside=4, outcome=["Nutzung_min", "Zufriedenheit", None], treatment="Variante", group="Filiale",
    reference=["A", "B", "C"], block=["Region", None],
)  # fmt: skip
def branches(rng):
    branch = members(rng, 36, 14)
    n = len(branch)
    return {
        "Region": np.array(["Nord", "Ost", "Süd", "West"])[branch // 9],
        "Filiale": branch + 100,
        "Kundennr": np.arange(50001, 50001 + n),
        "Variante": np.array(["A", "B", "C"])[branch % 3],
        "Umsatz_Vorjahr": rng.lognormal(6, 0.6, n).round(2),
        "Zufriedenheit": rng.integers(1, 6, n),
    }


@layout(
    aside=4, outcome="ans_correct", treatment="hint_type", group="student", individual=["student", None],
    reference=["none"],
)  # fmt: skip
def tutoring_logs(rng):
    """Hints dealt by item at random."""
    student = np.repeat(np.arange(70), 30)
    return {
        "student": named(student, "stu_{:03d}"),
        "problem": np.tile(np.arange(1, 31), 70),
        "hint_type": some(rng, 2100, "none", "text", "video"),
        "n_attempts": rng.integers(1, 6, 2100),
        "ans_correct": rng.integers(0, 2, 2100),
    }


@layout(
    aside=4, outcome=["peak_flow", None], treatment="inhaler", group="subject", individual="subject",
    reference=["placebo"],
)  # fmt: skip
def asthma_crossover(rng):
    subject = np.repeat(np.arange(28), 3)
    order = np.concatenate([rng.permutation(3) for _ in range(28)])
    return {
        "subject": subject + 1,
        "period": np.tile([1, 2, 3], 28),
        "inhaler": np.array(["placebo", "low", "high"])[order],
        "age": rng.integers(18, 60, 28)[subject],
        "peak_flow": score(rng, subject, mean=400, sd=60, digits=0),
    }


@layout(
    aside=4, outcome=["test_score_el", "el_test"], treatment="treated", group="schoolid",
    block=["strata", "upazila", None], reference="0",
)  # fmt: skip
def school_grants(rng):
    school = members(rng, 80, 12)
    n = len(school)
    return {
        "upazila": school // 16 + 1,
        "schoolid": school + 1001,
        "childid": np.arange(1, n + 1),
        "treated": school % 2,
        "female": rng.integers(0, 2, n),
        "mother_educ": rng.integers(0, 13, n),
        "asset_index": rng.normal(0, 1, n).round(3),
        "test_score_bl": rng.normal(0, 1, n).round(3),
        "test_score_el": rng.normal(0.1, 1, n).round(3),
        "attrited": rng.choice([0, 1], n, p=[0.9, 0.1]),
    }


@layout(
    aside=4, outcome=["trust", "perf_rating", None], treatment="leadership", group="squad",
    reference=["transactional", "transformational"],
)  # fmt: skip
def soldiers(rng):
    squad = members(rng, 30, 8)
    n = len(squad)
    return {
        "soldier_no": np.arange(1, n + 1),
        "squad": squad + 1,
        "leadership": arms(rng, squad, "transactional", "transformational"),
        "months_served": rng.integers(3, 60, n),
        "trust": rng.normal(3.8, 0.7, n).round(2),
    }


@layout(
    aside=4, outcome=["QoL", "ADL", None], treatment="Arm", group="Nurse", reference="UC",
    block=["Municipality", None],
)  # fmt: skip
def home_nursing(rng):
    nurse = members(rng, 40, 7)
    n = len(nurse)
    return {
        "Municipality": np.array(["Lund", "Malmö", "Kalmar", "Växjö"])[nurse // 10],
        "Nurse": nurse + 1,
        "Client": np.arange(1, n + 1),
        "Arm": np.array(["UC", "CGA"])[nurse % 2],
        "Age": rng.integers(70, 99, n),
        "Living alone": some(rng, n, "yes", "no"),
        "ADL": rng.integers(0, 101, n),
        "QoL": rng.uniform(0.2, 1, n).round(3),
    }


@layout(
    aside=4, outcome=["parasites", "biomass_mg", None], treatment="predator", group="mesocosm",
    reference=["absent", "no"], block=["block"],
)  # fmt: skip
def mesocosms(rng):
    tank = np.repeat(np.arange(24), 8)
    return {
        "block": np.array(list("ABCDEF"))[tank // 4],
        "mesocosm": tank + 1,
        "predator": np.array(["absent", "caged", "free", "removed"])[tank % 4],
        "tadpole": np.tile(np.arange(1, 9), 24),
        "svl_mm": score(rng, tank, mean=12, sd=2, digits=2),
        "biomass_mg": score(rng, tank, mean=220, sd=40, digits=0),
    }


@layout(
    aside=4, outcome=["estres_post"], treatment="condicion", group="centro", reference="control",
)  # fmt: skip
def spanish_nurses(rng):
    centre = members(rng, 22, 13)
    n = len(centre)
    return {
        "id": np.arange(1, n + 1),
        "centro": centre + 1,
        "condicion": arms(rng, centre, "control", "mindfulness"),
        "turno": some(rng, n, "mañana", "tarde", "noche"),
        "antiguedad": rng.integers(0, 35, n),
        "estres_pre": rng.integers(10, 57, n),
        "estres_post": rng.integers(10, 57, n),
    }


@layout(
    aside=4, outcome="dv", treatment="cond", group="dyad", reference=["0"],
)  # fmt: skip
def dyads(rng):
    dyad = np.repeat(np.arange(60), 2)
    return {
        "dyad": dyad + 1,
        "person": np.tile([1, 2], 60),
        "cond": dyad % 2,
        "gender": some(rng, 120, "m", "f"),
        "closeness": rng.integers(1, 8, 120),
        "dv": rng.normal(4, 1, 120).round(2),
    }


@layout(
    aside=4, outcome=["mort28", "los", None], treatment="trt", group="hosp_id", reference=["C"],
    block=["step", None],
)  # fmt: skip
def sepsis(rng):
    hospital = members(rng, 24, 50)
    n = len(hospital)
    return {
        "hosp_id": hospital + 1,
        "pt_id": np.arange(1, n + 1),
        "trt": np.array(["C", "I"])[hospital % 2],
        "age": rng.integers(18, 95, n),
        "sofa": rng.integers(0, 20, n),
        "lactate": rng.gamma(2, 1.3, n).round(1),
        "los": rng.integers(1, 60, n),
        "mort28": rng.choice([0, 1], n, p=[0.75, 0.25]),
    }


@layout(
    aside=4, outcome=["ticket_resolution_h", "csat", None], treatment="ai_assist", group="agent_id",
    reference=["off"], individual=[None, "agent_id"], block=["site", None],
)  # fmt: skip
def support_tickets(rng):
    agent = members(rng, 60, 25)
    n = len(agent)
    return {
        "ticket": np.arange(900001, 900001 + n),
        "site": np.array(["Manila", "Kraków", "Bogotá"])[agent // 20],
        "agent_id": agent + 1,
        "ai_assist": np.array(["off", "on"])[agent % 2],
        "priority": some(rng, n, "P1", "P2", "P3"),
        "opened": [f"2024-09-{1 + i % 30:02d} 0{i % 9}:12" for i in range(n)],
        "csat": rng.integers(1, 6, n),
    }


@layout(
    aside=4, outcome=["N_pods", "yield", None], treatment="inoculant", group="plot",
    block=["rep"], reference=["none"],
)  # fmt: skip
def soybean(rng):
    plot = np.repeat(np.arange(20), 6)
    return {
        "rep": plot // 5 + 1,
        "plot": plot + 1,
        "inoculant": np.array(["none", "A", "B", "C", "A+B"])[plot % 5],
        "plant": np.tile(np.arange(1, 7), 20),
        "N_pods": rng.poisson(38, 120),
    }


@layout(
    aside=4, outcome=["Ergebnis"], treatment="Gruppe", group="Praxis", reference=["K"],
)  # fmt: skip
def german_physio(rng):
    practice = members(rng, 24, 9)
    n = len(practice)
    return {
        "Pat": np.arange(1, n + 1),
        "Praxis": named(practice, "P{:02d}"),
        "Gruppe": np.array(["I", "K"])[practice % 2],
        "Geburtsjahr": rng.integers(1940, 2005, n),
        "Sitzungen": rng.integers(3, 13, n),
        "Schmerz_vorher": rng.integers(2, 11, n),
        "Ergebnis": rng.integers(0, 101, n),
    }


@layout(
    aside=4, outcome=["steps", None], treatment="incentive", group="pid", individual="pid",
    reference=["none", "control"],
)  # fmt: skip
def step_counts(rng):
    person = np.repeat(np.arange(96), 14)
    return {
        "pid": person + 1,
        "date": np.tile([f"2023-10-{d:02d}" for d in range(1, 15)], 96),
        "incentive": np.array(["none", "points", "cash"])[person % 3],
        "wear_min": rng.integers(300, 1000, 1344),
        "steps": rng.poisson(7000, 1344),
    }


@layout(
    aside=4, outcome=["knowledge_t1"], treatment="cluster_arm", group="cluster_id",
    reference="control", block=["county", None],
)  # fmt: skip
def health_workers(rng):
    cluster = members(rng, 32, 10)
    n = len(cluster)
    return {
        "cluster_id": cluster + 1,
        "county": np.array(["Kisumu", "Siaya", "Busia", "Vihiga"])[cluster // 8],
        "cluster_arm": np.array(["control", "supervision"])[cluster % 2],
        "chw_id": np.arange(1, n + 1),
        "female": rng.integers(0, 2, n),
        "interview_date": [f"{1 + i % 28}/{1 + i % 3}/2021" for i in range(n)],
        "knowledge_t0": rng.integers(0, 21, n),
        "knowledge_t1": rng.integers(0, 21, n),
    }
