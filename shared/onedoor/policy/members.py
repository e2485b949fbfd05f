"""How sentences speak of a household's members: by their relation to its head, never by name."""

from collections import Counter
from collections.abc import Mapping

from onedoor.policy.household import Household, Relation

TITLES: Mapping[Relation, tuple[str, str]] = {
    "head": ("户主", "head"),
    "spouse": ("配偶", "spouse"),
    "child": ("子女", "child"),
    "parent": ("父母", "parent"),
    "grandparent": ("祖辈", "grandparent"),
    "grandchild": ("孙辈", "grandchild"),
    "sibling": ("兄弟姐妹", "sibling"),
    "other": ("其他成员", "other member"),
}


def titles(household: Household) -> dict[str, tuple[str, str]]:
    """What each member is called, by id, in Chinese and English: numbered where several have one relation."""
    alike = Counter(member.relation for member in household.members)
    met: Counter[Relation] = Counter()
    found = {}
    for member in household.members:
        zh, en = TITLES[member.relation]
        met[member.relation] += 1
        if alike[member.relation] > 1:
            number = met[member.relation]
            zh, en = f"{zh}{number}", f"{en} {number}"
        found[member.id] = zh, en
    return found
