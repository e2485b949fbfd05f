"""FastAPI and nothing else: read the form into a model, answer. The house's null route has the same model."""

import uvicorn
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, Field

from tests.bench.meter import asked

router = APIRouter()


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Place(Part):
    division: str = Field(pattern=r"^[0-9]{6,12}$")
    address: str


class Household(Part):
    size: int
    address: str


class Caller(Part):
    role: str
    name: str
    phone: str = Field(pattern=r"^1[3-9]\d{9}$")


class Consent(Part):
    financial_check: bool


class Person(Part):
    id: str
    name: str
    id_number: str = Field(pattern=r"^\d{17}[\dX]$")
    age: int = Field(ge=0, le=150)


class Form(Part):
    channel: str
    place: Place
    registered_division: str = Field(pattern=r"^[0-9]{6,12}$")
    household: Household
    caller: Caller
    consent: Consent
    needs: list[str]
    facts_text: str = Field(max_length=20_000)
    subjects: list[Person]


class Receipt(BaseModel):
    receipt: str
    people: int


@router.post("/null", status_code=201)
async def null(form: Form) -> Receipt:
    return Receipt(receipt="QZ-20260303-ABCDEF-7", people=len(form.subjects))


if __name__ == "__main__":
    app = FastAPI()
    app.include_router(router)
    uvicorn.run(app, port=asked()["port"], loop="uvloop", http="httptools", log_config=None, access_log=False)
