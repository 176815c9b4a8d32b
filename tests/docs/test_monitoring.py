"""docs/monitoring, the dashboard and the alerts use only metrics that exist."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.docs.reader import ROOT, Reader
from tests.syntax_trees import nodes_of, parse
from vertexkit.telemetry.counters import Counter, Histogram
from vertexkit.telemetry.metrics import MAX_FAILURE_CODES, Metrics, ProcessState
from vertexkit.telemetry.prometheus import render

PAGES = ["monitoring.md", "monitoring.ru.md"]
ROW = re.compile(r"^\| `(vertexkit_\w+)` \|([\w, ]*)\| .+ \|$", re.MULTILINE)
EVENT_ROW = re.compile(
    r"^\| `([a-z_]+)` \| (?:debug|info|warning|error|critical)[a-z, ]* \|", re.MULTILINE
)
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
EMIT = {"emit", "_emit"}
LOGS = re.compile(rf"\.(?:{'|'.join(LEVELS | EMIT)})\(")
NAME = re.compile(r"\b(?:vertexkit|process)_[a-z_]+")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
SUFFIXES = ("_bucket", "_count", "_sum")


def exported() -> dict[str, set[str]]:
    """Return each metric, under the name that Prometheus uses, with its labels."""
    metrics = Metrics(lambda: ProcessState(running={"b": 1}, waiting_for_limits={"b": 1}))
    holders = [metrics.commits, metrics]
    labelled = {
        metric.name: set(metric.labels)
        for holder in holders
        for metric in vars(holder).values()
        if isinstance(metric, (Counter, Histogram))
    }
    found = {}
    for family in text_string_to_metric_families(render(metrics.snapshot()).decode()):
        if family.name.startswith("vertexkit_"):
            labels = {key for sample in family.samples for key in sample.labels} - {"le"}
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found[name] = labelled.get(family.name, labels)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Return the queries of the dashboard, the alerts and the pages, each with its place."""
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
    """Return the alert rules."""
    [group] = yaml.safe_load((ROOT / "ops/alerts.yml").read_text(encoding="utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_is_listed_with_its_labels(page: str) -> None:
    """The table has every metric that `GET /metrics` exports, and no others."""
    rows = ROW.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    listed = {name: set(filter(None, labels.strip().split(", "))) for name, labels in rows}
    assert listed == exported()
    assert str(MAX_FAILURE_CODES) in (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_every_query_uses_existing_metrics() -> None:
    """Dashboard, alerts and pages query existing metrics and labels, and all of them."""
    known = exported()
    queried = set()
    for place, expression in expressions():
        for found in NAME.findall(re.sub(r"\{[^}]*\}", "", expression)):
            name = found
            for suffix in SUFFIXES:
                if found.removesuffix(suffix) in known:
                    name = found.removesuffix(suffix)
            queried.add(name)
            assert name in known or name.startswith("process_"), (place, found)
        labels = {label for metric in queried for label in known.get(metric, ())}
        for label, _ in MATCHER.findall(expression):
            assert label in labels | {"job", "instance"}, (place, label)
    assert queried >= known.keys() - {"vertexkit_info"}


def test_every_alert_says_what_to_do() -> None:
    """Each alert has a severity, a summary and a description; the page lists the critical ones."""
    urgent = set()
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"].keys() == {"summary", "description"}
        if rule["labels"]["severity"] == "critical":
            urgent.add(rule["alert"])
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert set(re.findall(r"^\| `(Vertexkit\w+)`", text, re.MULTILINE)) == urgent


def test_counters_of_alerts_start_at_zero() -> None:
    """Counters that alerts watch are exported with 0 from the start, so that 1 is an increase."""
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
def test_its_block_runs(reader: Reader, page: str) -> None:
    """The block that registers a metric of its own runs."""
    reader.follow(ROOT / "docs" / page)
    output = reader.run_in(reader.folder, "vertexkit trigger counted:app -i amount=5 --fast --json")
    assert "true" in output


@cache
def logged() -> frozenset[str]:
    """Return the name of each event that vertexkit logs."""
    return frozenset(_logged())


def _logged() -> Iterator[str]:
    for path in sorted((ROOT / "vertexkit").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        # The playground reports to its page; most of the other files log nothing.
        if path.parent.name == "playground" or LOGS.search(text) is None:
            continue
        for node in nodes_of(parse(path)):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=target, attr=method),
                    args=[ast.Constant(value=str(name)), *_],
                ) if method in EMIT or (method in LEVELS and ast.unparse(target) == "log"):
                    yield name


@pytest.mark.parametrize("page", PAGES)
def test_every_log_event_is_listed(page: str) -> None:
    """The table of events has every event that the source names, and no others."""
    listed = EVENT_ROW.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(logged())
