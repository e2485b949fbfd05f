"""An invented district: households of every kind, seed by seed, and what happens to them month by month."""

from datetime import date, timedelta
from random import Random
from typing import Any

Raw = dict[str, Any]

DIVISIONS = ["500112016", "500112004", "500112144", "500112133", "511902000"]
KINDS = [
    "wages",
    "wages",
    "farming",
    "business",
    "support",
    "pension",
    "preferential_pension",
    "family_planning_reward",
    "scholarship",
    "social_assistance",
    "disability_allowance",
    "basic_pension_floor",
    "social_insurance",
    "old_age_allowance",
]
TYPES = ["visual", "hearing", "speech", "physical", "intellectual", "mental"]
SCHOOLS = [
    "senior_secondary",
    "vocational_secondary",
    "junior_college",
    "undergraduate",
    "postgraduate",
    "none",
]
PARENT_STATUSES = [
    "present",
    "dead",
    "dead",
    "declared_missing",
    "untraceable",
    "prison",
    "forced_detox",
    "detention",
    "lost_contact",
    "lost_contact",
    "guardianship_revoked",
    "deported",
]


def chance(rng: Random, share: float) -> bool:
    return rng.random() < share


def born(rng: Random, today: date, youngest: int, oldest: int) -> str:
    """A date of birth in an age range, sometimes right at a birthday."""
    if chance(rng, 0.05):
        return today.replace(
            year=today.year - rng.choice([16, 18, 60, 70]), day=min(today.day, 28)
        ).isoformat()
    return (today - timedelta(days=rng.randint(youngest * 365 + 1, oldest * 365))).isoformat()


def amount(rng: Random, top: float) -> float:
    """Yuan with up to two decimals, often around the standards."""
    if chance(rng, 0.3):
        return rng.choice([0, 630, 770, 945, 1155, 1260, 1540, 2310, 2309.99, 3465, 3464.99, 0.01])
    return round(rng.random() * top, 2)


def incomes(rng: Random, today: date) -> list[Raw]:
    found = []
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        per = rng.choice(["month", "month", "year"])
        found.append(
            {
                "kind": rng.choice(KINDS),
                "amount": amount(rng, 3000 * (12 if per == "year" else 1)),
                "per": per,
            }
        )
    return found


def member(rng: Random, today: date, number: int, relation: str, ages: tuple[int, int]) -> Raw:
    found: Raw = {
        "id": f"m{number}",
        "relation": relation,
        "birth": born(rng, today, *ages),
        "incomes": incomes(rng, today) if ages[1] > 18 else [],
    }
    if chance(rng, 0.2):
        found["work_costs"] = amount(rng, 200)
    if chance(rng, 0.3):
        found["disability"] = {"type": rng.choice(TYPES), "level": rng.randint(1, 4)}
    if chance(rng, 0.15):
        found["major_illness"] = True
    if chance(rng, 0.1):
        found["whereabouts"] = {
            "status": rng.choice(["home", "prison", "forced_detox", "declared_missing", "dead"])
        }
    if chance(rng, 0.1):
        found["enrolments"] = [{"programme": "tekun", "since": max("2020-01-01", found["birth"])}]
    if chance(rng, 0.3):
        found["supporters"] = [supporter(rng, today) for _ in range(rng.choice([0, 0, 1, 2]))]
    if chance(rng, 0.1):
        found["choice"] = rng.choice(["orphan", "unattended_child"])
    if relation in {"child", "grandchild"}:
        found |= childhood(rng, today, found["birth"])
    if relation not in {"head", "spouse", "child"} and chance(rng, 0.6):
        found["dependant"] = True
    return found


def childhood(rng: Random, today: date, birth: str) -> Raw:
    found: Raw = {"student": rng.choice(["compulsory", *SCHOOLS])}
    if chance(rng, 0.3):
        found["independent"] = False
    if chance(rng, 0.5):
        found["parents"] = [parent(rng, today, who) for who in ("mother", "father")]
        found["placement"] = rng.choice(["institution", "scattered"])
    if chance(rng, 0.2):
        found["already_paid"] = {"dibao": amount(rng, 900)}
    if chance(rng, 0.1):
        payment = rng.choice(["full", "top_up"])
        found["enrolments"] = [
            {"programme": "unattended_child", "since": max("2020-01-01", birth), "payment": payment}
        ]
    return found


def parent(rng: Random, today: date, who: str) -> Raw:
    status = rng.choice(PARENT_STATUSES)
    found: Raw = {"relation": who, "status": status}
    if status not in {"present", "untraceable"} and chance(rng, 0.8):
        found["since"] = (today - timedelta(days=rng.randint(0, 400))).isoformat()
    if status in {"prison", "forced_detox", "detention"} and chance(rng, 0.4):
        found["term_months"] = rng.randint(1, 40)
    if status == "lost_contact" and chance(rng, 0.7):
        found["police_report_on"] = (today - timedelta(days=rng.randint(0, 300))).isoformat()
        if chance(rng, 0.5):
            found["police_slip"] = rng.choice(["not_found", "found"])
    if chance(rng, 0.3):
        found["disability"] = {"type": rng.choice(TYPES), "level": rng.randint(1, 4)}
    if chance(rng, 0.1):
        found["serious_illness_listed"] = True
    return found


