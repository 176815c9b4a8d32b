"""The image without a container engine: its Dockerfile's steps, carried out in a Debian root."""

import os
import shlex
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from tests.image.dockerfile import ROOT, Stage
from tests.surroundings import PROXIES

BUILD_SECONDS = 1800
DEBIAN = "trixie"
"""The Debian whose Python is 3.13, as that of the image."""
PACKAGES = "python3,python3-venv,ca-certificates"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


def can_replay() -> str:
    """Return why the image cannot be replayed here; empty if it can."""
    if os.geteuid() != 0:
        return "only root can enter another root file system"
    missing = [name for name in ("mmdebstrap", "unshare", "chroot") if shutil.which(name) is None]
    return (
        f"not installed: {', '.join(missing)} (Debian and Ubuntu: apt install mmdebstrap util-linux)"
        if missing
        else ""
    )


def write_base(archive: Path) -> None:
    """Write a Debian with Python, which stands for python:3.13-slim, as a tar file.

    Its Python is found as `python` in the path.
    """
    link = 'ln -s ../../bin/python3 "$1/usr/local/bin/python"'
    options = ["--quiet", "--variant=minbase", f"--include={PACKAGES}", f"--customize-hook={link}"]
    done = subprocess.run(
        ["mmdebstrap", *options, DEBIAN, str(archive)],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    hint = "IMAGE_BASE can name a tar file of another base: make image IMAGE_BASE=base.tar"
    assert done.returncode == 0, f"mmdebstrap {DEBIAN}\n{done.stderr}\n{hint}"


@dataclass(frozen=True, slots=True)
class ImageRoot:
    """The root file system of one stage of the build."""

    path: Path

    def at(self, path: str) -> Path:
        return self.path / path.lstrip("/")

    def unpack(self, base: Path) -> None:
        """Start the stage FROM the base, with what it needs to reach the package index."""
        self.path.mkdir()
        with tarfile.open(base) as archive:
            archive.extractall(self.path, filter="fully_trusted")
        for file in ("etc/resolv.conf", "etc/hosts", str(CERTIFICATES)):
            if Path("/", file).exists():
                shutil.copyfile(Path("/", file), self.at(file))

    def carry_out(self, stage: Stage, builder: "ImageRoot | None" = None) -> None:
        """Carry out WORKDIR, COPY and RUN in their order, with the ENV that precedes them."""
        folder, environment = "/", {}
        for step in stage.steps:
            if step.keyword == "WORKDIR":
                folder = step.arguments
                self.at(folder).mkdir(parents=True, exist_ok=True)
            elif step.keyword == "ENV":
                environment = dict(stage.environment)
            elif step.keyword == "COPY":
                self._copy(step.arguments, folder, builder)
            elif step.keyword == "RUN":
                self._run(step.arguments, folder, environment)

    def _copy(self, arguments: str, folder: str, builder: "ImageRoot | None") -> None:
        words = arguments.split()
        source_root = ROOT
        if words[0].startswith("--from="):
            assert builder is not None
            source_root = builder.path
            words = words[1:]
        *sources, target = words
        for source in sources:
            origin = source_root / source.lstrip("/")
            place = self.at(target) if target.startswith("/") else self.at(folder) / target
            if origin.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(origin, place, symlinks=True, ignore=ignored, dirs_exist_ok=True)
            else:
                place = place / origin.name if target.endswith("/") else place
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin, place)

    def _run(self, command: str, folder: str, environment: dict[str, str]) -> None:
        done = subprocess.run(
            self.command(["sh", "-ec", command], folder=folder, user="0:0"),
            env=_variables(environment),
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}\n{done.stderr}"

    def command(
        self,
        words: list[str],
        *,
        folder: str,
        user: str,
        volumes: dict[Path, str] | None = None,
    ) -> list[str]:
        """Return the command that runs another one in this root, as this process's child.

        Args:
            words: The command.
            folder: Its working folder in this root.
            user: User and group as numbers.
            volumes: Folders outside, each with its place in this root. If there are any, the rest
                of the root is read-only, except a new /tmp.
        """
        root = shlex.quote(str(self.path))
        lines = [f"mount --bind {root} {root}", f"mount -t proc proc {root}/proc"]
        if volumes:
            lines.append(f"mount -o remount,ro,bind {root}")
            lines.append(f"mount -t tmpfs tmpfs {root}/tmp")
            lines += [f"mount --bind {shlex.quote(str(a))} {root}{b}" for a, b in volumes.items()]
        inner = f"cd {shlex.quote(folder)} && exec {shlex.join(words)}"
        lines.append(f"exec chroot --userspec={user} {root} sh -c {shlex.quote(inner)}")
        return ["unshare", "--mount", "sh", "-ec", " && ".join(lines)]


def _variables(environment: dict[str, str]) -> dict[str, str]:
    pip = {name: value for name, value in os.environ.items() if name == "PIP_INDEX_URL"}
    path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
    return (
        {"PATH": path, "PIP_CERT": f"/{CERTIFICATES}", "PIP_NO_COMPILE": "1"}
        | pip
        | PROXIES
        | environment
    )
