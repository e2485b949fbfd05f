"""Invented applications of five people each, about 1,400 bytes, no two alike."""

import json
import random
from typing import Any

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
FACTS = (
    "家中主要劳动力近期住院，收入中断，两名学龄儿童由祖母照看，房屋漏雨，冬季取暖有困难，"
    "社区已上门核实一次，希望尽快得到临时救助并了解助学政策。"
)


def _number(rng: random.Random) -> str:
    """An identity number that passes its check digit and belongs to nobody we know of."""
    day = f"{rng.randint(1950, 2015)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    seventeen = f"500112{day}{rng.randint(0, 999):03}"
    rest = sum(int(digit) * weight for digit, weight in zip(seventeen, _WEIGHTS, strict=True)) % 11
    return seventeen + "10X98765432"[rest]


def form(rng: random.Random) -> bytes:
    """One request for help."""
    people: list[dict[str, Any]] = []
    for number in range(1, 6):
        id_number = _number(rng)
        age = max(2026 - int(id_number[6:10]), 1)
        people.append({"id": f"s{number}", "name": f"示例{number}", "id_number": id_number, "age": age})
    body = {
        "channel": "window",
        "place": {"division": "500112004", "address": f"示例路 {rng.randint(1, 10**9)} 号"},
        "registered_division": "500112004",
        "household": {"size": 5, "address": f"示例路 {rng.randint(1, 10**9)} 号"},
        "caller": {"role": "self", "name": "示例", "phone": "13800000000"},
        "consent": {"financial_check": True},
        "needs": ["income", "education_cost"],
        "facts_text": FACTS * 2,
        "subjects": people,
    }
    return json.dumps(body, ensure_ascii=False).encode()
