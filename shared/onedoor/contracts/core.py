"""The core's words: what every domain module speaks, without any input or output.

`Command` and the present state go into a `Decider`; out come events, or a `Refusal`.
What triage answers (`Plan`) lives in `onedoor.contracts.plan`, the events in `onedoor.contracts.events`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic_core import CoreSchema

NAMESPACE = UUID("5f0d6b0e-2f0a-5d51-9c5b-0ed00e000001")

Classification = Literal["public", "internal", "restricted", "child"]
Urgency = Literal["critical", "urgent", "ordinary"]


class Personal:
    """Marks a field that identifies a person: `name: Annotated[str, PERSONAL]`.

    Masking in logs and the separation of identity from facts are both checked by this mark.
    """

    def __repr__(self) -> str:
        return "PERSONAL"

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """In JSON Schema the mark is `"x-personal": true`."""
        return {**handler(schema), "x-personal": True}


PERSONAL = Personal()


def derived_id(*parts: object) -> UUID:
    """The id of a thing that may exist only once, from what makes it unique (uuid5)."""
    return uuid5(NAMESPACE, "\x1f".join(str(part) for part in parts))


class Actor(BaseModel):
    """Who does something: a member of staff by id, role, department and division, or the system itself."""

    model_config = ConfigDict(frozen=True)

    person: str
    role: str
    department: str | None = None
    division: str | None = None

    def __str__(self) -> str:
        return "/".join((self.role, self.department or "-", self.division or "-", self.person))

    @classmethod
    def parse(cls, text: str) -> "Actor":
        """The inverse of `str(actor)`."""
        role, department, division, person = text.split("/", 3)
        return cls(
            person=person,
            role=role,
            department=None if department == "-" else department,
            division=None if division == "-" else division,
        )


SYSTEM = Actor(person="system", role="system")


M = TypeVar("M", bound=BaseModel)


def trusted(model: type[M], values: dict[str, Any], given: set[str]) -> M:
    """A model of values that are known to fit: not validated, not completed, not copied.

    values: of all fields, which it keeps as they are; given: what becomes its `model_fields_set`. For what
    was validated before: a stored row, a copy with a change, an event about it.
    """
    made = model.__new__(model)
    object.__setattr__(made, "__dict__", values)
    object.__setattr__(made, "__pydantic_fields_set__", given)
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


class Event(BaseModel):
    """A fact that happened to one aggregate. Unknown fields are ignored, so that a newer writer is read.

    Class variables: `type` and `version` name it in the registry; `topics` are the topics it may travel on
    (none: it concerns nobody outside and is never published).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    version: ClassVar[int] = 1
    topics: ClassVar[tuple[str, ...]] = ()

    def topic(self) -> str | None:
        """The topic this very event travels on."""
        return self.topics[0] if self.topics else None

    def key(self) -> str:
        """The Kafka key: the help chain, so that one household's story stays in order."""
        return str(getattr(self, "chain_id", ""))

    def classification(self) -> Classification:
        """How widely the event may be read."""
        return "internal"


class Command(BaseModel):
    """A wish, addressed to one aggregate of one kind."""

    model_config = ConfigDict(frozen=True)

    target: UUID


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command was not done. An outcome, not an error.

    code: stable, `word.word`; reason and reason_zh: one sentence each that tells what to do next;
    field: the field of the request that is at fault, if one is; of: the field of what is stored that stands
    against the wish, where no other request would be taken either.
    """

    code: str
    reason: str
    reason_zh: str
    field: str | None = None
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a decision may know besides state and command: who asks, and the business time (aware)."""

    actor: Actor
    now: datetime


S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Decider(Generic[S]):
    """One kind of aggregate: its name, its empty state, how it decides and how events fold into state.

    `internal` are its events that concern nobody outside: they have no topic and stand in no registry.
    `fold` is the fold's own version: raise it when `evolve` or the state's shape changes, and `migrate`
    folds every stored aggregate anew.
    """

    name: str
    state: type[S]
    initial: Callable[[], S]
    decide: "Callable[[S, Any, Context], Sequence[Event] | Refusal]"
    evolve: Callable[[S, Event], S]
    commands: tuple[type[Command], ...]
    internal: tuple[type[Event], ...] = ()
    fold: int = 1


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with the circumstances of its happening; on Kafka these are the CloudEvents attributes.

    id: the event's; source: the service; subject: the aggregate's id; time: business time, aware;
    key: Kafka key; cause: the event that led to this one; actor: who did it.
    """

    id: UUID
    source: str
    subject: UUID
    time: datetime
    key: str
    data: Event
    classification: Classification = "internal"
    actor: Actor = field(default=SYSTEM)
    cause: UUID | None = None
    traceparent: str | None = None

    @property
    def type(self) -> str:
        return self.data.type

    @property
    def version(self) -> int:
        return self.data.version
