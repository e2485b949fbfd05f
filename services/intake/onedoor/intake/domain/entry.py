"""The rules of entering: what time of receipt is believed, and what of a report is marked, not refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from onedoor.intake.domain import id_number
from onedoor.triage import ApplicationForm, FieldMark

LATE_AFTER = timedelta(hours=1)
CLOCKS_APART = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Times:
    """When it was received, whether that was long ago, and what was not believed."""

    received_at: datetime
    late_entry: bool = False
    mark: FieldMark | None = None


FUTURE = FieldMark(
    field="received_at",
    problem="lies in the future",
    problem_zh="时间在将来",
    remedy="Leave it out: the time of entry is taken.",
    remedy_zh="可不填，系统按登记时间计。",
)
LONG_PAST = FieldMark(
    field="received_at",
    problem="lies more than an hour back",
    problem_zh="早于一小时之前",
    remedy="Give late_entry_reason, or leave received_at out.",
    remedy_zh="请填写补录原因 late_entry_reason，或不填 received_at。",
)


def times(told: datetime | None, now: datetime, believed: bool, reason: str | None) -> Times:
    """When the application counts as received.

    The future is refused; more than an hour past needs the import permission (`believed`) or a reason, and is
    a late entry. What is not believed comes back as a mark with now: it is refused, except for a report of
    danger, whose clocks must run.
    """
    if told is None or timedelta() <= told - now <= CLOCKS_APART:
        return Times(now)
    if told > now:
        return Times(now, mark=FUTURE)
    if now - told <= LATE_AFTER:
        return Times(told)
    return Times(told, late_entry=True) if believed or reason else Times(now, mark=LONG_PAST)


def number_marks(form: ApplicationForm) -> tuple[FieldMark, ...]:
    """A mark for each identity number that cannot be right. The number is kept as it was told."""
    people = [("subjects", place, each.id_number) for place, each in enumerate(form.subjects)]
    people += [("household.members", place, each.id_number) for place, each in
               enumerate(form.household.members)]  # fmt: skip
    return tuple(
        _wrong_number(f"{where}[{place}].id_number")
        for where, place, number in people
        if number and not id_number.read(number).valid
    )


def _wrong_number(field: str) -> FieldMark:
    return FieldMark(
        field=field,
        problem="is not a valid resident identity number",
        problem_zh="身份证号码校验不通过",
        remedy="Ask again and compare with the card; the number is kept as told.",
        remedy_zh="请与证件核对；号码已按所述保留。",
    )


def with_births(form: ApplicationForm) -> ApplicationForm:
    """Where neither age nor birth was told, a valid identity number tells the birth."""
    subjects = []
    for subject in form.subjects:
        number = id_number.read(subject.id_number) if subject.id_number else None
        if number is not None and subject.birth is None:
            subject = subject.model_copy(update={"birth": number.birth})
        subjects.append(subject)
    return form.model_copy(update={"subjects": tuple(subjects)})
