"""deploy/: the files match their published schemas, the settings, and the grace period."""

import os
import re
import subprocess
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests import forked
from tests.tools import TOOLS, reason
from vertexkit.cli.serve.server import seconds_to_stop
from vertexkit.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(
    path for path in DEPLOY.rglob("*") if path.is_file() and path.parent.name != "secrets"
)
SETTING = re.compile(r"VERTEXKIT_[A-Z_]*[A-Z]")
MANIFESTS = sorted(
    path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml"
)
HANDLERS = Settings.of().handlers
GRACE_SECONDS = HANDLERS.grace


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def resources() -> list[dict[str, Any]]:
    """Return every Kubernetes resource."""
    texts = (path.read_text(encoding="utf-8") for path in MANIFESTS)
    return [one for text in texts for one in yaml.safe_load_all(text)]


def resource(kind: str, name: str = "vertexkit") -> dict[str, Any]:
    [found] = [
        one for one in resources() if one["kind"] == kind and one["metadata"]["name"] == name
    ]
    return found


@cache
def compose() -> dict[str, Any]:
    document: Any = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("path", MANIFESTS, ids=relative)
def test_a_kubernetes_manifest_matches_its_schema(path: Path) -> None:
    """Each resource is valid by the strict schema of the newest Kubernetes that is known."""
    for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


def test_the_kustomization_lists_every_manifest() -> None:
    """`kubectl apply --kustomize` applies all of them."""
    text = (DEPLOY / "kubernetes/kustomization.yaml").read_text(encoding="utf-8")
    assert sorted(yaml.safe_load(text)["resources"]) == [path.name for path in MANIFESTS]


def test_the_compose_file_matches_its_schema() -> None:
    """The file is valid by the published schema of the Compose specification."""
    checked = forked.run(
        "check_jsonschema",
        ["--builtin-schema", "vendor.compose-spec", "compose.yaml"],
        folder=DEPLOY,
        environment=os.environ,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_every_setting_exists(path: Path) -> None:
    """A name that starts with VERTEXKIT_ is a setting."""
    known = SETTING.findall((ROOT / "docs/settings.md").read_text(encoding="utf-8"))
    assert set(SETTING.findall(path.read_text(encoding="utf-8"))) <= set(known)


def test_every_orchestrator_waits_longer_than_the_grace_period() -> None:
    """Nothing is killed while handlers finish and what is left is written, and the pages say so."""
    needed = seconds_to_stop(HANDLERS)
    for name in ("service-1", "service-2"):
        service = compose()["services"][name]
        assert float(service["environment"]["VERTEXKIT_GRACE"]) == GRACE_SECONDS
        assert float(service["stop_grace_period"].removesuffix("s")) >= needed
    pod = resource("Deployment")["spec"]["template"]["spec"]
    [container] = pod["containers"]
    waiting = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert float(environment["VERTEXKIT_GRACE"]) == GRACE_SECONDS
    assert pod["terminationGracePeriodSeconds"] >= waiting + needed
    unit = (DEPLOY / "systemd/vertexkit.service").read_text(encoding="utf-8")
    [stop] = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert float(stop) >= needed
    for page, sentence in {
        "deployment.md": f"{stop} seconds for the default of {GRACE_SECONDS:g}",
        "deployment.ru.md": f"{stop} секунд при значении по умолчанию {GRACE_SECONDS:g}",
    }.items():
        assert sentence in " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())


def test_probes_ask_the_operators_port_for_what_they_mean() -> None:
    """The liveness probe asks whether the process is alive, the readiness probe whether it accepts."""
    [container] = resource("Deployment")["spec"]["template"]["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    environment = {one["name"]: one["value"] for one in container["env"]}
    assert ports["ops"] == int(environment["VERTEXKIT_OPS_PORT"])
    asked = {
        probe: (container[probe]["httpGet"]["path"], container[probe]["httpGet"]["port"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == {
        "startupProbe": ("/healthz", "ops"),
        "livenessProbe": ("/healthz", "ops"),
        "readinessProbe": ("/readyz", "ops"),
    }


def test_selectors_find_the_pods() -> None:
    """Every selector matches the labels of the Deployment's pods."""
    labels = resource("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert resource("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert resource("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert resource("Service")["spec"]["selector"] == labels
    assert resource("Service", "vertexkit-ops")["spec"]["selector"] == labels


def test_the_containers_cannot_change_their_file_system() -> None:
    """Every container of vertexkit is read-only, unprivileged and has no capabilities."""
    for kind, name in (("Deployment", "vertexkit"), ("Job", "vertexkit-migrate")):
        pod = resource(kind, name)["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        [container] = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    for name in ("service-1", "service-2"):
        service = compose()["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_secrets_are_files_and_not_variables() -> None:
    """A secret is mounted in /run/secrets, is in no environment, and never in the repository."""
    secret = {"VERTEXKIT_JOURNAL", "VERTEXKIT_URL_SECRETS"}
    services = compose()["services"]
    for name in ("service-1", "service-2"):
        assert secret == set(services[name]["secrets"])
        assert not secret & set(services[name]["environment"])
    [container] = resource("Deployment")["spec"]["template"]["spec"]["containers"]
    assert not secret & {one["name"] for one in container["env"]}
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


@pytest.mark.skipif(TOOLS["systemd"].path is None, reason=reason("systemd"))
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """systemd finds no mistake in the unit, and rates its exposure as low."""
    unit = tmp_path / "vertexkit.service"
    text = (DEPLOY / "systemd/vertexkit.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/vertexkit/bin/vertexkit", "/bin/true"), encoding="utf-8")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout
    security = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert security.returncode == 0, security.stdout[-400:]


def test_the_pages_name_the_times_of_the_files() -> None:
    """Both pages show the times in the order in which they must grow."""
    pod = resource("Deployment")["spec"]["template"]["spec"]
    stop = compose()["services"]["service-1"]["stop_grace_period"].removesuffix("s")
    times = [GRACE_SECONDS, float(stop), pod["terminationGracePeriodSeconds"]]
    for page in ("deployment.md", "deployment.ru.md"):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert all(f"{time:.0f}" in text for time in times)
        assert all(first < second for first, second in pairwise(times))
