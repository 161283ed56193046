"""Units of measurement: two of them are undecided, two spellings of one are the same."""

import itertools

import pytest

from assay.problems.answers import classes, equivalent
from assay.problems.answers.units import unit_after

# Spellings of one unit; between two lines, nothing is known.
SPELLINGS = [
    ["5 km/h", "5 kilometers per hour", "5 kph", "5 km per hour", "5 kilometres/hour", "5km/h"],
    ["5 mph", "5 miles per hour", "5 miles/hour", "5 miles an hour"],
    ["5 m/s", "5 meters per second", "5 metres/sec", r"5\text{ m/s}"],
    ["5 m/s^2", "5 meters per second squared", r"5 m/s^{2}"],
    ["5 liters", "5 L", "5 litres"],
    ["5 gallons", "5 gal"],
    ["$5", r"\$5", "5 dollars", "5 USD", "US$5", "5 dollars per apple"],
    ["£5", "5 GBP", "5 pounds sterling"],
    ["€5", "5 euros", "5 EUR"],
    ["₹5", "Rs. 5", "5 rupees"],
    ["5 cents", "5¢", "5 pennies"],
    ["5 degrees", "5°", r"5^\circ"],
    ["5 radians", "5 rad"],
    ["5 degrees Celsius", "5 °C", r"5^\circ C", "5°C"],
    ["5 degrees Fahrenheit", "5°F"],
    ["5 watts", "5 W"],
    ["5 kilowatts", "5 kW"],
    ["5 kilowatt-hours", "5 kWh", "5 kilowatt hours"],
    ["5 joules", "5 J"],
    ["5 square meters", "5 m^2", "5 sq m", r"5\text{ m}^2", "5 m²", "5 meters squared"],
    ["5 square feet", "5 ft^2", "5 sq ft"],
    ["5 square units", "5 units^2"],
    ["5 cubic meters", "5 m^3"],
    ["5 cm", "5 centimeters", "5 centimetres", r"5\,\text{cm}"],
    ["5 m", "5 meters"],
    ["5 hours", "5 hrs", "5 hr", "5 h", "5 hours of work"],
    ["5 minutes", "5 min"],
    ["5 days"],
    ["5 per day", "5 eggs per day", "5 a day"],
    ["5 eggs per week"],
    ["5 kg", "5 kilograms"],
    ["5 lb", "5 lbs", "5 pounds"],
    ["5 acres"],
    ["5 hectares"],
    ["5 megabytes", "5 MB"],
    ["5 megabits"],
    ["5 light years", "5 light-years"],
    ["5 km north"],
]


@pytest.mark.parametrize("spellings", SPELLINGS, ids=lambda spellings: spellings[0])
def test_one_unit(spellings: list[str]) -> None:
    for other in (*spellings, "5", "5.0"):
        assert equivalent(spellings[0], other) is True
        assert equivalent(other, spellings[0]) is True
    assert equivalent(spellings[-1], spellings[0].replace("5", "6")) is False
    assert equivalent(spellings[0], "6") is False


def test_two_units_are_undecided() -> None:
    for first, second in itertools.combinations(SPELLINGS, 2):
        for a, b in ((first[0], second[-1]), (second[0], first[-1])):
            assert equivalent(a, b) is None, (a, b)
            assert equivalent(a, b.replace("5", "6")) is None, (a, b)


def test_a_spelling_never_merges_two_units_in_a_vote() -> None:
    votes = ["5 km/h", "5 mph", "5", "5 kilometers per hour", "5 miles per hour", "5.0"]
    assert classes(votes) == [0, 1, 0, 0, 1, 0]
    roots = [r"2\sqrt{3} cm", r"2\sqrt{3} m", r"2\sqrt{3}", r"\sqrt{12} centimeters"]
    assert classes(roots) == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ("12 apples", "12 oranges", True),
        ("12 apples", "12", True),
        ("12 apples", "12 dollars", True),
        ("18 eggs in all", "18 eggs", True),
        ("5 day passes", "5 passes", True),
        ("3 T-shirts", "3", True),
        ("4 students per class", "4", True),
        ("12 apples", "13 oranges", False),
        (r"8\sqrt{3} cm", r"8\sqrt{3} m", None),
        (r"8\sqrt{3} cm", r"8\sqrt{3}", True),
        (r"8\pi square inches", r"8\pi\text{ in}^2", True),
        (r"\frac{\pi}{3} radians", r"\frac{\pi}{3} degrees", None),
        (r"\sqrt{2} m/s", r"\sqrt{2} meters per second", True),
        ("$18 per hour", "$18", None),
        ("$18 per hour", "18 dollars an hour", True),
        ("5 N", "5N", None),
        ("5 m", "5m", None),
        ("5 m", "5 x", False),
        ("3% profit", "3% loss", None),
        ("5 km north", "5 miles north", None),
        ("9 a.m.", "9 multiples", None),
        ("9 a.m.", "9 p.m.", False),
        ("9 a.m.", "8", False),
    ],
)
def test_beside_a_unit(a: str, b: str, verdict: bool | None) -> None:
    assert equivalent(a, b) is verdict
    assert equivalent(b, a) is verdict


@pytest.mark.parametrize(
    ("rest", "unit"),
    [
        (" kg m/s^2", "kilogram meter second^-2"),
        (" newton-meters", "meter newton"),
        (" miles per gallon", "gallon^-1 mile"),
        (" mpg", "gallon^-1 mile"),
        (" fl oz", "fluidounce"),
        (" micrograms", "microgram"),
        (" GHz", "gigahertz"),
        (" square kilometers", "kilometer^2"),
        (" hours each day", "day^-1 hour"),
        (" nickels", "nickel"),
        (" in", "inch"),
        (" people in line", ""),
        (" (cm)", "centimeter"),
        (" x", None),
        (" pm", None),
        (" and 5 cm", None),
        (" ab", None),
        ("m", None),
        (" m2", "meter^2"),
        (" feet 3", None),
        (" feet 3 inches", None),
        (" km - 3 km", None),
        (" hours 30 minutes", None),
        (" days 2", None),
    ],
)
def test_unit_after(rest: str, unit: str | None) -> None:
    assert unit_after(rest) == unit
