"""The metrics' document and their catalogue are the same."""

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

from onedoor.runtime.metrics import Metrics

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
HEAD = ["metric", "type", "labels", "unit", "what it says", "when it is wrong"]


def documented() -> list[list[str]]:
    """The rows of the document's tables."""
    lines = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in rows if row != HEAD and set(row[0]) != {"-"}]


def catalogue() -> dict[str, tuple[str, str]]:
    """Type and labels of every metric, by its name as Prometheus shows it."""
    found = {}
    for metric in vars_of(Metrics()):
        name = metric._name + ("_total" if metric._type == "counter" else "")
        found[name] = (str(metric._type), ", ".join(metric._labelnames))
    return found


def vars_of(metrics: Metrics) -> list[MetricWrapperBase]:
    values = [getattr(metrics, name) for name in Metrics.__slots__]
    return [value for value in values if isinstance(value, MetricWrapperBase)]


def test_the_document_and_the_catalogue_are_the_same() -> None:
    rows = documented()
    assert {row[0].strip("`"): (row[1], row[2]) for row in rows} == catalogue()
    assert len(rows) == len(catalogue())


def test_every_metric_of_the_registry_is_in_the_catalogue() -> None:
    metrics = Metrics()
    assert len(list(metrics.registry.collect())) == len(vars_of(metrics)) == len(catalogue())


def test_every_row_says_its_unit_what_it_means_and_what_to_do() -> None:
    assert [row[0] for row in documented() if len(row) != 6 or not all((row[1], *row[3:]))] == []


def test_a_name_ends_in_its_unit_where_that_is_seconds() -> None:
    for row in documented():
        assert (row[3] == "seconds") == row[0].strip("`").endswith("_seconds"), row[0]
        assert re.fullmatch(r"`onedoor_[a-z_]+`", row[0])
