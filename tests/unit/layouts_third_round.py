"""Twenty further layouts, written after guesses were made more careful, and before a look at theirs."""

from __future__ import annotations

import numpy as np
from layouts import arms, layout, members, named, score, some, typed


@layout(
    aside=3, outcome=["discharge_mobility", "length_of_stay", None], treatment="protocol",
    group="ward_id", block=["hospital_id", None], reference=["standard"],
)  # fmt: skip
def early_mobilisation(rng):
    ward = members(rng, 28, 19)
    n = len(ward)
    return {
        "patient_id": np.arange(3001, 3001 + n),
        "hospital_id": ward // 4 + 1,
        "ward_id": ward + 11,
        "protocol": np.array(["standard", "early"])[ward % 2],
        "frailty_score": rng.integers(1, 10, n),
        "age_at_admission": rng.integers(60, 97, n),
        "length_of_stay": rng.gamma(3, 3, n).round(0),
        "discharge_mobility": rng.integers(0, 101, n),
    }


@layout(
    aside=3, outcome=["Lesetest_Post"], treatment="Versuchsbedingung", group="KlassenID",
    reference="2", block=["Schule", None],
)  # fmt: skip
def reading_training(rng):
    """1 trains and 2 waits, says a code book: by the file alone the first stands for none."""
    classes = members(rng, 32, 20)
    n = len(classes)
    return {
        "KlassenID": classes + 1,
        "Schule": named(classes // 4, "GS{}"),
        "KindID": np.arange(1, n + 1),
        "Versuchsbedingung": classes % 2 + 1,
        "Geschlecht": rng.integers(1, 3, n),
        "Alter_Monate": rng.integers(84, 120, n),
        "IQ": score(rng, classes, mean=100, sd=15, digits=0),
        "Lesetest_Prä": score(rng, classes, mean=30, sd=8, digits=0),
        "Lesetest_Post": score(rng, classes, mean=36, sd=8, digits=0),
    }


@layout(
    aside=3, outcome=["anxiety", "stress", "depression", None], treatment="group",
    group=["participant_id"], individual="participant_id", reference="waitlist",
)  # fmt: skip
def mindfulness_waves(rng):
    person = np.repeat(np.arange(110), 3)
    return {
        "participant_id": person + 1,
        "group": arms(rng, person, "mindfulness", "waitlist"),
        "timepoint": np.tile(["T0", "T1", "T2"], 110),
        "gender": np.array(["woman", "man", "nonbinary"])[rng.integers(0, 3, 110)][person],
        "depression": rng.integers(0, 43, 330),
        "anxiety": rng.integers(0, 43, 330),
        "stress": rng.integers(0, 43, 330),
    }


@layout(
    aside=3, outcome=["rendimento_kg", None], treatment="trattamento", group="parcella",
    block="blocco", reference="testimone", individual=[None],
)  # fmt: skip
def tomatoes(rng):
    plot = np.repeat(np.arange(20), 5)
    return {
        "blocco": plot // 4 + 1,
        "parcella": plot + 1,
        "pianta": np.tile([1, 2, 3, 4, 5], 20),
        "trattamento": np.array(["testimone", "compost", "letame", "minerale"])[plot % 4],
        "altezza_cm": score(rng, plot, mean=110, sd=12, digits=0),
        "rendimento_kg": score(rng, plot, mean=4, sd=0.8, digits=2),
    }


@layout(
    aside=3, outcome=["attended", None], treatment="sms", group="facility", block=["district", None],
    reference="none",
)  # fmt: skip
def reminders(rng):
    facility = members(rng, 45, 30)
    n = len(facility)
    return {
        "client": np.arange(1, n + 1),
        "district": np.array(["Kilifi", "Kwale", "Mombasa"])[facility // 15],
        "facility": named(facility, "HF{:02d}"),
        "sms": arms(rng, facility, "none", "plain", "framed"),
        "distance_km": rng.gamma(2, 3, n).round(1),
        "phone_owner": rng.integers(0, 2, n),
        "appointment": [f"{1 + i % 28:02d}/{1 + i % 12:02d}/2022" for i in range(n)],
        "attended": some(rng, n, "yes", "no"),
    }


@layout(
    aside=3, outcome="profit_2019", treatment="assigned", group="market", block=["stratum", None],
    reference="0",
)  # fmt: skip
def traders(rng):
    market = members(rng, 56, 11)
    n = len(market)
    return {
        "firm_id": np.arange(1, n + 1),
        "market": market + 1,
        "stratum": market // 8 + 1,
        "assigned": market % 2,
        "takeup": (market % 2) * rng.integers(0, 2, n),
        "owner_female": rng.integers(0, 2, n),
        "profit_2017": rng.lognormal(6, 1, n).round(0),
        "profit_2018": rng.lognormal(6, 1, n).round(0),
        "profit_2019": rng.lognormal(6.1, 1, n).round(0),
    }


@layout(
    aside=3, outcome=["WOMAC_6m", "WOMAC_12m"], treatment="randgroup", group="physiotherapist",
    block=["centre", None], reference="advice", individual=None,
)  # fmt: skip
def knees(rng):
    """Some have no follow-up; the last column is a text."""
    therapist = members(rng, 26, 10)
    n = len(therapist)
    late = score(rng, therapist, mean=28, sd=12, digits=0)
    late[rng.uniform(size=n) < 0.15] = np.nan
    return {
        "trialno": rng.permutation(np.arange(1, n + 1)),
        "centre": np.array(["A", "B"])[therapist // 13],
        "physiotherapist": named(therapist, "PT {}"),
        "randgroup": np.array(["advice", "exercise"])[therapist % 2],
        "WOMAC_0m": score(rng, therapist, mean=45, sd=12, digits=0),
        "WOMAC_6m": score(rng, therapist, mean=33, sd=12, digits=0),
        "WOMAC_12m": late,
        "adverse_event": some(rng, n, "", "fall", "swelling", p=[0.9, 0.05, 0.05]),
    }


@layout(
    aside=3, outcome=["accuracy", "rt_ms", None], treatment=["load", "cue_type", None],
    group="pp", individual=[None, "pp"], reference=["low", "none", "high"],
)  # fmt: skip
def two_within_factors(rng):
    person = np.repeat(np.arange(36), 12)
    return {
        "pp": person + 1,
        "load": np.tile(np.repeat(["low", "high"], 6), 36),
        "cue_type": np.tile(np.repeat(["none", "word", "image"], 2), 72),
        "half": np.tile([1, 2], 216),
        "rt_ms": score(rng, person, mean=640, sd=90, digits=0),
        "accuracy": rng.uniform(0.5, 1, 432).round(2),
    }


@layout(
    aside=3, outcome=["grade_final", "exam_points"], treatment="flipped", group=["section_id"],
    block=["instructor", "term", None], reference=["FALSE", "False", "0"],
)  # fmt: skip
def flipped_classroom(rng):
    section = members(rng, 24, 32)
    n = len(section)
    return {
        "student_id": rng.permutation(np.arange(70000, 70000 + n)),
        "term": np.array(["F21", "S22"])[section // 12],
        "instructor": np.array(["Lopez", "Meyer", "Okafor", "Singh"])[section // 6],
        "section_id": section + 1,
        "flipped": section % 2 == 1,
        "sat_math": rng.integers(40, 81, n) * 10,
        "hw_points": rng.integers(0, 101, n),
        "exam_points": rng.integers(20, 101, n),
        "grade_final": score(rng, section, mean=3, sd=0.6, digits=2),
    }


@layout(
    aside=3, outcome=["infested_fruits", None], treatment="net", group="tree", block="row",
    reference="no net",
)  # fmt: skip
def orchard(rng):
    tree = np.repeat(np.arange(48), 4)
    return {
        "row": tree // 6 + 1,
        "tree": named(tree, "t{:02d}"),
        "branch": np.tile(["N", "E", "S", "W"], 48),
        "net": np.array(["no net", "coarse", "fine"])[tree % 3],
        "n_fruits": rng.integers(20, 90, 192),
        "infested_fruits": rng.binomial(20, 0.2, 192),
    }


@layout(
    aside=3, outcome=["cooperation", None], treatment="treatment", group="session",
    individual="subject", reference=["baseline"],
)  # fmt: skip
def public_goods(rng):
    subject = np.repeat(np.arange(160), 10)
    session = subject // 16
    return {
        "session": session + 1,
        "group_id": subject // 4 + 1,
        "subject": subject + 1,
        "round": np.tile(np.arange(1, 11), 160),
        "treatment": np.array(["baseline", "punishment"])[session % 2],
        "female": rng.integers(0, 2, 160)[subject],
        "cooperation": rng.integers(0, 21, 1600),
        "earnings": rng.normal(24, 4, 1600).round(1),
    }


@layout(
    aside=3, outcome=["delivered", "response_time_min", None], treatment="shift_model", group="depot",
    individual=[None, "driver"], reference=["fixed", "flexible"], block=[None],
)  # fmt: skip
def depots(rng):
    driver = np.repeat(np.arange(210), 7)
    depot = driver // 15
    return {
        "depot": named(depot, "D{:02d}"),
        "driver": driver + 500,
        "date": np.tile([f"2024-06-{d:02d}" for d in range(3, 10)], 210),
        "shift_model": np.array(["fixed", "flexible"])[depot % 2],
        "delivered": rng.poisson(80, 1470),
        "hours": rng.normal(8, 0.7, 1470).round(1),
    }


@layout(
    aside=3, outcome=["PANSS_week8", "CGI_week8"], treatment="randomised_arm", group="study_site",
    reference="Placebo", block=[None],
)  # fmt: skip
def multicentre_trial(rng):
    """Randomised one by one in sites."""
    site = members(rng, 14, 22)
    n = len(site)
    return {
        "subject_no": [f"{s + 1:02d}-{i:04d}" for i, s in enumerate(site)],
        "study_site": named(site, "Site {}"),
        "randomised_arm": some(rng, n, "Placebo", "Drug 5mg", "Drug 10mg"),
        "sex": some(rng, n, "M", "F"),
        "weight_kg": rng.normal(78, 14, n).round(1),
        "PANSS_baseline": rng.integers(70, 120, n),
        "PANSS_week8": rng.integers(40, 120, n),
        "CGI_week8": rng.integers(1, 8, n),
    }


@layout(
    aside=3, outcome=["vraagscore", "toetsscore"], treatment="conditie", group="klas",
    reference="controle", block=["school", None],
)  # fmt: skip
def dutch_test(rng):
    classes = members(rng, 30, 22)
    n = len(classes)
    return {
        "leerlingnummer": rng.permutation(np.arange(1, n + 1)),
        "school": named(classes // 3, "OBS {}"),
        "klas": named(classes, "klas{:02d}"),
        "conditie": np.array(["controle", "experimenteel"])[classes % 2],
        "jongen": rng.integers(0, 2, n),
        "voortoets": rng.integers(5, 35, n),
        "toetsscore": rng.integers(5, 41, n),
    }


@layout(
    aside=3, outcome=["weaning_weight", "daily_gain"], treatment="ration", group="litter",
    reference=["control"], block=["farm", None],
)  # fmt: skip
def piglets(rng):
    litter = members(rng, 36, 10)
    n = len(litter)
    return {
        "farm": litter // 12 + 1,
        "litter": litter + 1,
        "piglet": np.arange(1, n + 1),
        "sow_parity": rng.integers(1, 7, 36)[litter],
        "ration": np.array(["control", "zinc", "acid"])[litter % 3],
        "sex": some(rng, n, "boar", "gilt"),
        "birth_weight": rng.normal(1.4, 0.25, n).round(2),
        "weaning_weight": rng.normal(7.6, 1.2, n).round(2),
    }


@layout(
    aside=3, outcome=["click", "order_value", None], treatment="exp_group", group="visitor_id",
    individual=["visitor_id"], reference=["A"],
)  # fmt: skip
def page_views(rng):
    visitor = members(rng, 420, 5, 0.6)
    n = len(visitor)
    return {
        "visitor_id": [f"v{v * 7907 % 10**5:05d}" for v in visitor],
        "exp_group": arms(rng, visitor, "A", "B"),
        "event_time": [f"2024-04-{1 + i % 28:02d} {i % 24:02d}:{i % 60:02d}:07" for i in range(n)],
        "country": some(rng, n, "DE", "FR", "US"),
        "load_ms": rng.lognormal(6, 0.4, n).round(0),
        "click": rng.integers(0, 2, n),
        "order_value": np.where(rng.uniform(size=n) < 0.8, 0, rng.lognormal(3, 1, n)).round(2),
    }


@layout(
    aside=3, outcome=["job_sat_w2", "burnout_w2"], treatment="WFH", group="Dept", reference="no",
    block=["Company", None],
)  # fmt: skip
def home_office(rng):
    dept = members(rng, 40, 12)
    n = len(dept)
    return {
        "Company": np.array(["Alpha", "Beta", "Gamma", "Delta"])[dept // 10],
        "Dept": dept + 1,
        "Emp": np.arange(1, n + 1),
        "WFH": np.array(["yes", "no"])[dept % 2],
        "age_band": some(rng, n, "<30", "30-45", ">45"),
        "job_sat_w1": rng.normal(3.4, 0.8, n).round(1),
        "burnout_w1": rng.normal(2.6, 0.7, n).round(1),
        "job_sat_w2": rng.normal(3.5, 0.8, n).round(1),
        "burnout_w2": rng.normal(2.5, 0.7, n).round(1),
    }


@layout(
    aside=3, outcome=["larvae", None], treatment="CO2", group="chamber", reference=["ambient"],
    individual=None,
)  # fmt: skip
def chambers(rng):
    chamber = np.repeat(np.arange(12), 10)
    return {
        "chamber": chamber + 1,
        "CO2": np.array(["ambient", "elevated"])[chamber % 2],
        "leaf": np.tile(np.arange(1, 11), 12),
        "leaf_N": rng.normal(2.4, 0.3, 120).round(2),
        "larvae": rng.poisson(6, 120),
    }


@layout(
    aside=3, outcome=["hand_hygiene", None], treatment="intervention", group="unit",
    reference="0", individual=[None],
)  # fmt: skip
def stepped_hygiene(rng):
    """A stepped wedge: units go over one after another."""
    unit = np.repeat(np.arange(10), 6 * 12)
    month = np.tile(np.repeat(np.arange(1, 7), 12), 10)
    return {
        "unit": unit + 1,
        "month": month,
        "intervention": typed((month > unit // 2 + 1).astype(int)),
        "profession": some(rng, 720, "nurse", "doctor", "other"),
        "observer": some(rng, 720, "O1", "O2", "O3"),
        "hand_hygiene": rng.integers(0, 2, 720),
    }


@layout(
    aside=3, outcome=["Score_Total"], treatment="Grupo", group="Centro", reference="Placebo",
)  # fmt: skip
def spanish_centres(rng):
    centre = members(rng, 18, 20)
    n = len(centre)
    items = {f"Item_{i}": rng.integers(1, 6, n) for i in range(1, 6)}
    return {
        "Folio": np.arange(1, n + 1),
        "Centro": named(centre, "Centro {}"),
        "Grupo": arms(rng, centre, "Placebo", "Activo"),
        "Edad": rng.integers(18, 80, n),
        "Sexo": some(rng, n, "Hombre", "Mujer"),
        **items,
        "Score_Total": sum(items.values()),
        "Observaciones": some(rng, n, "", "ninguna", p=[0.8, 0.2]),
    }
