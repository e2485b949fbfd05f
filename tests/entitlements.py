"""An oracle of entitlements: the regulations again, in plain Python with exact fractions, for one household.

It shares no code with the product's rules, reads the household as the file says it (yuan), and answers
{(programme, member): (outcome, fen or None)}. Only tests use it.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

Raw = Mapping[str, Any]
Answer = tuple[str, int | None]
NOTHING: Answer = ("not_eligible", None)
Table = Mapping[str, list[tuple[date, Fraction | None]]]

EXCEPT_DIBAO = {
    "preferential_pension",
    "family_planning_reward",
    "scholarship",
    "social_assistance",
    "disability_allowance",
}
EXCEPT_TEKUN = {"basic_pension_floor", "social_insurance", "preferential_pension", "old_age_allowance"}
ENDS_TEKUN = {"dead", "declared_missing", "prison"}
AWAY = {"prison", "forced_detox", "declared_missing", "dead"}
UNDERGRADUATE = {"compulsory", "senior_secondary", "vocational_secondary", "junior_college", "undergraduate"}


def money(value: Any) -> Fraction:
    return Fraction(str(value))


def half_up(yuan: Fraction) -> int:
    """Fen."""
    return int(yuan * 100 + Fraction(1, 2))


class Oracle:
    """The entitlements of one household on its day, by a table {parameter: [(from, yuan or number)]}."""

    def __init__(self, raw: Raw, table: Table) -> None:
        self.raw = raw
        self.table = table
        self.day = date.fromisoformat(raw["as_of"])
        self.members = raw["members"]
        self.counted = [member for member in self.members if self.counts(member)]
        self.s = self.figure(f"dibao_standard.{raw['region']}")
        incomes = sum((self.income(member) for member in self.counted), Fraction())
        costs = sum((money(member.get("work_costs", 0)) for member in self.counted), Fraction())
        self.total = max(incomes - costs - money(raw.get("rigid_deduction", 0)), Fraction())
        self.here = raw["registered_division"].startswith("50")
        self.property = raw.get("property", "ok")

    def figure(self, name: str) -> Fraction | None:
        values = [value for since, value in self.table[name] if since <= self.day]
        return values[-1] if values else None

    def age(self, born: str) -> int:
        birth = date.fromisoformat(born)
        return self.day.year - birth.year - ((self.day.month, self.day.day) < (birth.month, birth.day))

    def counts(self, member: Raw) -> bool:
        if self.whereabouts(member) in AWAY:
            return False
        relation = member["relation"]
        if relation == "child":
            young = self.age(member["birth"]) < 18 or member.get("student", "none") in UNDERGRADUATE
            return young or member.get("independent") is False
        return relation in {"head", "spouse"} or member.get("dependant") is True

    def income(self, member: Raw, excepted: set[str] | None = None) -> Fraction:
        if excepted is None:
            excepted = EXCEPT_DIBAO | (
                {"basic_pension_floor"} if date(2021, 1, 1) <= self.day < date(2026, 1, 1) else set()
            )
        return sum(
            (
                money(one["amount"]) / (12 if one["per"] == "year" else 1)
                for one in member.get("incomes", [])
                if one["kind"] not in excepted
            ),
            Fraction(),
        )

    def below(self, factor: Fraction) -> bool:
        """Whether income per head is below a multiple of the standard."""
        assert self.s is not None
        return self.total < factor * self.s * len(self.counted)

    def on_dibao(self) -> Raw | None:
        return next((one for one in self.raw.get("enrolments", []) if one["programme"] == "dibao"), None)

    def taper_over(self) -> bool:
        enrolment = self.on_dibao()
        assert enrolment is not None
        if enrolment.get("status") == "taper":
            year, month = map(int, enrolment["taper_first_month"].split("-"))
        else:
            decided = date.fromisoformat(self.raw["review_decided_on"])
            year, month = decided.year, decided.month + 1
        after = year * 12 + month - 1 + 6
        return self.day >= date(after // 12, after % 12 + 1, 1)

    def dibao(self) -> Answer:
        assert self.s is not None
        if not self.here or self.property == "not_ok":
            return "not_eligible", None
        if self.below(Fraction(1)):
            if self.property == "unknown":
                return "needs_check", None
            return "eligible", half_up(self.s * len(self.counted) - self.total)
        enrolment = self.on_dibao()
        by_work = self.raw.get("income_change") == "employment" or (enrolment or {}).get("status") == "taper"
        if enrolment and by_work and self.below(Fraction(2)) and not self.taper_over():
            return "taper", None
        return "not_eligible", None

    def by_property(self, fits: bool) -> str:
        if not fits or self.property == "not_ok":
            return "not_eligible"
        return "eligible" if self.property == "ok" else "needs_check"

    def edge(self) -> str:
        fits = self.here and not self.below(Fraction(1)) and self.below(Fraction(3, 2))
        return self.by_property(fits and self.dibao()[0] != "taper")

    def rigid(self) -> str:
        average, ratio = self.figure("last_year_disposable_income"), self.figure("rigid_ratio")
        income, costs = self.raw.get("income_12mo"), self.raw.get("rigid_costs_12mo")
        fits = (
            self.here
            and self.dibao()[0] not in {"eligible", "taper"}
            and not self.below(Fraction(3, 2))
            and not any(
                one["programme"] == "tekun" for member in self.members for one in member.get("enrolments", [])
            )
            and income is not None
            and costs is not None
        )
        if not fits:
            return "not_eligible"
        known = True
        if average is None:
            known = False
        elif money(income) >= average * 12 * len(self.counted):
            return "not_eligible"
        if ratio is None:
            known = False
        elif money(costs) <= ratio * money(income):
            return "not_eligible"
        found = self.by_property(True)
        return "needs_check" if found == "eligible" and not known else found

    def charity(self) -> Answer:
        charity = self.raw.get("charity")
        left = money(charity["gap"]) - money(charity.get("received", 0)) if charity else Fraction()
        if left <= 0 or charity is None:
            return "not_eligible", None
        return ("eligible", half_up(left)) if charity.get("consent") else ("needs_check", None)

    def small_aid(self) -> str:
        emergency = self.raw.get("emergency") or {}
        here = emergency.get("place_division", "").startswith("50")
        return "eligible" if here and emergency.get("basic_life_in_difficulty") else "not_eligible"

    def spending_aid(self) -> str:
        found = {self.edge(), self.rigid()} if self.raw.get("expenditure_hardship") else set()
        return next((one for one in ("eligible", "needs_check") if one in found), "not_eligible")

    def grave(self, disability: Raw | None) -> bool:
        if not disability:
            return False
        level = disability["level"]
        return level <= 2 or (level == 3 and disability["type"] in {"intellectual", "mental"})

    def single(self, member: Raw) -> Answer:
        assert self.s is not None
        own = self.income(member)
        fits = (
            member in self.counted
            and (self.grave(member.get("disability")) or member.get("major_illness", False))
            and own < self.s
        )
        edge = self.edge()
        if not fits or edge == "not_eligible":
            return "not_eligible", None
        return (edge, half_up(self.s - own)) if edge == "eligible" else (edge, None)

    def unable_supporter(self, supporter: Raw) -> bool | None:
        """None where it cannot be known."""
        age, poor_property = self.age(supporter["birth"]), supporter.get("property") == "low_income"
        if supporter.get("tekun") or (age >= 60 and supporter.get("on_dibao")):
            return True
        if not poor_property:
            return False
        if supporter.get("civil_capacity") == "none":
            return True
        if supporter.get("status", "present") in {"prison", "declared_missing"}:
            return True
        if age < 70 and not self.grave(supporter.get("disability")):
            return False
        average, income = self.figure("last_year_disposable_income"), supporter.get("income")
        return None if average is None or income is None else money(income) < average

    def whereabouts(self, member: Raw) -> str:
        return str(member.get("whereabouts", {}).get("status", "home"))

    def tekun(self, member: Raw) -> Answer:
        assert self.s is not None
        if self.whereabouts(member) in ENDS_TEKUN:
            return "not_eligible", None
        age, disability, student = self.age(member["birth"]), member.get("disability"), member.get("student")
        enrolled = any(one["programme"] == "tekun" for one in member.get("enrolments", []))
        kind, level = (disability["type"], disability["level"]) if disability else ("", 9)
        unable = (
            age >= 60
            or age < 16
            or (kind in {"intellectual", "mental"} and level <= 3)
            or (kind == "physical" and level <= 2)
            or (kind == "visual" and level == 1)
            or (enrolled and age < 18)
            or (enrolled and student in {"compulsory", "senior_secondary", "vocational_secondary"})
        )
        own = self.income(member, EXCEPT_TEKUN)
        supporters = [self.unable_supporter(one) for one in member["supporters"]]
        if member.get("choice") or not unable or own >= self.s or False in supporters:
            return "not_eligible", None
        found = self.by_property(True)
        if found == "eligible" and None in supporters:
            return "needs_check", None
        basic = self.figure("tekun_basic")
        amount = half_up(basic) if found == "eligible" and own == 0 and basic is not None else None
        return found, amount

    def parent(self, parent: Raw) -> str:
        """gone, unable, pending or able."""
        status, disability = parent["status"], parent.get("disability")
        if status in {"dead", "declared_missing"}:
            return "gone"
        if disability and (disability["level"] <= 2 or disability["type"] in {"intellectual", "mental"}):
            return "unable"
        if parent.get("serious_illness_listed") or status in {"guardianship_revoked", "deported"}:
            return "unable"
        if status in {"prison", "forced_detox", "detention"}:
            since = date.fromisoformat(parent["since"]) if parent.get("since") else None
            long = parent.get("term_months", 0) >= 6 or (since and self.day > six_months_after(since))
            return "unable" if long else "able"
        if status == "lost_contact" and parent.get("police_slip") == "not_found":
            return "unable"
        if status == "lost_contact" and parent.get("police_report_on") and not parent.get("police_slip"):
            return "pending"
        return "able"

    def unattended(self, member: Raw) -> Answer:
        at_school = member.get("student") in {"senior_secondary", "vocational_secondary"}
        parents = sorted(self.parent(one) for one in member.get("parents", []))
        if not self.here or not parents or not (self.age(member["birth"]) < 18 or at_school):
            return "not_eligible", None
        if "able" in parents or parents == ["gone", "gone"]:
            return "not_eligible", None
        if "pending" in parents:
            return "needs_check", None
        rate = self.figure("unattended_child")
        paid = sum((money(one) for one in member.get("already_paid", {}).values()), Fraction())
        return "eligible", None if rate is None else half_up(max(rate - paid, Fraction()))

    def orphan(self, member: Raw) -> Answer:
        statuses = {one["status"] for one in member.get("parents", [])}
        if self.age(member["birth"]) >= 18 or statuses not in ({"dead"}, {"untraceable"}):
            return "not_eligible", None
        placement = member.get("placement")
        rate = self.figure(f"orphan.{placement}") if placement else None
        return "eligible", None if rate is None else half_up(rate)

    def living(self, member: Raw) -> Answer:
        full = any(
            one["programme"] == "unattended_child" and one.get("payment") == "full"
            for one in member.get("enrolments", [])
        )
        if not member.get("disability") or full:
            return "not_eligible", None
        sources = {self.single(member)[0]} | ({self.dibao()[0]} if member in self.counted else set())
        if "eligible" in sources:
            rate = self.figure("disability_living")
            return "eligible", None if rate is None else half_up(rate)
        return ("needs_check" if "needs_check" in sources else "not_eligible"), None

    def nursing(self, member: Raw) -> Answer:
        level = (member.get("disability") or {}).get("level", 9)
        if level > 2:
            return "not_eligible", None
        rate = self.figure(f"disability_nursing.{level}")
        return "eligible", None if rate is None else half_up(rate)

    def answers(self) -> dict[tuple[str, str | None], Answer]:
        """Every programme's answer."""
        found: dict[tuple[str, str | None], Answer] = {
            ("dibao", None): self.dibao(),
            ("dibao_edge", None): (self.edge(), None),
            ("rigid_expenditure", None): (self.rigid(), None),
            ("temporary_small", None): (self.small_aid(), None),
            ("temporary_expenditure", None): (self.spending_aid(), None),
            ("charity_need", None): self.charity(),
        }
        for member in self.members:
            name = member["id"]
            found["single_person", name] = self.single(member)
            if "supporters" in member:
                found["tekun", name] = self.tekun(member)
            dead = self.whereabouts(member) == "dead"
            found["unattended_child", name] = NOTHING if dead else self.unattended(member)
            found["orphan", name] = NOTHING if dead else self.orphan(member)
            found["disability_living", name] = self.living(member)
            found["disability_nursing", name] = NOTHING if dead else self.nursing(member)
        return found


def six_months_after(day: date) -> date:
    """The day of the same number six months later, or that month's last."""
    after = day.year * 12 + day.month - 1 + 6
    year, month = after // 12, after % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return min(date(year, month, 1) + timedelta(days=day.day - 1), following - timedelta(days=1))


def table_of(rows: list[dict[str, Any]]) -> dict[str, list[tuple[date, Fraction | None]]]:
    """The oracle's table from rows written as in the parameter files."""
    return {
        row["id"]: sorted(
            (
                date.fromisoformat(value["from"]),
                None if value["value"] is None else Fraction(str(value["value"])),
            )
            for value in row["values"]
        )
        for row in rows
        if row["unit"] != "flag"
    }
