"""Builds the site in both languages: `make docs` writes it to a folder of its version in site.

The sources are the pages of docs/. A page without its translation, a translation with another
structure, a link or an anchor that leads nowhere, and every other warning of Sphinx fail the build.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from navigation import GENERATED, SECTIONS
from references import command_line, python_names
from translations import english_pages, problems
from versions import LANGUAGES, folder_name, publish

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"(?<=\]\()(?!https?://|mailto:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
SWITCH = re.compile(r"^(По-русски|In English|По-английски): \[.*\n", re.MULTILINE)
FILE_NAME = re.compile(r"\[(?:docs/)?[\w-]+(?:\.ru)?\.md\](?=\()")
"""The text of a link that is the name of a page: the site shows the title instead."""
THEME_TEXTS = {
    "Skip to content": "К содержанию страницы",
    "Back to top": "Наверх",
    "On this page": "На этой странице",
    "Previous": "Назад",
    "Next": "Далее",
    "Made with": "Создано с помощью",
    "Copyright &#169;": "©",
    "Home": "Главная",
    "Toggle site navigation sidebar": "Показать меню сайта",
    "Toggle table of contents sidebar": "Показать содержание страницы",
    "Toggle Light / Dark / Auto color theme": "Переключить тему: светлая, тёмная, как в системе",
}
"""The texts of Furo, which has no Russian translation."""
INTRODUCTIONS = {"en": "README.md", "ru": "README.ru.md"}
REPOSITORY: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "urls"
]["Repository"]


def main() -> None:
    """Check the translations, and build both languages."""
    if found := problems(DOCS):
        sys.exit("\n".join(found))
    site = ROOT / "site"
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = folder_name(metadata.version("vertexkit"), changelog)
    shutil.rmtree(site / version, ignore_errors=True)
    for language in LANGUAGES:
        source = ROOT / "build" / "site" / language
        shutil.rmtree(source, ignore_errors=True)
        _write_sources(source, language)
        _build(source, site / version / language, language)
    publish(site)
    print(f"{site}/index.html")


def _write_sources(source: Path, language: str) -> None:
    source.mkdir(parents=True)
    shutil.copytree(DOCS / "images", source / "images")
    shutil.copytree(DOCS / "site" / "templates", source / "_templates")
    shutil.copytree(DOCS / "site" / "static", source / "_static")
    shutil.copyfile(DOCS / "site" / "conf.py", source / "conf.py")
    names = [page.stem for page in english_pages(DOCS)]
    for name in names:
        page = DOCS / (f"{name}.md" if language == "en" else f"{name}.ru.md")
        text = SWITCH.sub("", page.read_text(encoding="utf-8"))
        _write(source / f"{name}.md", text, page)
    _write(source / "cli.md", command_line(language), DOCS / "cli.md")
    _write(source / "api.md", python_names(language), DOCS / "api.md")
    for name in ("CHANGELOG", "CONTRIBUTING"):
        page = ROOT / f"{name}.md"
        _write(source / f"{name.lower()}.md", page.read_text(encoding="utf-8"), page)
    introduction = ROOT / INTRODUCTIONS[language]
    text = SWITCH.sub("", introduction.read_text(encoding="utf-8"))
    _write(source / "index.md", f"{text}\n{_navigation(names, language)}", introduction)


def _write(path: Path, text: str, page: Path) -> None:
    """Write a page whose links lead to pages of the site, or to files of the repository."""

    def moved(link: re.Match[str]) -> str:
        target = (page.parent / link[1]).resolve()
        anchor = link[2] or ""
        if target.parent == DOCS / "images":
            return f"images/{target.name}"
        name = target.name.removesuffix(".ru.md").removesuffix(".md")
        if target.parent == DOCS and target.suffix == ".md":
            return f"{name}.md{anchor}"
        if target.parent == ROOT and name in {"README", "CHANGELOG", "CONTRIBUTING"}:
            return {"README": "index.md"}.get(name, f"{name.lower()}.md") + anchor
        if not target.exists():
            return link[0]  # Sphinx reports it
        kind = "tree" if target.is_dir() else "blob"
        tag = f"v{metadata.version('vertexkit')}"
        return f"{REPOSITORY}/{kind}/{tag}/{target.relative_to(ROOT).as_posix()}"

    path.write_text(FILE_NAME.sub("[]", LINK.sub(moved, text)), encoding="utf-8")


def _navigation(names: list[str], language: str) -> str:
    """Return the tables of contents of the first page, which become the menu."""
    placed = {name for _, pages in SECTIONS.values() for name in pages}
    there = {*names, *GENERATED}
    last = list(SECTIONS)[-1]
    lines = []
    for english, (russian, pages) in SECTIONS.items():
        more = [name for name in names if name not in placed] if english == last else []
        heading = english if language == "en" else russian
        lines += ["```{toctree}", ":hidden:", f":caption: {heading}", ""]
        lines += [name for name in [*pages, *more] if name in there]
        lines += ["```", ""]
    return "\n".join(lines)


def _build(source: Path, target: Path, language: str) -> None:
    """Run Sphinx; a warning fails the build."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    own = {
        "SITE_LANGUAGE": language,
        "SITE_VERSION": target.parent.name,
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(  # noqa: S603 - Sphinx, of this environment
        [*command, str(source), str(target)], env=os.environ | own, cwd=ROOT, check=False
    )
    if done.returncode != 0:
        sys.exit(f"The pages in {source.relative_to(ROOT)} have the errors above.")
    if language == "ru":
        _translate_theme(target)
    for rest in (".doctrees", ".buildinfo", "objects.inv"):
        path = target / rest
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _translate_theme(target: Path) -> None:
    """Replace the texts of the theme, which stand alone between tags or in an aria-label."""
    for page in target.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        for english, russian in THEME_TEXTS.items():
            text = re.sub(rf"(?<=>)(\s*){re.escape(english)}(?=[\s<])", rf"\1{russian}", text)
            text = text.replace(f'aria-label="{english}"', f'aria-label="{russian}"')
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
