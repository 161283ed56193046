r"""Units of measurement: what is one, and which spellings mean the same.

A unit is put into one form, a product of powers, so that "km/h", "kilometers per hour" and
"km h^-1" are one unit while mph is another. Nothing is converted: of two units it is only known
whether they are the same. Words that are no units ("apples", "students per class") count things and
are dropped.

>>> unit_after(" km/h"), unit_after(" kilometers per hour"), unit_after(" apples")
('hour^-1 kilometer', 'hour^-1 kilometer', '')
>>> unit_after(" square inches of cloth"), unit_after("cm^2"), unit_after(" per hour", "$")
('inch^2', 'centimeter^2', 'dollar hour^-1')
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from assay.problems.answers.tidying import words

__all__ = ["MONEY", "unit_after", "without_unit"]

# ---- What is a unit ----

# A unit and its other spellings; a plural in -s need not be written. What could as well be
# something else ("won", "real", "mark") is left out.
_UNITS = """
    meter metre m; inch inches in; foot feet ft; yard yd; mile mi; furlong; fathom; lightyear ly;
    parsec pc; angstrom; micron; nauticalmile nmi; league; rod; chain; cubit; astronomicalunit;
    gram gramme g gm; ounce oz; pound lb; stone; ton; tonne metricton; carat; grain; dram; slug;
    second sec s; minute min; hour hr h; day; week wk; fortnight; month; year yr; decade;
    century centuries; millennium millennia; semester;
    liter litre l L; gallon gal; quart qt; pint pt; cup; fluidounce floz; tablespoon tbsp;
    teaspoon tsp; barrel bbl; bushel; peck; cc; gill; hogshead; acre; hectare ha;
    kelvin K; celsius centigrade °C degreecelsius degreec; rankine; °;
    fahrenheit °F degreefahrenheit degreef; degree ° deg; radian rad; gradian gon; arcminute;
    arcsecond; steradian; revolution; rotation; newton N; joule J; watt W; pascal Pa; volt V;
    ampere amp; ohm; hertz Hz; coulomb; farad; henry henries; tesla; weber; siemens; lumen lm;
    lux; candela; becquerel Bq; curie; sievert Sv; katal; mole mol; calorie cal; electronvolt eV;
    erg; dyne; horsepower hp; btu; therm; bar; atmosphere atm; torr; psi; mmhg; poundforce lbf;
    knot; gauss; poise; molar; decibel dB; dpi; ppm; rpm; bps; bit; byte B; baud; pixel px;
    dollar $ USD US$ usdollar buck; cent ¢ penny pennies; dime; nickel; euro € EUR;
    sterling £ GBP poundsterling britishpound; pence; shilling; rupee ₹ Rs INR; yen JPY;
    yuan CNY RMB renminbi; ¥; ₩ KRW; ruble rouble ₽ RUB; peso ₱ MXN; lira ₺ TRY; franc CHF;
    krona kronor krone kroner; zloty PLN; reais BRL; ZAR; baht ฿ THB; ₫ VND; naira ₦ NGN;
    dirham AED; riyal; dinar; shekel ₪; ringgit MYR; rupiah IDR; forint HUF; bitcoin BTC;
    australiandollar A$ AUD; canadiandollar C$ CAD; hongkongdollar HK$ HKD;
    singaporedollar S$ SGD; farthing; guinea; florin; drachma; paisa paise; kopeck; centime
"""
_PREFIXES = """
    yotta Y; zetta Z; exa E; peta P; tera T; giga G; mega M; kilo k; hecto h; deca da; deci d;
    centi c; milli m; micro µ μ; nano n; pico p; femto f; kibi Ki; mebi Mi; gibi Gi; tebi Ti
