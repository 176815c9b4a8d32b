"""The image, built step by step in a Debian root and run there as a container would."""

import gzip
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image.chroot import ImageRoot, can_replay, write_base
from tests.image.dockerfile import Stage
from tests.reserved_port import reserved_port

COMPRESSED_MEGABYTES = 120
pytestmark = [pytest.mark.release, pytest.mark.timeout(5400)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base image as a tar file; IMAGE_BASE names one that exists."""
    if reason := can_replay():
        pytest.skip(reason)
    if given := os.environ.get("IMAGE_BASE"):
        return Path(given)
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    write_base(archive)
    return archive


@pytest.fixture(scope="module")
def image(
    base: Path, tmp_path_factory: pytest.TempPathFactory, builder: Stage, final: Stage
) -> Iterator[ImageRoot]:
    """The root file system of the final stage."""
    folder = tmp_path_factory.mktemp("image")
    built, root = ImageRoot(folder / "builder"), ImageRoot(folder / "final")
    for each_root in (built, root):
        each_root.unpack(base)
    built.carry_out(builder)
    root.carry_out(final, built)
    yield root
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The volume of the journal, which belongs to the user of the container."""
    folder = tmp_path / "journal"
    folder.mkdir()
    os.chown(folder, 10001, 10001)
    return folder


@pytest.fixture
def settings(final: Stage) -> Iterator[dict[str, str]]:
    """The environment of the container, with a free port and no platform."""
    with reserved_port() as port:
        yield {
            **final.environment,
            "PATH": "/opt/vertexkit/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "VERTEXKIT_PORT": str(port),
            "VERTEXKIT_ALLOW_ANONYMOUS": "1",
            "VERTEXKIT_PLATFORM_URL": "http://127.0.0.1:9/api",
        }


def test_the_container_runs_with_a_read_only_root(
    image: ImageRoot, final: Stage, settings: dict[str, str], volume: Path
) -> None:
    """Its user is not root, its health check agrees, it writes to the volume only, SIGTERM ends it."""
    user = final.find("USER")[-1].arguments
    folder = final.find("WORKDIR")[-1].arguments
    volumes = {volume: f"{folder}/.vertexkit"}

    def command(step: str) -> list[str]:
        words = final.find(step)[-1].exec_form
        return image.command(words, folder=folder, user=user, volumes=volumes)

    def healthy() -> bool:
        check = command("HEALTHCHECK")
        return subprocess.run(check, env=settings, capture_output=True, check=False).returncode == 0

    with subprocess.Popen(command("CMD"), env=settings) as service:
        try:
            while not healthy():
                assert service.poll() is None
            status = Path(f"/proc/{service.pid}/status").read_text(encoding="utf-8")
            assert f"Uid:\t{user.partition(':')[0]}\t" in status
            assert (volume / "journal.db").is_file()
            probe = ["sh", "-c", "touch /app/x /opt/vertexkit/x /etc/x; test ! -e /app/x"]
            words = image.command(probe, folder=folder, user=user, volumes=volumes)
            refused = subprocess.run(
                words, env=settings, capture_output=True, text=True, check=True
            )
            assert refused.stderr.count("Read-only file system") == 3
            service.send_signal(signal.SIGTERM)
            assert service.wait() in {0, -signal.SIGTERM}
            assert not healthy()
        finally:
            service.kill()


def test_what_the_image_adds_is_small(image: ImageRoot, base: Path, tmp_path: Path) -> None:
    """The base and what is added to it have less than 120 MB together, compressed."""
    added = tmp_path / "added.tar.gz"
    with tarfile.open(added, "w:gz", compresslevel=6) as archive:
        for part in ("opt/vertexkit", "app"):
            archive.add(image.path / part, part)
    compressed_base = tmp_path / "base.tar.gz"
    with base.open("rb") as content, gzip.open(compressed_base, "wb", compresslevel=6) as target:
        shutil.copyfileobj(content, target)
    sizes = [round(path.stat().st_size / 1e6, 1) for path in (compressed_base, added)]
    print(f"base {sizes[0]} MB, added {sizes[1]} MB, compressed")  # noqa: T201 - with pytest -s
    assert sum(sizes) < COMPRESSED_MEGABYTES, sizes
