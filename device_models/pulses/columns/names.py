"""The words of column headings: what each usual name of a column stands for."""

from __future__ import annotations

import re


def words_in(text: str) -> frozenset[str]:
    """The words of `text` as a set."""
    return frozenset(text.split())


LTP_WORDS = words_in("ltp p pot pot. potentiation potentiate up set +1 1 + 1.0")
LTD_WORDS = words_in("ltd d dep dep. depression depress down reset -1 - -1.0")
BRANCH_WORDS = {**dict.fromkeys(LTP_WORDS, "LTP"), **dict.fromkeys(LTD_WORDS, "LTD")}
# Roles by their names, written without case, blanks and punctuation.
NAMES = {
    "resistance": "r res resistance rread readresistance channelresistance devicer rmeas rmem ron",
    "conductance": "g cond conductance gread readconductance channelconductance gds gmeas gmem gn",
    "current": "i current iread readcurrent ids idrain draincurrent drainsourcecurrent imeas "
    "channelcurrent sourcedraincurrent epsc ipsc psc postsynapticcurrent photocurrent iph",
    "value": "value values reading readings y signal response state weight w",
    "pulse": "n no nr number index idx # count step x counter ordinal",
    "branch": "branch direction polarity ltpltd pd pulsetype operation process sign kind type",
    "device": "device dev deviceid devid devicename devicenumber deviceno deviceindex dev# "
    "device# dut cell cellid sample sampleid die dieid wordline bitline wl bl chip chipid",
    "cycle": "cycle cyc cycles cyclenumber cycleno cyclenr cycleindex cycleid cycle# run "
    "repetition rep repeat loop iteration sweep ncycle",
    "field": "field h b magneticfield magfield bfield hfield appliedfield externalfield mu0h",
    "amplitude": "amplitude amp pulseamplitude pulseamp pulsevoltage vpulse voltage v vg "
    "gatevoltage vprog vwrite writevoltage programmingvoltage vamp vp pulseheight pulsev vgs",
    "read_voltage": "readvoltage vread readbias vr readv vds drainvoltage vdrain measv vmeas vd "
    "measvoltage measuredvoltage measurementvoltage measuringvoltage sensevoltage vsense",
    "width": "width pulsewidth pw tpulse pulseduration duration tp tw pulselength",
    "condition": "condition conditions temperature temp strain bending bendingradius radius "
    "curvature wavelength lambda power lightpower opticalpower powerdensity lightintensity "
    "intensity illumination humidity relativehumidity rh oxygen oxygenpressure po2 pressure "
    "thickness concentration annealingtemperature annealtemperature bendingcycles ph "
    "frequency pulsefrequency colour color illuminance atmosphere ambient stress",
    "ignored": "time t timestamp date elapsed elapsedtime std sd stdev error err "
    "sem uncertainty comment note notes remark leakage leakagecurrent gatecurrent gateleakage "
    "ig igate igs gateleakagecurrent stderr variance cv",
}
ROLES = {name: role for role, names in NAMES.items() for name in names.split()}
QUANTITIES = ("resistance", "conductance", "current")
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
MEASURES = {"field": "field", "amplitude": "voltage", "read_voltage": "voltage", "width": "time"}
# A unit in brackets on these is a remark, e.g. "time (s)" or "pulse (#)".
LABEL_ROLES = ("pulse", "branch", "device", "cycle", "condition", "ignored")

PULSE_WORDS = words_in("pulse pulses stimulus stimuli stimulation stimulations spike spikes")
COUNTER_WORDS = words_in(
    "n no nr num number numbers index idx id count counts counter # applied of the k i "
    "p x total cumulative"
)
COMPOUND = re.compile(
    r"(?<![a-z])(pulses?|spikes?|stimulus|stimuli)"
    r"(?=(?:numbers?|no|nr|num|index|idx|count|counter|id)(?![a-z]))"
)
PULSE_KINDS = words_in("electrical optical light voltage programming write gate")
ADJECTIVES = words_in(
    "absolute abs measured measurement channel device read raw the of mean average "
    "averaged normalized normalised normal norm relative synaptic"
)
FILLERS = re.compile(
    r"(?<![a-z])(?:of|the|after|for|in|and|data|curve|branch|mean|average|norm|normali[sz]ed)(?![a-z])",
    re.IGNORECASE,
)
SPREAD = re.compile(
    r"(?<![a-z])(?:std|sd|stdev|sem|err|error|uncertainty)(?![a-z])|[\u03c3\u00b1]", re.IGNORECASE
)
# Columns that were computed from others.
DERIVED = re.compile(
    r"(?<![a-z])(?:moving|running|rolling|smooth|smoothed|smoothing|filtered|fit|fits|fitted|fitting"
    r"|model|modelled|modeled|simulated|simulation|calculated|theory|interpolated|trend|baseline"
    r"|lowess|savgol|savitzky|guess|residual|residuals|median|min|max|lower|upper)(?![a-z])",
    re.IGNORECASE,
)
# A letter in brackets that says over what the readings run: "G(n)".
ARGUMENTS = words_in("n t # p k i x pulse pulses")
# Words that name what a device was read under, where a label stands.
CONDITION_WORDS = words_in(
    "red green blue white yellow violet uv ir nir dark light flat bent bending "
    "stretched released pristine annealed vacuum air n2 o2 ar dry wet fresh aged "
    "folded"
)


def squeeze(text: str) -> str:
    """`text` in lower case without blanks and punctuation."""
    return re.sub(r"[^a-z0-9#]", "", text.lower())


def words_of(text: str) -> list[str]:
    """Words of a heading in lower case; "pulseNumber" and "pulsenumber" are two each."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    apart = COMPOUND.sub(r"\1 ", apart.lower())
    return re.findall(r"[a-z]+|\d+|#", apart)


def role_of(text: str) -> str | None:
    """Role that a name stands for, or None where it is not known."""
    if (role := ROLES.get(squeeze(text))) is not None:
        return role
    words = words_of(text)
    plain = [w for w in words if w not in PULSE_KINDS]
    counted = len(plain) == len(words) or any(w in COUNTER_WORDS for w in plain)
    if counted and PULSE_WORDS.intersection(plain) and set(plain) <= PULSE_WORDS | COUNTER_WORDS:
        return "pulse"
    if re.fullmatch(r"pulses?#|#pulses?|n_?pulses?|p#|#p|idx_?[knip]|n_?p", text.lower().strip()):
        return "pulse"
    if text.strip() in ("I_d", "I_D", "Id", "I_ds", "I_DS"):
        return "current"
    rest = [w for w in words if w not in ADJECTIVES]
    role = ROLES.get("".join(rest)) if len(rest) < len(words) else None
    return role if role in (*QUANTITIES, "value") else None


def names_pulses(text: str) -> bool:
    """The heading speaks of pulses, and not only of a number or an index."""
    return any(w in PULSE_WORDS or w.removeprefix("n") in PULSE_WORDS for w in words_of(text))
