"""A household that stands, and every way in which one cannot: for each door by which a file enters."""

from typing import Any

Raw = dict[str, Any]


def household() -> Raw:
    return {
        "as_of": "2026-03-10",
        "region": "urban",
        "registered_division": "500112016",
        "members": [
            {
                "id": "m1",
                "relation": "head",
                "birth": "1980-05-06",
                "incomes": [{"kind": "wages", "amount": 900.5, "per": "month"}],
            },
            {"id": "m2", "relation": "spouse", "birth": "1982-08-09"},
            {"id": "m3", "relation": "child", "birth": "2014-03-12"},
        ],
    }


def changed(path: str, value: Any) -> Raw:
    """The household with one field set, `members.0.birth` for the first member's birth."""
    raw = household()
    *parents, last = path.split(".")
    node: Any = raw
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node.setdefault(key, {})
    if isinstance(node, list):
        node[int(last) :] = [value]
    else:
        node[last] = value
    return raw


UNREADABLE = [
    ("members.0.birth", "1980-13-06", "is not a day"),
    ("members.0.birth", "19800506", "is not a day"),
    ("members.0.birth", "1980-W21-3", "is not a day"),
    ("members.0.birth", 19800506, "is not a day"),
    ("members.0.incomes.0.amount", -1, "is negative"),
    ("members.0.incomes.0.amount", "-0.01", "is negative"),
    ("members.0.incomes.0.amount", "100000000.01", "is more than a hundred million yuan"),
    ("members.0.incomes.0.amount", 1e300, "is more than a hundred million yuan"),
    ("members.0.incomes.0.amount", "1e999999999", "is not an amount of money"),
    ("members.0.incomes.0.amount", float("nan"), "is not an amount of money"),
    ("members.0.incomes.0.amount", float("inf"), "is not an amount of money"),
    ("members.0.incomes.0.amount", "sNaN", "is not an amount of money"),
    ("members.0.incomes.0.amount", "much", "is not an amount of money"),
    ("members.0.incomes.0.amount", True, "is not an amount of money"),
    ("members.0.incomes.0.amount", 1.005, "has more than two decimals"),
    ("members.0.incomes.0.per", "week", "is none of the values allowed"),
    ("members.0.relation", "boss", "is none of the values allowed"),
    ("members.0.disability", {"type": "visual", "level": 0}, "is too small"),
    ("members.0.disability", {"type": "visual", "level": 5}, "is too great"),
    ("members.0.failed_activities", 7, "is too great"),
    ("members.0.wage", 100, "is not a field of this form"),
    ("members.0.parents", [{"relation": "mother", "status": "dead"}], "has too few entries"),
    ("members.0.id", 1, "is not text"),
    ("members.0.person", "m1", "is not the id of a person"),
    ("members.0.major_illness", "yes", "is neither true nor false"),
    ("members", [], "has too few entries"),
    ("members", "all", "is not a list"),
    ("region", "city", "is none of the values allowed"),
    ("registered_division", 500112016, "is not text"),
    ("registered_division", "50011201", "is not a division of nine digits"),
    ("registered_division", "５００１１２０１６", "is not a division of nine digits"),
    (
        "emergency",
        {"kind": "fire", "at": "0001-01-01T00:00+14:00", "place_division": "500112016"},
        "is not a day or",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-01-01", "taper_first_month": "2026-13"}],
        "is not a month",
    ),
]
"""Field, value, and how the problem begins."""

CONTRADICTIONS = [
    ("members.1.birth", "2022-08-09", "members.1.birth", "makes a married person of 3 years"),
    ("members.1.birth", "2008-03-11", "members.1.birth", "makes a married person of 17 years"),
    ("members.2.relation", "spouse", "members.2.relation", "is a second spouse"),
    ("members.1.relation", "head", "members.1.relation", "is a second head"),
    ("members.2.id", "m1", "members.2.id", "stands at two members"),
    ("members.2.birth", "1980-05-06", "members.2.birth", "makes a child or grandchild as old as the head"),
    ("members.1.relation", "parent", "members.1.birth", "makes a parent or grandparent as young as the head"),
    ("members.2.birth", "2026-03-11", "members.2.birth", "lies after the day of the decision"),
    ("members.0.birth", "1880-05-06", "members.0.birth", "lies more than 130 years back"),
    (
        "members.0.whereabouts",
        {"status": "prison", "since": "2027-01-01"},
        "members.0.whereabouts.since",
        "lies after",
    ),
    ("review_decided_on", "2026-03-11", "review_decided_on", "lies after the day of the decision"),
    (
        "emergency",
        {"kind": "fire", "at": "2026-03-10T16:30:00Z", "place_division": "500112016"},
        "emergency.at",
        "lies after the day of the decision",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01", "status": "taper"}],
        "enrolments.0.taper_first_month",
        "is missing although",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01"}] * 2,
        "enrolments.1.programme",
        "is enrolled twice",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01", "status": "taper", "taper_first_month": "2026-05"}],
        "enrolments.0.taper_first_month",
        "lies before the enrolment or more than a month after",
    ),
    (
        "enrolments",
        [{"programme": "dibao", "since": "2025-03-01", "status": "taper", "taper_first_month": "2025-02"}],
        "enrolments.0.taper_first_month",
        "lies before the enrolment or more than a month after",
    ),
    (
        "members.2.enrolments",
        [{"programme": "orphan", "since": "2025-03-01"}] * 2,
        "members.2.enrolments.1.programme",
        "is enrolled twice",
    ),
    (
        "members.2.enrolments",
        [{"programme": "orphan", "since": "2014-03-11"}],
        "members.2.enrolments.0.since",
        "lies before the birth (2014-03-12)",
    ),
    (
        "members.2.whereabouts",
        {"status": "declared_missing", "since": "2014-03-11"},
        "members.2.whereabouts.since",
        "lies before the birth",
    ),
    (
        "members.2.parents",
        [{"relation": "mother", "status": "dead"}] * 2,
        "members.2.parents.1.relation",
        "is the same parent a second time",
    ),
    (
        "members.2.parents",
        [
            {"relation": "father", "status": "dead"},
            {
                "relation": "mother",
                "status": "lost_contact",
                "police_report_on": "2026-02-02",
                "police_slip": "not_found",
                "police_slip_on": "2026-02-01",
            },
        ],
        "members.2.parents.1.police_slip_on",
        "lies before the report to the police",
    ),
    (
        "members.0.supporters",
        [{"relation": "son", "birth": "1980-05-06"}],
        "members.0.supporters.0.birth",
        "makes a son or daughter as old as the parent",
    ),
    (
        "members.0.supporters",
        [{"relation": "mother", "birth": "1980-05-06"}],
        "members.0.supporters.0.birth",
        "makes a parent as young as the son or daughter",
    ),
    ("members.0.id_number", "11010519800506002X", "members.0.id_number", "fails its check digit"),
    ("members.0.id_number", "110105198005060", "members.0.id_number", "fails its check digit"),
    ("members.0.id_number", "11010519491231002X", "members.0.birth", "differs from the identity number"),
]
"""Field, value, the field at which the problem stands, and how it begins."""