def supporter(rng: Random, today: date) -> Raw:
    found: Raw = {
        "relation": "relative",
        "birth": born(rng, today, 20, 90),
        "property": rng.choice(["low_income", "low_income", "above"]),
    }
    if chance(rng, 0.8):
        found["income"] = rng.choice([0, 500, 3399.99, 3400, 9000])
    for flag in ("tekun", "on_dibao"):
        if chance(rng, 0.3):
            found[flag] = True
    if chance(rng, 0.3):
        found["disability"] = {"type": rng.choice(TYPES), "level": rng.randint(1, 4)}
    if chance(rng, 0.1):
        found["civil_capacity"] = "none"
    if chance(rng, 0.2):
        found["status"] = rng.choice(["prison", "declared_missing"])
    return found


def household(rng: Random, today: date) -> Raw:
    """One household that the product reads without a problem."""
    region = rng.choice(["urban", "rural"])
    members = [member(rng, today, 1, "head", (30, 60))]
    if chance(rng, 0.6):
        members.append(member(rng, today, 2, "spouse", (25, 80)))
    for _ in range(rng.choice([0, 1, 1, 2])):
        members.append(member(rng, today, len(members) + 1, "child", (0, 12)))
    if chance(rng, 0.2):
        members.append(member(rng, today, len(members) + 1, "child", (13, 29)))
    if chance(rng, 0.3):
        relation, ages = rng.choice([("parent", (62, 95)), ("grandchild", (0, 9)), ("sibling", (20, 70))])
        members.append(member(rng, today, len(members) + 1, relation, ages))
    found: Raw = {
        "as_of": today.isoformat(),
        "region": region,
        "registered_division": rng.choice(DIVISIONS if chance(rng, 0.3) else DIVISIONS[:4]),
        "property": rng.choice(["ok", "ok", "ok", "ok", "not_ok", "unknown"]),
        "members": [one for one in members if possible(one, members[0], today)],
    }
    return found | circumstances(rng, today)


def possible(one: Raw, head: Raw, today: date) -> bool:
    """Whether the ages of head and kin go together."""
    if one["relation"] == "spouse":
        grown = today.replace(year=today.year - 18, day=min(today.day, 28)).isoformat()
        return bool(max(one["birth"], head["birth"]) <= grown)
    if one["relation"] in {"child", "grandchild"}:
        return bool(one["birth"] > head["birth"])
    return one["relation"] != "parent" or bool(one["birth"] < head["birth"])


def circumstances(rng: Random, today: date) -> Raw:
    found: Raw = {}
    if chance(rng, 0.2):
        found["rigid_deduction"] = amount(rng, 500)
    if chance(rng, 0.4):
        found |= enrolment(rng, today)
    if chance(rng, 0.6):
        found["income_12mo"] = rng.choice([54000, 122400, 122399.99, 40000, 20000.01])
        found["rigid_costs_12mo"] = rng.choice([32400, 32400.01, 90000, 12000.01, 1000])
    if chance(rng, 0.4):
        found["expenditure_hardship"] = True
    if chance(rng, 0.2):
        found["emergency"] = {
            "kind": "fire",
            "at": today.isoformat(),
            "place_division": rng.choice(DIVISIONS),
            "basic_life_in_difficulty": chance(rng, 0.7),
        }
    if chance(rng, 0.3):
        found["charity"] = {
            "gap": rng.choice([60000, 100.01]),
            "received": rng.choice([0, 60000, 59999.99, 100]),
            "consent": chance(rng, 0.6),
        }
    return found


def enrolment(rng: Random, today: date) -> Raw:
    dibao: Raw = {"programme": "dibao", "since": "2020-03-01"}
    found: Raw = {"enrolments": [dibao]}
    if chance(rng, 0.3):
        began = today - timedelta(days=rng.randint(0, 300))
        dibao |= {"status": "taper", "taper_first_month": f"{began:%Y-%m}"}
    if chance(rng, 0.8):
        found["income_change"] = rng.choice(["employment", "employment", "inheritance"])
        found["review_decided_on"] = (today - timedelta(days=rng.randint(0, 250))).isoformat()
    return found


class District:
    """Households that live through a year: births, deaths, moves, new incomes, enrolments."""

    def __init__(self, seed: int, size: int, first: date) -> None:
        self.rng = Random(seed)
        self.today = first
        self.households = [household(self.rng, first) for _ in range(size)]

    def live_on(self, today: date) -> None:
        """The next month: every household on that day, a fifth of them changed."""
        self.today = today
        for raw in self.households:
            raw["as_of"] = today.isoformat()
            if chance(self.rng, 0.2):
                self.rng.choice([self._birth, self._death, self._move, self._income, self._enrol])(raw)

    def _birth(self, raw: Raw) -> None:
        name = f"b{self.today:%m}{len(raw['members'])}"
        raw["members"].append({"id": name, "relation": "child", "birth": self.today.isoformat()})

    def _death(self, raw: Raw) -> None:
        self.rng.choice(raw["members"])["whereabouts"] = {"status": "dead", "since": self.today.isoformat()}

    def _move(self, raw: Raw) -> None:
        raw["registered_division"] = self.rng.choice(DIVISIONS)
        raw["region"] = self.rng.choice(["urban", "rural"])

    def _income(self, raw: Raw) -> None:
        self.rng.choice(raw["members"])["incomes"] = incomes(self.rng, self.today)

    def _enrol(self, raw: Raw) -> None:
        for key in ("enrolments", "income_change", "review_decided_on"):
            raw.pop(key, None)
        raw |= enrolment(self.rng, self.today)
