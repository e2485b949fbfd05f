"""Who the rules speak of: persons, the household they live in, and the kin whom a member's claim looks at."""

from openfisca_core.entities import build_entity

Person = build_entity(key="person", plural="persons", label="Person", is_person=True)

Household = build_entity(
    key="household",
    plural="households",
    label="Household",
    roles=[
        {"key": "member", "plural": "members", "label": "Members"},
        {"key": "outsider", "plural": "outsiders", "label": "Kin who do not belong to the household"},
    ],
)

Kinship = build_entity(
    key="kinship",
    plural="kinships",
    label="A member with their parents and their supporters, as the claim names them",
    roles=[
        {"key": "subject", "label": "The member", "max": 1},
        {"key": "parent", "plural": "parents", "label": "Parents", "max": 2},
        {"key": "supporter", "plural": "supporters", "label": "Those who owe support by law"},
    ],
)

ENTITIES = (Person, Household, Kinship)
