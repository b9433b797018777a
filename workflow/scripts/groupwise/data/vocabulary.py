"""Words in names of columns and arms, by meaning, in several languages, and how to look them up.

Accents are left out: Schüler is schuler here. A word of five letters or more also matches the
start or the end of a longer one (`Testergebnis`, `Behandlungsgruppe`).
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache


def words(text: str) -> frozenset[str]:
    """The words of a text, each once."""
    return frozenset(text.split())


COMPOUND = 5
"""Letters of a word that is looked for inside longer ones."""
LONGEST_SHORT = 3
"""Letters of what may be an abbreviation: NRS is a scale, and no plural of nr."""
WHOLE = words("count order place start total index event error level state")
"""Long words that other words happen to begin or end with: a country is no count."""

OUTCOME = words(
    "outcome response resp score result grade mark points y dv endpoint posttest post endline "
    "followup gpa yield points punkte punktzahl ergebnis zielgrosse resultat resultado ertrag note "
    "puntaje puntuacion nota rendement reponse rendimiento risultato punteggio uitkomst"
)
"""Words for an outcome and hardly anything else."""
RESULT = words("outcome response result endpoint ergebnis resultat resultado risultato zielgrosse")
"""Of these, words for outcomes that may be labels as well as numbers."""
MEASURE = words(
    "test exam examen prufung klausur math maths mathe reading writing value wert valeur valor rate "
    "duration latency rt reaction weight gewicht pressure cost costs kosten cout costo sales "
    "revenue umsatz spend spending count number anzahl amount symptom symptoms pain schmerz dolor "
    "depression anxiety angst qol quality wellbeing skills skill knowledge wissen achievement "
    "attainment performance leistung accuracy correct rating satisfaction zufriedenheit biomass "
    "biomasse growth wachstum abundance richness cover length len diameter survival mortality death "
    "died dead infection infected recovered cured relapse dropout passed bestanden erfolg success "
    "failure event readmission readmitted conversion converted clicked purchase purchased bought "
    "clicks income consumption expenditure profit enrolled attendance vaccinated pass fail improved "
    "improvement change gain difference diff index scale total sum mean bdi hamd phq cgi severity "
    "concentration conc glucose level hb bp sbp dbp strength breaks fitness behavior behaviour "
    "incidence prevalence adherence attitude mood stress sleep distance speed effort travel absences "
    "errors error cases"
)
"""What outcomes are often called; covariates are too."""
EVENT = words(
    "mortality death died dead infection infected recovered cured relapse dropout passed bestanden "
    "success failure readmission readmitted conversion converted survival survived event"
)
"""Of these, what happens or does not."""
COUNTED = words(
    "count event number n anzahl visit seizure fall attack episode infection accident admission case "
    "exacerbation hospitalization hospitalisation click absence error purchase incident crime death "
    "sturz besuch fehler falle ereignis anfall evento evenement visite chute"
)
"""What a number of events may be called, in the singular."""
AT_RISK = words(
    "day hour week month year person_year person_day person_month person_time personyear persontime "
    "time_at_risk at_risk days_at_risk exposure followup follow_up fup observation_time tage stunde "
    "wochen monate jahre personenjahre jours heures dias"
)
"""How long events could happen."""
SURELY_AT_RISK = words(
    "person_year person_day person_month person_time personyear persontime time_at_risk at_risk "
    "days_at_risk observation_time personenjahre"
)
"""Of these, words for nothing else."""
BEFORE = words(
    "pre pretest pret baseline base before prior initial intake entry start vorher vortest "
    "ausgangswert avant antes inicial premessung previous past lagged bl"
)
"""A measurement from before the treatment."""
AFTER = words(
    "post posttest postest after endline final followup fup nachher nachtest apres despues end fu"
)
TREATMENT = words(
    "treatment treat treated trt arm condition cond intervention allocation allocated assignment "
    "assigned randomized randomised randomization experiment experimental variant tx behandlung "
    "bedingung versuchsgruppe versuchsarm studienarm zuteilung traitement bras tratamiento brazo "
    "condicion condizione trattamento group_type class_type treatment_group study_group "
    "experiment_group experimentalgruppe interventionsgruppe conditie behandeling interventie"
)
"""Words for a treatment and hardly anything else."""
FACTOR = words(
    "style exposure program programme dose dosis variety sorte diet diat feed drug medication "
    "therapy therapie therapist_type supplement supp fertilizer fertiliser dunger dungung method "
    "methode regimen protocol strategy training instruction policy incentive transfer subsidy "
    "voucher message bundle nitro nitrogen shade spray recipe irrigation tillage grazing warming "
    "burned fenced cultivar version bucket design curriculum coaching tutoring reform schulung app "
    "bednet cash counseling counselling campaign reminder letter feedback format mode"
)
"""What a factor of an experiment may be called."""
TRAIT = words(
    "sex gender geschlecht sexe sexo genre male female girl boy race ethnicity ethnic eth trace age "
    "alter edad agegp agegroup married marital ses socioeconomic minority minrty urban rural "
    "language sprache religion birth born geburt birthyear birthq nationality migration migrant "
    "handedness smoker smoking bmi education ed lunch black white hispanic retained parity "
    "income_group caste tribe handicap disability comorbidity status origin breed eltern parent "
    "genotype species sx gend grade_level onset experience seniority tenure device browser"
)
"""Traits of what is measured: nothing that chance dealt, and no outcome."""
BLOCK = words(
    "block blocks bloque bloc stratum strata schicht strate estrato pair pairs paar matched_pair "
    "matchedset matched quadruplet triplet replicate rep replication district region bezirk distrito "
    "randomization_block randomisation_block"
)
"""Words for a stratum of whole groups."""
PLACE = words(
    "country nation region district state county province bezirk kreis provincia departement "
    "municipality comune lea subdistrict"
)
HOUSE = words(
    "center centre zentrum site school sch schule schulnr ecole escuela scuola clinic klinik clinique "
    "clinica hospital krankenhaus hopital practice praxis village dorf community gemeinde comm farm "
    "hof company firm betrieb store market branch herd field feld lab laboratory station city town "
    "university college island forest lake stream meadow reef colony"
)
ROOM = words(
    "class classroom klasse classe clase clinician teacher lehrer lehrkraft professor prof instructor "
    "trainer therapist therapeut doctor physician arzt nurse ward icu department dept abteilung "
    "household haushalt family familie hh litter wurf brood nest plot parzelle parcelle parcela team "
    "group gruppe groupe grupo cluster cohort course kurs section tank cage kafig pen pot tray batch "
    "whole_plot mainplot transect quadrat neighborhood neighbourhood tutor mentor squad cell_id "
    "gemeinschaft station mom mother"
)
SELF = words(
    "pupil student patient person participant subject child respondent user customer client member "
    "individual worker employee resident caregiver man infant animal schueler schuelerin patientin "
    "proband person_id kunde eleve alumno paciente "
    "schuler schulerin kind kinder participante enfant nino sujet sujeto versuchsperson vp vpn person "
    "subj rat mouse dog cow pig chick plant tree leaf fish kid woman sid pid uid ppt participantid "
    "bewohner studierende studierender teilnehmer teilnehmerin student visitor account runner"
)
ITEM = words("item stimulus question trial_id word picture task order session_id message_id")
"""What individuals answer: crossed with them."""
TIME = words(
    "time period visit wave phase occasion session week month year day date round step semester "
    "term trimester quarter season measurement timepoint moment trial zeitpunkt welle woche monat "
    "jahr besuch messung mes ano periodo prepost pre_post "
    "hour minute days weeks months years zeit messzeitpunkt messzeit messwiederholung periode "
    "visite temps seance sesion jour tag semaine semana annee timept tp yr erhebung halbjahr"
)
ATTRIBUTE = words(
    "type size degree level experience share mean avg average median sd quality years rating "
    "ladder ethnicity sex gender age income budget enrollment population pop capacity ses count "
    "number_of n"
)
"""With the word of a unit: a trait of that unit (`school_type`)."""
LABEL = words("id nr no code key kennung nummer identifier label name numero ident ids idx index")
CONTROL = words(
    "control ctrl ctl controls kontrolle kontrollgruppe kontroll controle controles contr placebo "
    "plazebo tau sham waitlist waitinglist warteliste wartegruppe untreated unbehandelt usual "
    "soc bau kg wlc wl cont temoin testigo kontroll controllo"
)
"""An arm to compare with, for sure."""
BARE = words(
    "no none nothing nil 0 false standard regular reference ref comparison vergleich baseline "
    "conventional traditional keine kein ohne sin sans aucun ninguno falsch faux falso nein non nee "
    "nej nao old normal default business nc off without"
)
"""An arm to compare with, where no other sounds more like it."""
TREATED = words(
    "intervention int iv treatment treated treat exp experimental eg ig active aktiv actif activo "
    "attivo verum trained trt intervencion intervencao intervento intervenant interventie"
)
"""Of two arms, the one that is compared with the other."""
YES = words(
    "yes true passed pass success died dead infected ja oui si positive pos present case event "
    "improved responder bestanden y j 1 converted bought clicked recovered cured relapsed vaccinated "
    "wahr vrai good failed_event readmitted treated completed agree correct"
)
NO = words(
    "no false failed fail failure alive uninfected nein non negative neg absent healthy none n 0 "
    "survived not_passed durchgefallen unchanged falsch faux falso poor worse nonresponder incorrect "
    "disagree dropout"
)
BEFORE_VALUES = BEFORE | words("t0 pre-test pre_test time0 tp0 w0 v0")
AFTER_VALUES = AFTER | words("t1 post-test post_test follow-up follow_up time1 tp1 w1 v1")


def folded(text: object) -> str:
    """A text without accents and in lower case."""
    plain = unicodedata.normalize("NFKD", str(text).casefold().replace("\u00f8", "o"))
    return "".join(char for char in plain if not unicodedata.combining(char)).strip()


@cache
def parts(text: str) -> frozenset[str]:
    """The words of a name, also without the plural's s, and the whole of it."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    whole = re.sub(r"[\W_]+", "_", folded(split)).strip("_")
    tokens = {part for part in re.split(r"[\W_\d]+", whole) if part}
    tokens |= {part for part in whole.split("_") if part}
    return frozenset(
        tokens
        | {part.removesuffix("s") for part in tokens if len(part) > LONGEST_SHORT}
        | {whole, folded(text)}
    )


def names_it(name: str, vocabulary: frozenset[str]) -> bool:
    """Whether one of the words stands in a name as a word of its own, or is the name."""
    return not vocabulary.isdisjoint(parts(name))


@lru_cache(maxsize=100_000)
def says(name: str, vocabulary: frozenset[str]) -> bool:
    """Whether one of the words stands in a name, or begins or ends a longer word there."""
    tokens = parts(name)
    if names_it(name, vocabulary):
        return True
    longer = [part for part in tokens if len(part) > COMPOUND and "_" not in part]
    return any(
        part.startswith(word) or part.endswith(word)
        for part in longer
        for word in vocabulary - WHOLE
        if len(word) >= COMPOUND
    )
