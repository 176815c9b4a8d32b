"""The versions of the manual: each release has a folder of the site, between which readers switch.

`latest/` is the manual of the working tree, as long as the changelog does not date its version;
`0.1.0/` is that of a release. `stable/` leads to the newest release. A build replaces its own folder
and keeps the others.
"""

import json
import re
import shutil
from pathlib import Path

from packaging.version import InvalidVersion, Version

LATEST = "latest"
STABLE = "stable"
DATED = r"^## \[{version}\] - \d{{4}}-\d\d-\d\d$"
LANGUAGES = ("en", "ru")
FIRST_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>vertexkit</title>
<meta name="viewport" content="width=device-width">
<script>
location.replace("{version}/" + (navigator.language.startsWith("ru") ? "ru" : "en") + "/index.html")
</script>
<p><a href="{version}/en/index.html">In English</a> · <a href="{version}/ru/index.html">По-русски</a></p>
</html>
"""
"""The first page: it leads to the language of the browser, without scripts to a choice."""
REDIRECT = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>vertexkit</title>
<link rel="canonical" href="{target}">
<script>location.replace("{target}" + location.search + location.hash)</script>
<noscript><meta http-equiv="refresh" content="0; url={target}"></noscript>
<p><a href="{target}">{target}</a></p></html>
"""
"""A page of `stable/`: it leads to the same page of the newest release."""


def folder_name(version: str, changelog: str) -> str:
    """Return the name of the folder of a version: its number if the changelog dates it.

    Args:
        version: of the working tree.
        changelog: the text of CHANGELOG.md.
    """
    dated = re.search(DATED.format(version=re.escape(version)), changelog, re.MULTILINE)
    return version if dated else LATEST


def publish(site: Path) -> None:
    """Write what depends on all versions: their list, the first page, and the folder stable/.

    Args:
        site: The folder with a folder for each version.
    """
    names = versions(site)
    stable = next((name for name in names if name != LATEST), None)
    listed = [{"name": name, "pages": _pages(site / name)} for name in names]
    text = json.dumps({"stable": stable, "versions": listed}, indent=1)
    # A page on a disk may load a script, but not a JSON file.
    (site / "versions.js").write_text(f"var vertexkitVersions = {text};\n", encoding="utf-8")
    (site / "versions.json").write_text(f"{text}\n", encoding="utf-8")
    first = FIRST_PAGE.format(version=stable or LATEST)
    (site / "index.html").write_text(first, encoding="utf-8")
    shutil.rmtree(site / STABLE, ignore_errors=True)
    if stable is not None:
        _redirect(site, stable)


def versions(site: Path) -> list[str]:
    """Return the names of the folders of versions, the newest first.

    Args:
        site: The folder with a folder for each version.
    """
    numbers = [folder.name for folder in site.iterdir() if folder.is_dir() and _is_number(folder)]
    latest = [LATEST] if (site / LATEST).is_dir() else []
    return latest + sorted(numbers, key=Version, reverse=True)


def _is_number(folder: Path) -> bool:
    try:
        Version(folder.name)
    except InvalidVersion:
        return False
    return True


def _pages(version: Path) -> list[str]:
    return sorted(page.stem for page in (version / "en").glob("*.html"))


def _redirect(site: Path, stable: str) -> None:
    for language in LANGUAGES:
        folder = site / STABLE / language
        folder.mkdir(parents=True)
        for page in (site / stable / language).glob("*.html"):
            target = f"../../{stable}/{language}/{page.name}"
            text = REDIRECT.format(language=language, target=target)
            (folder / page.name).write_text(text, encoding="utf-8")
