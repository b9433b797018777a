"""Thirty further layouts, written before a look at how roles are guessed."""

from __future__ import annotations

import numpy as np
from layouts import arms, layout, members, named, score, some, typed

# Education -----------------------------------------------------------------------------------------


@layout(
    aside=2, outcome="total_post", treatment="Cond", group=["class_id", ("school", "class_id")],
    block=["school", None], reference="Con",
)  # fmt: skip
def subscales_and_total(rng):
    classes = members(rng, 36, 21)
    n = len(classes)
    parts = {f"{part}_post": rng.integers(0, 21, n) for part in ("vocab", "grammar", "reading")}
    before = {f"{part}_pre": rng.integers(0, 19, n) for part in ("vocab", "grammar", "reading")}
    return {
        "school": named(classes // 3, "School {:02d}"),
        "class_id": [f"{c // 3 + 1}{'abc'[c % 3]}" for c in classes],
        "student": np.arange(1, n + 1),
        "Cond": arms(rng, classes, "Int", "Con"),
        "gender": some(rng, n, "f", "m"),
        **before,
        "total_pre": sum(before.values()),
        **parts,
        "total_post": sum(parts.values()),
    }


@layout(
    aside=2, outcome=["Mathe_Post", "Mathe_FU"], treatment="Bedingung", group="Klasse",
    block=["Schulform", None], reference="KG",
)  # fmt: skip
def german_follow_up(rng):
    classes = members(rng, 28, 23)
    n = len(classes)
    return {
        "Code": [f"{chr(65 + i % 26)}{chr(65 + i // 26 % 26)}{i % 31 + 1:02d}" for i in range(n)],
        "Schulform": np.array(["Gymnasium", "Realschule"])[classes % 2],
        "Klasse": classes + 1,
        "Bedingung": np.array(["EG", "KG"])[(classes // 2) % 2],
        "Geschlecht": some(rng, n, "w", "m", "d", p=[0.49, 0.49, 0.02]),
        "Alter": rng.integers(10, 13, n),
        "Mathe_Prä": score(rng, classes, mean=20, sd=5, digits=0),
        "Mathe_Post": score(rng, classes, mean=23, sd=5, digits=0),
        "Mathe_FU": score(rng, classes, mean=22, sd=5, digits=0),
    }


@layout(
    aside=2, outcome=["nota_final"], treatment="grupo", group="escola", reference="controle",
    block=["municipio", None],
)  # fmt: skip
def portuguese_schools(rng):
    school = members(rng, 40, 30)
    n = len(school)
    return {
        "municipio": np.array(["Aveiro", "Braga", "Coimbra", "Évora"])[school // 10],
        "escola": named(school, "EB{:02d}"),
        "aluno": np.arange(1, n + 1),
        "grupo": np.array(["controle", "intervenção"])[school % 2],
        "idade": rng.integers(8, 12, n),
        "nota_inicial": score(rng, school, mean=11, sd=3),
        "nota_final": score(rng, school, mean=12, sd=3),
    }


@layout(
    aside=2, outcome=["passed", None], treatment="version", group="section", reference=["A", "B"],
    block=["course", None],
)  # fmt: skip
def online_course(rng):
    section = members(rng, 30, 26)
    n = len(section)
    return {
        "user_id": rng.permutation(np.arange(100000, 100000 + n)),
        "course": np.array(["STAT101", "STAT102", "MATH110"])[section // 10],
        "section": section + 1,
        "version": np.array(["A", "B"])[section % 2],
        "logins": rng.poisson(22, n),
        "minutes": rng.gamma(3, 120, n).round(1),
        "passed": rng.integers(0, 2, n),
    }


@layout(
    aside=2, outcome="score", treatment="condition", group="participant",
    individual="participant", reference=["massed", "spaced", "interleaved"],
)  # fmt: skip
def practice_sessions(rng):
    person = np.repeat(np.arange(45), 8)
    return {
        "participant": person + 1,
        "condition": np.array(["massed", "spaced", "interleaved"])[person % 3],
        "session": np.tile(np.repeat([1, 2], 4), 45),
        "trial_block": np.tile([1, 2, 3, 4], 90),
        "score": rng.integers(0, 25, 360),
        "attention_check": some(rng, 360, 1, 0, p=[0.95, 0.05]),
    }


# Medicine, nursing, physiotherapy --------------------------------------------------------------------


@layout(
    aside=2, outcome=["NRS_12wk", "RMDQ_12wk"], treatment="arm", group="physio", block=["clinic", None],
    reference="TAU",
)  # fmt: skip
def back_pain(rng):
    physio = members(rng, 32, 9)
    n = len(physio)
    return {
        "record_id": np.arange(1, n + 1),
        "clinic": np.array(["North", "South", "East", "West"])[physio // 8],
        "physio": named(physio, "PT{:02d}"),
        "arm": np.array(["TAU", "CFT"])[physio % 2],
        "sex": some(rng, n, 1, 2),
        "age": rng.integers(19, 78, n),
        "BMI": rng.normal(27, 4, n).round(1),
        "RMDQ_base": rng.integers(4, 24, n),
        "NRS_base": rng.integers(3, 11, n),
        "RMDQ_12wk": rng.integers(0, 24, n),
        "NRS_12wk": rng.integers(0, 11, n),
    }


@layout(
    aside=2, outcome=["died_30d", "los_days", None], treatment="alloc", group="icu",
    reference=["0"],
)  # fmt: skip
def intensive_care(rng):
    unit = members(rng, 20, 60)
    n = len(unit)
    return {
        "pt": np.arange(1, n + 1),
        "icu": unit + 1,
        "alloc": typed(arms(rng, unit, 0, 1)),
        "admission_date": [f"2021-{1 + i % 12:02d}-{1 + i % 28:02d}" for i in range(n)],
        "apache": rng.integers(4, 40, n),
        "ventilated": rng.integers(0, 2, n),
        "los_days": rng.gamma(2, 3, n).round(1),
        "died_30d": rng.choice([0, 1], n, p=[0.82, 0.18]),
    }


@layout(
    aside=2, outcome="pressure_ulcer", treatment="Group", group="Ward", reference="Usual care",
    block=["Hospital", None],
)  # fmt: skip
def pressure_ulcers(rng):
    ward = members(rng, 26, 24)
    n = len(ward)
    return {
        "Hospital": named(ward // 7, "Hospital {}"),
        "Ward": named(ward, "W{:02d}"),
        "Group": arms(rng, ward, "Usual care", "Repositioning"),
        "Age": rng.integers(60, 98, n),
        "Braden": rng.integers(6, 24, n),
        "pressure_ulcer": some(rng, n, "No", "Yes", p=[0.9, 0.1]),
    }


@layout(
    aside=2, outcome="SBP", treatment="traitement", group="patient", individual="patient",
    reference="placebo", block=["centre", None],
)  # fmt: skip
def french_visits(rng):
    person = np.repeat(np.arange(80), 4)
    return {
        "centre": np.array(["Lyon", "Lille", "Nantes"])[person % 3],
        "patient": person + 1001,
        "traitement": arms(rng, person, "placebo", "actif"),
        "visite": np.tile(["V1", "V2", "V3", "V4"], 80),
        "sexe": np.array(["F", "H"])[rng.integers(0, 2, 80)][person],
        "SBP": score(rng, person, mean=140, sd=14, digits=0),
        "poids": score(rng, person, mean=74, sd=10),
    }


@layout(
    aside=2, outcome=["ODI", None], treatment="tx", group="therapist_id", reference="1",
    block=["site", None],
)  # fmt: skip
def spine_registry(rng):
    """Arms are coded 1 and 2: nothing says which is the control, the first stands for it."""
    therapist = members(rng, 30, 12)
    n = len(therapist)
    return {
        "site": therapist // 10 + 1,
        "therapist_id": therapist + 1,
        "tx": therapist % 2 + 1,
        "age": rng.integers(20, 80, n),
        "smoker": rng.integers(0, 2, n),
        "n_visits": rng.integers(1, 13, n),
        "ODI": rng.integers(0, 51, n) * 2,
        "satisfaction": rng.integers(1, 6, n),
    }


@layout(
    aside=2, outcome=["exacerbations", None], treatment="randomised_to", group="gp_surgery",
    reference="Control", block=["strat_size", None],
)  # fmt: skip
def counts_with_exposure(rng):
    surgery = members(rng, 34, 16)
    n = len(surgery)
    return {
        "gp_surgery": [f"S{1 + s:03d}" for s in surgery],
        "strat_size": np.array(["large", "small"])[surgery // 17],
        "randomised_to": np.array(["Control", "Intervention"])[surgery % 2],
        "patient_no": np.arange(1, n + 1),
        "fev1": rng.normal(2.1, 0.6, n).round(2),
        "exacerbations": rng.poisson(1.4, n),
        "person_years": rng.uniform(0.3, 1.0, n).round(3),
    }


@layout(
    aside=2, outcome=["vas", None], treatment="eye_drops", group=["pat"], individual=[None, "pat"],
    reference=["vehicle"],
)  # fmt: skip
def eyes(rng):
    """Each eye of a person has its own drops."""
    person = np.repeat(np.arange(40), 2)
    first = rng.integers(0, 2, 40)[person]
    side = np.tile([0, 1], 40)
    return {
        "pat": person + 1,
        "eye": np.array(["OD", "OS"])[side],
        "eye_drops": np.array(["vehicle", "active"])[(first + side) % 2],
        "age": rng.integers(20, 80, 40)[person],
        "iop": score(rng, person, mean=16, sd=3),
        "vas": rng.integers(0, 101, 80),
    }


# Psychology ----------------------------------------------------------------------------------------


@layout(
    aside=2, outcome=["BDI_total_T2", "BDI_total_T3"], treatment="Gruppe", group="Therapiegruppe",
    reference="WL",
)  # fmt: skip
def group_sessions(rng):
    group = members(rng, 24, 8)
    n = len(group)
    items = {f"BDI{i:02d}": rng.integers(0, 4, n) for i in range(1, 8)}
    return {
        "VP_Nr": np.arange(1, n + 1),
        "Therapiegruppe": group + 1,
        "Gruppe": arms(rng, group, "WL", "KVT"),
        "Geschlecht": some(rng, n, 1, 2),
        "Alter": rng.integers(18, 66, n),
        **items,
        "BDI_total_T1": rng.integers(12, 45, n),
        "BDI_total_T2": rng.integers(2, 45, n),
        "BDI_total_T3": rng.integers(2, 45, n),
        "Bemerkung": some(rng, n, "", "krank", "verspätet", p=[0.9, 0.05, 0.05]),
    }


@layout(
    aside=2, outcome=["acceptance", "fairness", None], treatment="Condition", group="GroupNr",
    reference=["A", "B"], block=["Session", None],
)  # fmt: skip
def qualtrics_groups(rng):
    group = members(rng, 40, 4, 0)
    n = len(group)
    return {
        "ResponseId": [f"R_{i * 7919 % 10**6:06x}" for i in range(n)],
        "StartDate": [f"2023-03-{1 + g % 20:02d} {9 + i % 8}:15" for i, g in enumerate(group)],
        "Duration (in seconds)": rng.integers(200, 2500, n),
        "Session": group // 5 + 1,
        "GroupNr": group + 1,
        "Condition": np.array(["A", "B"])[group % 2],
        "age": rng.integers(18, 40, n),
        "gender": some(rng, n, "Female", "Male", "Non-binary", p=[0.6, 0.37, 0.03]),
        "AttCheck": some(rng, n, 1, 0, p=[0.96, 0.04]),
        "fairness": rng.integers(1, 8, n),
        "acceptance": rng.integers(1, 8, n),
        "comments": [f"text {i}" if i % 5 == 0 else None for i in range(n)],
    }


@layout(
    aside=2, outcome="rt", treatment="cue", group="subj", individual=[None, "subj"],
    reference=["neutral", "invalid"],
)  # fmt: skip
def trials(rng):
    person = np.repeat(np.arange(30), 60)
    return {
        "subj": named(person, "s{:02d}"),
        "trial": np.tile(np.arange(1, 61), 30),
        "cue": some(rng, 1800, "valid", "invalid", "neutral"),
        "soa": some(rng, 1800, 100, 300, 700),
        "correct": rng.choice([1, 0], 1800, p=[0.94, 0.06]),
        "rt": rng.lognormal(6.2, 0.3, 1800).round(0),
    }


@layout(
    aside=2, outcome=["wellbeing", "wellbeing_t2"], treatment="training", group="team",
    reference="nee", block=["afdeling", None],
)  # fmt: skip
def dutch_teams(rng):
    team = members(rng, 30, 9)
    n = len(team)
    return {
        "respondent": np.arange(1, n + 1),
        "afdeling": np.array(["Zorg", "ICT", "Finance"])[team // 10],
        "team": named(team, "team {}"),
        "training": np.array(["ja", "nee"])[team % 2],
        "leeftijd": rng.integers(20, 65, n),
        "geslacht": some(rng, n, "man", "vrouw"),
        "wellbeing_t1": rng.normal(4, 0.8, n).round(2),
        "wellbeing_t2": rng.normal(4.1, 0.8, n).round(2),
    }


@layout(
    aside=2, outcome=["quality", "n_ideas", None], treatment="Medium", group="Triad",
    reference=["face-to-face"],
)  # fmt: skip
def brainstorming(rng):
    """No arm sounds like a control; face to face is what the others are compared with."""
    triad = members(rng, 45, 3, 0)
    return {
        "Triad": triad + 1,
        "Member": np.tile([1, 2, 3], 45),
        "Medium": np.array(["face-to-face", "chat", "video"])[triad % 3],
        "n_ideas": rng.poisson(9, 135),
        "quality": rng.normal(3.2, 0.6, 135).round(2),
        "extraversion": rng.normal(3.5, 0.7, 135).round(2),
    }


# Agriculture and ecology ---------------------------------------------------------------------------


@layout(
    aside=2, outcome="yield_t_ha", treatment="treatment", group=["plot", None, ("block", "plot")],
    block="block", reference=["N0"],
)  # fmt: skip
def nitrogen_plots(rng):
    plot = np.repeat(np.arange(24), 3)
    return {
        "block": plot // 4 + 1,
        "plot": plot + 101,
        "treatment": np.array(["N0", "N60", "N120", "N180"])[plot % 4],
        "sample": np.tile([1, 2, 3], 24),
        "moisture": rng.normal(14, 1, 72).round(1),
        "yield_t_ha": score(rng, plot, mean=7, sd=1, digits=2),
    }


@layout(
    aside=2, outcome=["weight_gain_g", None], treatment="feed", group="pen",
    reference=["standard"], block=["house", None],
)  # fmt: skip
def broilers(rng):
    pen = members(rng, 32, 15, 0)
    n = len(pen)
    return {
        "house": pen // 8 + 1,
        "pen": pen + 1,
        "bird": np.tile(np.arange(1, 16), 32),
        "feed": np.array(["standard", "+enzyme", "+probiotic", "+both"])[pen % 4],
        "sex": some(rng, n, "M", "F"),
        "start_weight_g": rng.normal(42, 3, n).round(1),
        "weight_gain_g": score(rng, pen, mean=2100, sd=150, digits=0),
    }


@layout(
    aside=2, outcome=["abundance", "richness", "cover_pct", None], treatment="Grazing", group="Site",
    reference=["ungrazed", "none"],
)  # fmt: skip
def transects(rng):
    site = np.repeat(np.arange(18), 8)
    return {
        "Site": named(site, "Site{:02d}"),
        "Lat": rng.uniform(46, 48, 18).round(4)[site],
        "Lon": rng.uniform(7, 10, 18).round(4)[site],
        "Grazing": np.array(["ungrazed", "sheep", "cattle"])[site % 3],
        "Quadrat": np.tile(np.arange(1, 9), 18),
        "slope": rng.integers(0, 35, 144),
        "cover_pct": rng.integers(5, 100, 144),
        "richness": rng.poisson(14, 144),
        "abundance": rng.poisson(80, 144),
    }


@layout(
    aside=2, outcome=["fledged", "clutch", None], treatment="manip", group=["nestbox", None],
    individual=[None, "nestbox"], block=[None, "plot", "year"], reference="control",
)  # fmt: skip
def nest_boxes(rng):
    box = np.repeat(np.arange(60), 3)
    return {
        "plot": np.array(["Bean Wood", "Marley", "Great Wood"])[box // 20],
        "nestbox": named(box, "B{:03d}"),
        "year": np.tile([2019, 2020, 2021], 60),
        "manip": some(rng, 180, "control", "enlarged", "reduced"),
        "laydate": rng.integers(95, 130, 180),
        "clutch": rng.integers(5, 13, 180),
        "fledged": rng.integers(0, 12, 180),
    }


# Economics, management, A/B tests ------------------------------------------------------------------


@layout(
    aside=2, outcome=["consumption_end", "food_sec_end"], treatment="treat", group="village_id",
    block=["district", "pair_id", None], reference="0",
)  # fmt: skip
def village_pairs(rng):
    village = members(rng, 60, 14)
    n = len(village)
    return {
        "hhid": village * 100 + np.arange(n) % 50 + 1,
        "district": np.array(["Kasungu", "Dedza", "Salima"])[village // 20],
        "pair_id": village // 2 + 1,
        "village_id": village + 1,
        "treat": village % 2,
        "hhsize": rng.integers(1, 11, n),
        "female_head": rng.integers(0, 2, n),
        "weight": rng.uniform(0.5, 3, n).round(4),
        "consumption_base": rng.lognormal(3, 0.5, n).round(2),
        "consumption_end": rng.lognormal(3.1, 0.5, n).round(2),
        "food_sec_end": rng.integers(0, 10, n),
    }


@layout(
    aside=2, outcome=["asistencia", None], treatment="tratamiento", group="comunidad",
    block=["estrato", None], reference="SOC",
)  # fmt: skip
def spanish_communities(rng):
    place = members(rng, 44, 18)
    n = len(place)
    return {
        "id_hogar": np.arange(1, n + 1),
        "comunidad": place + 1,
        "estrato": place // 11 + 1,
        "tratamiento": np.array(["SOC", "INT"])[place % 2],
        "edad": rng.integers(6, 15, n),
        "ingreso": rng.lognormal(6, 0.8, n).round(0),
        "asistencia": rng.choice([0, 1], n, p=[0.2, 0.8]),
    }


@layout(
    aside=2, outcome=["revenue", "converted", None], treatment="variant", group="user_id",
    individual=["user_id"], reference=["control"],
)  # fmt: skip
def sessions_of_users(rng):
    user = members(rng, 500, 4, 0.6)
    n = len(user)
    return {
        "session_id": [f"{i * 104729 % 16**7:07x}" for i in range(n)],
        "user_id": user + 88_000,
        "variant": arms(rng, user, "control", "variant_1"),
        "timestamp": [f"2024-02-{1 + i % 28:02d}T{i % 24:02d}:11:09Z" for i in range(n)],
        "device": some(rng, n, "mobile", "desktop", "tablet"),
        "pages": rng.poisson(5, n) + 1,
        "converted": rng.choice([0, 1], n, p=[0.9, 0.1]),
        "revenue": np.where(rng.uniform(size=n) < 0.9, 0, rng.lognormal(3, 1, n)).round(2),
    }


@layout(
    aside=2, outcome=["sales", None], treatment="bonus_scheme", group="store",
    individual=[None, "store"], reference="none", block=["region", None],
)  # fmt: skip
def store_months(rng):
    """Stores, once a month each."""
    store = np.repeat(np.arange(48), 6)
    return {
        "region": np.array(["N", "S", "E", "W"])[store // 12],
        "store": store + 1,
        "month": np.tile([1, 2, 3, 4, 5, 6], 48),
        "bonus_scheme": np.array(["none", "team", "individual"])[store % 3],
        "staff": rng.integers(4, 40, 48)[store],
        "sales": score(rng, store, mean=80_000, sd=12_000, digits=0),
    }


@layout(
    aside=2, outcome=["eNPS", "engagement", None], treatment="Coaching", group="Manager ID",
    reference="No", block=["Business unit", None],
)  # fmt: skip
def employees(rng):
    manager = members(rng, 50, 7)
    n = len(manager)
    return {
        "Employee ID": np.arange(20001, 20001 + n),
        "Manager ID": manager + 301,
        "Business unit": np.array(["Retail", "Digital", "Ops", "HQ", "Labs"])[manager // 10],
        "Coaching": arms(rng, manager, "No", "Yes"),
        "Tenure (years)": rng.gamma(2, 3, n).round(1),
        "Salary": rng.integers(30, 120, n) * 1000,
        "engagement": rng.normal(3.7, 0.6, n).round(2),
        "eNPS": rng.integers(0, 11, n),
    }


@layout(
    aside=2, outcome="Y", treatment="Z", group="cluster", block=["strata", None], reference="0",
)  # fmt: skip
def replication_package(rng):
    cluster = members(rng, 50, 12)
    n = len(cluster)
    return {
        "": np.arange(1, n + 1),
        "cluster": cluster + 1,
        "strata": cluster // 10 + 1,
        "Z": cluster % 2,
        "X1": rng.normal(0, 1, n).round(4),
        "X2": rng.integers(0, 2, n),
        "Y": score(rng, cluster, mean=0, sd=1, digits=4),
    }


@layout(
    aside=2, outcome=["emissions", "kwh", None], treatment="letter", group="household",
    individual=["household", None], block=["street", None], reference="no letter",
)  # fmt: skip
def energy_letters(rng):
    home = np.repeat(np.arange(150), 6)
    return {
        "street": named(home // 10, "Street {}"),
        "household": home + 1,
        "month": np.tile(["2023-01", "2023-02", "2023-03", "2023-04", "2023-05", "2023-06"], 150),
        "letter": arms(rng, home, "no letter", "norm letter", "price letter"),
        "area_m2": rng.integers(30, 180, 150)[home],
        "kwh": score(rng, home, mean=220, sd=60),
    }


@layout(
    aside=2, outcome=["turnout", None], treatment="mailing", group="precinct",
    reference=["Control"], block=["county", None],
)  # fmt: skip
def voters(rng):
    precinct = members(rng, 70, 25)
    n = len(precinct)
    return {
        "voter_id": [f"V{i:07d}" for i in rng.permutation(n)],
        "county": np.array(["Adams", "Boone", "Clay", "Dade", "Erie"])[precinct // 14],
        "precinct": precinct + 1,
        "mailing": arms(rng, precinct, "Control", "Civic Duty", "Neighbors"),
        "birth_year": rng.integers(1930, 2001, n),
        "party": some(rng, n, "D", "R", "I"),
        "voted_2018": rng.integers(0, 2, n),
        "turnout": rng.integers(0, 2, n),
    }


@layout(
    aside=2, outcome=["FIM_discharge", None], treatment="Group", group=["Centre", "Therapist"],
    block=["Centre", None], reference=["2", "1"],
)  # fmt: skip
def rehabilitation(rng):
    """Individually randomised within centres; therapists treat in both arms."""
    therapist = members(rng, 24, 10)
    n = len(therapist)
    return {
        "ID": np.arange(1, n + 1),
        "Centre": therapist // 4 + 1,
        "Therapist": therapist + 1,
        "Group": some(rng, n, 1, 2),
        "Stroke side": some(rng, n, "L", "R"),
        "Days since stroke": rng.integers(3, 60, n),
        "FIM_admission": rng.integers(18, 90, n),
        "FIM_discharge": rng.integers(30, 127, n),
    }
