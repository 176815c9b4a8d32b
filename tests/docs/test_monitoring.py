"""The page of monitoring, the dashboard and the alerts: they speak of figures that are there."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.conftest import ROOT, Reader
from vertexkit.telemetry.counters import Counter, Histogram
from vertexkit.telemetry.metrics import MAX_FAILURE_CODES, Metrics, ProcessState
from vertexkit.telemetry.prometheus import render

PAGES = ["monitoring.md", "monitoring.ru.md"]
ROW = re.compile(r"^\| `(vertexkit_\w+)` \|([\w, ]*)\| .+ \|$", re.MULTILINE)
NAME = re.compile(r"\b(?:vertexkit|process)_[a-z_]+")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
SUFFIXES = ("_bucket", "_count", "_sum")


def exported() -> dict[str, set[str]]:
    """Each figure, as Prometheus names it, with its labels."""
    metrics = Metrics(lambda: ProcessState(running={"b": 1}))
    known = [metrics.commits, metrics]
    labelled = {
        each.name: set(each.labels)
        for holder in known
        for each in vars(holder).values()
        if isinstance(each, Counter | Histogram)
    }
    found = {}
    for family in text_string_to_metric_families(render(metrics.snapshot()).decode()):
        if family.name.startswith("vertexkit_"):
            labels = {key for sample in family.samples for key in sample.labels} - {"le"}
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = labelled.get(family.name, labels)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """What the dashboard and the alerts ask Prometheus for, each with its place."""
    dashboard = json.loads((ROOT / "ops/grafana.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    for rule in alerts():
        yield rule["alert"], rule["expr"]
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        for fence in re.findall(r"```promql\n(.*?)```", text, re.DOTALL):
            yield from ((page, line) for line in fence.splitlines())


def alerts() -> list[dict[str, Any]]:
    """The rules."""
    [group] = yaml.safe_load((ROOT / "ops/alerts.yml").read_text(encoding="utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize("page", PAGES)
def test_every_figure_is_listed_with_its_labels(page: str) -> None:
    """The table has each figure that `GET /metrics` shows, and none that is not there."""
    rows = ROW.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    listed = {name: set(filter(None, labels.strip().split(", "))) for name, labels in rows}
    assert listed == exported()
    assert str(MAX_FAILURE_CODES) in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_what_is_asked_for_is_there() -> None:
    """Dashboard, alerts and page ask for figures, labels and values that can come."""
    known = exported()
    asked = set()
    for place, expression in expressions():
        for found in NAME.findall(re.sub(r"\{[^}]*\}", "", expression)):
            name = found
            for suffix in SUFFIXES:
                if found.removesuffix(suffix) in known:
                    name = found.removesuffix(suffix)
            asked.add(name)
            assert name in known or name.startswith("process_"), (place, found)
        labels = {label for each in asked for label in known.get(each, ())}
        for label, _ in MATCHER.findall(expression):
            assert label in labels | {"job", "instance"}, (place, label)
    assert asked >= known.keys() - {"vertexkit_info"}


def test_every_alert_says_what_to_do() -> None:
    """Each has a severity, a summary and a description; the page names those that wake somebody."""
    urgent = set()
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"].keys() == {"summary", "description"}
        if rule["labels"]["severity"] == "critical":
            urgent.add(rule["alert"])
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert set(re.findall(r"^\| `(Vertexkit\w+)`", text, re.MULTILINE)) == urgent


def test_an_alert_sees_the_first_of_its_kind() -> None:
    """What alerts count is shown with a 0 from the start on, so that the first one is a rise."""
    metrics = Metrics()
    metrics.declare_blocks(["talk"])
    text = render(metrics.snapshot()).decode()
    for start in (
        'vertexkit_calls_total{answer="queue_full",block="talk"}',
        'vertexkit_calls_total{answer="journal_unavailable",block="talk"}',
        'vertexkit_executions_settled_total{block="talk",code="unreachable",outcome="parked"}',
        'vertexkit_messages_total{block="talk",outcome="unknown"}',
        'vertexkit_loop_blocked_total{block="talk"}',
        "vertexkit_journal_commit_failures_total",
    ):
        assert f"{start} 0.0" in text


@pytest.mark.parametrize("page", PAGES)
def test_its_block_can_be_counted(reader: Reader, page: str) -> None:
    """The block that keeps a figure of its own does its work."""
    reader.follow(ROOT / "docs" / page)
    said = reader.run_in(reader.folder, "vertexkit trigger counted:app -i amount=5 --fast --json")
    assert "true" in said