"""
_PREFIXED = words(
    "meter gram second liter newton joule watt pascal volt ampere ohm hertz coulomb farad henry "
    "tesla weber lumen becquerel curie sievert mole calorie electronvolt bar parsec bit byte pixel "
    "ton tonne bps"
)
_LONG_ALTHOUGH_SHORT = words("bit bar ton amp ohm")
# One word for several units, and what no rule makes of the table.
_COMPOUNDS = {
    **dict.fromkeys(("kph", "kmh", "kmph"), "kilometer / hour"),
    **{"mph": "mile / hour", "mpg": "mile / gallon", "mps": "meter / second"},
    **{"kilo": "kilogram", "km2": "kilometer ^2", "sqft": "foot ^2", "sqm": "meter ^2"},
    **{"wh": "watt hour", "kwh": "kilowatt hour", "hourly": "/ hour", "daily": "/ day"},
    **{"weekly": "/ week", "monthly": "/ month", "yearly": "/ year", "annually": "/ year"},
}
# Units of two or three words.
_PAIRS = re.compile(
    r"\b(light|fluid|fl|nautical|metric|astronomical|horse|electron|arc|pound|british|us|australian"
    r"|canadian|hong kong|singapore|degree)s?[ -](year|ounce|oz|mile|ton|unit|power|volt|minute"
    r"|second|sterling|pound|dollar|force|celsius|fahrenheit|c|f)(s?)\b",
    re.IGNORECASE,
)


def _spellings() -> dict[str, str]:
    units, prefixes = (
        [entry.split() for entry in table.split(";")] for table in (_UNITS, _PREFIXES)
    )
    found: dict[str, str] = {}
    for unit, *others in units:
        for name in (unit, *others):
            found[name] = unit
            short = len(name) < 4 and name not in _LONG_ALTHOUGH_SHORT
            for long, *letters in prefixes if unit in _PREFIXED else ():
                for prefix in letters if short else (long,):
                    found.setdefault(prefix + name, long + unit)
    return found


_SPELLINGS = _spellings()


@lru_cache(maxsize=4096)
def _unit(word: str) -> str:
    """The unit of that name, "" for none; short ones keep their case: MB is no mb."""
    word = word.replace(" ", "")  # ° C
    for name in (word, word.removesuffix("s")) if len(word) > 2 else (word,):
        lower = name.lower()
        if name in _SPELLINGS:
            return _SPELLINGS[name]
        if lower in _COMPOUNDS:
            return _COMPOUNDS[lower]
        if lower in _SPELLINGS and (len(word) > 2 or name.isupper()):  # Hours, Hrs, KM
            return _SPELLINGS[lower]
    return ""


# ---- What may follow a number ----

# Units that may touch their number; single letters are units only after a space: 5m may be 5 · m.
_TOUCHING = re.compile(
    r"(?:mm|cm|dm|kms?|kg|mg|lbs?|oz|ft|mph|kph|kmp?h|hrs?|mins?|secs?|ml|mL|[kMGT]?Wh|[kMG]W|[kM]J|"
    r"kcal|[kMG]?Hz|k?Pa|kN|[kKMGT]B|cents?|USD|EUR|GBP|INR|°\s?[CF]?)(?![A-Za-z])"
    r"|[$€£¥₹₩₽₱₺฿₫₦₪¢]"
)
_LETTERS = words("a m g l L h s N J W V")
_TWO_LETTERS = words(
    "mm cm dm km kg mg gm ml mL cc lb oz ft in yd mi hr ha sq cu of at an on kW MW kJ MJ Hz kN kV "
    "Pa KB kB MB GB TB dB hp"
)
# Words that change the number before them.
_NOT_UNITS = words(
    "or and to sqrt root pi log ln sin cos tan exp mod plus minus times divided multiplied over by "
    "base point power squared cubed choose infinity half third quarter dozen hundred thousand "
    "million billion trillion zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
    "seventy eighty ninety am pm noon midnight January February March April May June July "
    "August September October November December Jan Feb Mar Apr Jun Jul Aug Sep Oct Nov Dec"
)
# Before a number.
MONEY = (
    r"(?:(?:US|A|C|HK|S)?\$|[€£¥₹₩₽₱₺฿₫₦₪]"
    r"|(?:Rs|INR|USD|EUR|GBP|JPY|CNY|RMB|CAD|AUD)(?=[ .\d])\.?)"
)
# Words that turn a number round: 3% profit is not 3% loss.
_DIRECTIONS = words(
    "profit gain loss increase decrease more less fewer up down above below north south east west "
    "left right before after ahead behind older younger early late"
)
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3, "squared": 2, "cubed": 3}
_PER = words("per / a an each every")
_OF_THE_UNIT = words("of per a an each every in old for later apart long wide high tall deep away")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_TOKEN = re.compile(
    r"°\s?[CF](?![A-Za-z])|(?:US|HK|[ACS])?\$|[€£¥₹₩₽₱₺฿₫₦₪¢°]|[^\W\d_]+(?:['’-][^\W\d_]+)*|/"
    r"|\^\s*(?:\{\s*-?[1-4]\s*\}|-?[1-4])|(?<=[A-Za-z])[23](?!\w)"
)
_BETWEEN = re.compile(r"(?:\s|\.|-|·|\*|\\cdot(?![a-z]))*")
_TIME = re.compile(r"\s*[AaPp]\.\s?[Mm]\b")
_BRACKETED = re.compile(r"\s*\(([^()]*)\)")
_MAX_LENGTH = 80
_MAX_WORDS = 6


@lru_cache(maxsize=4096)
def unit_after(rest: str, money: str = "") -> str | None:
    """The unit in what follows a number ("" for things that are counted), None: no unit phrase.

    `money` is the sign of a currency before the number.
    """
    currency = _unit(money.strip(" ."))
    if not rest:
        return currency
    if len(rest) > _MAX_LENGTH or _TIME.match(rest):
        return None
    bracketed = _BRACKETED.fullmatch(rest)  # 20 (books)
    touching = _TOUCHING.match(rest)
    if bracketed:
        rest = bracketed[1]
    elif not touching and rest[0] not in " /-":
        return None
    rest = _PAIRS.sub(lambda pair: "".join(pair.groups()).replace(" ", ""), rest)
    tokens = _tokens(rest)
    if tokens is None or not tokens:
        return None
    factors = _factors(tokens)
    if currency:  # $18 per hour; "$18 dollars" says it twice
        factors = Counter({unit: power for unit, power in factors.items() if power < 0})
        factors[currency] += 1
    turned = min(_DIRECTIONS.intersection(token.lower() for token in tokens), default="")
    named = [u if p == 1 else f"{u}^{p}" for u, p in sorted(factors.items()) if p]
    return " ".join([*named, turned] if turned else named)


def _tokens(phrase: str) -> list[str] | None:
    """Words, signs and powers; None where there is anything else, or what is no unit."""
    tokens: list[str] = []
    at, named = _skip(phrase, 0), 0
    touching = _TOUCHING.match(phrase)
    while at < len(phrase):
        found = _TOKEN.match(phrase, at)
        if found is None:
            return None
        token = found[0]
        if token[0].isalpha() and not (touching and at == 0):
            named += 1
            if not _may_be_unit(token, bool(tokens)):
                return None
            parts = token.split("-")
            tokens += parts[:-1] if all(map(_unit, parts)) else []  # kilowatt-hours
            token = parts[-1] if all(map(_unit, parts)) else token
        elif token[-1].isdigit() or token[0] in "^{-":
            if not tokens or not tokens[-1][-1].isalpha():
                return None
            token = "^" + token.strip("^{} ")
        tokens.append(token)
        at = _skip(phrase, found.end())
    return tokens if named <= _MAX_WORDS and any(t[0] not in "/^" for t in tokens) else None


def _skip(phrase: str, at: int) -> int:
    between = _BETWEEN.match(phrase, at)
    return between.end() if between else at


def _may_be_unit(word: str, inside: bool) -> bool:
    """Two letters side by side may be a product: ab is none, cm is one."""
    if _NOT_UNITS.intersection(re.split("['’-]", word)) and not (inside and word in _POWERS):
        return False
    return len(word) > 2 or word in (_TWO_LETTERS if len(word) == 2 else _LETTERS)


def _factors(tokens: list[str]) -> Counter[str]:
    """Unit -> its power. What is no unit is left out, but for its area: "square units"."""
    factors: Counter[str] = Counter()
    sign, power = 1, 1
    for place, token in enumerate(tokens):
        if token in _PER:
            sign = -1
        elif token.lower() in ("square", "sq", "cubic", "cu"):
            power = _POWERS[token.lower()]
        elif token[0] != "^" and token not in _POWERS:
            after = tokens[place + 1 : place + 2]
            raised = _POWERS.get(after[0]) or int(after[0][1:]) if _is_power(after) else 1
            for unit, exponent in _named(token, tokens, place, power * raised):
                factors[unit] += sign * exponent
            sign, power = 1, 1
    return factors


def _is_power(after: list[str]) -> bool:
    return bool(after) and (after[0][0] == "^" or after[0] in ("squared", "cubed"))


def _named(token: str, tokens: list[str], place: int, power: int) -> Iterator[tuple[str, int]]:
    """What a word contributes: its unit or, as mph, its units; nothing for what is counted."""
    unit = _unit(token)
    alone = len(tokens) == 1 or power != 1 or tokens[place - 1] in _PER
    if token == "in" and not alone:  # 18 in all
        unit = ""
    after = tokens[place + 1] if place + 1 < len(tokens) else "/"
    counted = after.isalpha() and after not in _OF_THE_UNIT | _DIRECTIONS and not _unit(after)
    if unit and unit == token.lower() and counted and after not in _POWERS:  # 5 day passes
        unit = ""
    if not unit and power != 1:
        yield "unit", power
    sign = 1
    for part in unit.split():
        if part == "/":
            sign = -1
        elif part[0] != "^":
            squared = 2 if unit.endswith("^2") else 1
            yield part, sign * power * squared


_TRAILING = re.compile(
    r"\s+([A-Za-z][A-Za-z'’ /·-]*(?:\s*\^\s*\{?-?[123]\}?)?(?:\s*/\s*[A-Za-z]+)?)$"
)


def without_unit(text: str) -> tuple[str, str]:
    r"""The text without a unit at its end, for values that are no plain numbers; and the unit.

    >>> without_unit(r"8\sqrt{3} square inches"), without_unit(r"3 \sin x"), without_unit("2 xyz")
    (('8\\sqrt{3}', 'inch^2'), ('3 \\sin x', ''), ('2 xyz', ''))
    """
    found = _TRAILING.search(text)
    unit = unit_after(" " + found[1]) if found and found.start() else None
    if found is None or unit is None:
        return text, ""
    # Three letters may be a product; longer words, and units that we know, are none.
    named = _WORD.findall(found[1])
    sure = all(len(word) > 3 or _unit(word) or word in ("per", "sq") for word in named)
    return (text[: found.start()], unit) if sure else (text, "")
