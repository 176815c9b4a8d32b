"""The language of the project: plain technical English and Russian, in every text."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.unmeasured
ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("vertexkit", "tests", "example_blocks", "benchmarks", "docs", "ops", ".ci")
SUFFIXES = {
    ".py",
    ".md",
    ".js",
    ".html",
    ".css",
    ".json",
    ".yml",
    ".yaml",
    ".toml",
    ".tmpl",
    ".txt",
}
EXEMPT = {
    "tests/test_language.py": "it holds the list of words",
    "tests/unused_names.py": "it holds the list of names",
    "tests/fuzz/corpus": "raw requests, not prose",
    "tests/browser/axe.min.js": "a library: axe-core of Deque Systems, MPL 2.0",
}
"""Files and folders that are not scanned, each with its reason."""

ENGLISH = {
    r"mend(s|ed|ing|able)?": "fix",
    r"amiss": "wrong",
    r"anew": "again",
    r"nobody": "no process, no client, no one; or name the actor",
    r"somebody|someone": "name the actor: the caller, the author, the operator",
    r"whoever|whomever|whichever|whatsoever": "the caller, the process that ...",
    r"as good as": "effectively",
    r"for good": "permanently",
    r"begun": "started",
    r"go(es|ne|ing)? on with|went on with": "continue with, resume",
    r"go(es|ne|ing) on(?! (to|the|a|for)\b)|went on(?! (to|the|a|for)\b)": "continue",
    r"\b(?<!there )(?:is|are|was|were) no(?! (?:longer|more|other|need|way|effect)\b)(?= [a-z'`])": (
        "is not a ..."
    ),
    r"lest|hitherto|thereof|whither|thither|wherein|whereof|aught|ere": "modern English",
    r"stands? still|stood still|standing still": "is blocked, is frozen",
    r"the loop stands": "the event loop is blocked",
    r"last words": "final output",
    r"an ear for|has ears|hard of hearing": "capacity",
    r"life stor(y|ies)": "history",
    r"the house'?s|of the house|house rules": "the project's",
    r"strangers?": "untrusted client, unknown caller; newcomer",
    r"tired of": "name the action",
    r"look whether|looks whether|look if": "check whether",
    r"ha(d|ve) back": "returned",
    r"to be had|can be had|be had": "available",
    r"comes? to nothing|came to nothing": "fails",
    r"came of|comes of|come of|becomes of|became of|become of": "the result of",
    r"speaks? of|spoke of|spoken of|speaking of": "refers to, describes",
    r"told(?!\s+apart)": "reported, logged, notified, returned",
    r"tells?(?! (\w+ ){0,6}apart)": "reports, says, shows",
    r"so many": "a number of, N",
    r"let(s|ting)? go of": "release",
    r"in (its|their|one|an operator's|whose|a \w+'s) hands?": "name the owner",
    r"set(s|ting)? out(?!side)": "start",
    r"not content": "reported violations",
    r"made[- ]up|make(s)? up|making up": "generated",
    r"this way or that|one way or another": "say which",
    r"as it came": "unchanged, as received",
    r"as it was(?! (before|then|recorded|read))": "unchanged",
    r"the first of them": "say which",
    r"be at it|is at it": "is running",
    r"in line first|get in line": "are queued first",
    r"out of the ordinary": "unusual",
    r"sees? (it|each|them|\w+ of them) (to|through)": "runs ... to completion",
    r"politely|patiently|impatient(ly)?|well-behaved": "name the behaviour",
    r"dear(er|est)": "more expensive",
    r"befall|beget|bid|forthwith|henceforth|therewith|herein": "modern English",
    r"(?:files?|they|it|which|that|code|pages?) lies?": "is (located) in",
    r"lies? beside|beside it|beside them": "next to",
    r"(?-i:Who) (?!is\b|are\b|am\b|does\b)[a-z]+\b[^?\n]{0,80}[.:]": "the caller that ...",
    r"gives? (back|away)": "returns",
    r"thrown? at": "sent to",
    r"foretold|overheard": "modern English",
}
"""Idioms that are not used, each with what to write instead. Case does not matter."""

RUSSIAN = {
    r"член(ы|ов|ами|ах|ам|у|ом|е)?": "поле, поля",
    r"отсыла(ет|ют|ть|ются|ется|л|ло|ли)": "отклоняет; отправляет",
    r"трасс(а|ы|у|е|ой|ах|ами)": "трейс",
    r"отрез(ок|ка|ки|ков|ке|ком|ку)": "спан",
    r"дит(я|яти)": "дочерний спан",
    r"тревог(и|а|у|ах|ами|)": "алерты",
    r"^#+ В работе": "В продакшене",
    r"велите": "заставьте; задайте",
    r"погляды\w+": "проверяйте",
    r"обезвреж\w+": "очищено от опасных символов",
    r"не торопится": "отвечает с задержкой",
    r"местн(ый|ая|ое|ого|ом|ую) (диск|машин\w+|файл\w*)": "локальный",
    r"говорит с диалогом": "пишет в диалог",
    r"воркер(ы|а|у|ов|ам|ами|ах|ом|е)?": "рабочий процесс",
    r"наново|поелику|дабы|ибо|сей час": "современный русский",
    r"никто не зна(ет|л)": "неизвестно",
    r"починен\w*|чинит\w*": "исправлен",
    r"чуж(их|ие|ой|ого|ому|ими) (людей|люди)": "посторонние",
    r"неладн\w+": "ошибка",
    r"как (они|он|оно|она) есть": "без изменений",
    r"пусть что-то сломается": "сымитировать сбой",
    r"платформа зов[её]т": "платформа вызывает",
    r"(?:^|[.:!?»] |\| |- )(?:\*\*)?[А-ЯЁ][а-яё]+(?:\*\*)? это [а-яё]": "тире: «Блок — это ...»",
}
"""The same for Russian texts."""

EXCEPTIONS: dict[str, str] = {}
"""Texts that hold a listed word and are right, each with its reason."""


def files() -> list[Path]:
    found = [ROOT / name for name in ("Makefile", "Dockerfile", "pyproject.toml")]
    found += sorted(ROOT.glob("*.md"))
    for folder in FOLDERS:
        found += sorted(path for path in (ROOT / folder).rglob("*") if path.is_file())
    return [
        path
        for path in found
        if (path.suffix in SUFFIXES or path.parent == ROOT or path.parent.name == ".ci")
        and "__pycache__" not in path.parts
        and not any(name(path).startswith(exempt) for exempt in EXEMPT)
    ]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


TEXTS = re.compile(
    r"""#[^\n]*|"{3}(?:\\.|(?!"{3}).)*"{3}|'{3}(?:\\.|(?!'{3}).)*'{3}|"(?:\\.|[^"\\\n])*"|"""
    r"""'(?:\\.|[^'\\\n])*'""",
    re.DOTALL,
)
"""A comment or a string of Python. `tokenize` finds the same texts, and takes fifteen times as long."""
JOINED = re.compile(r"[ \t]*\n[ \t#*/]*")
"""What is between two lines of a text."""


def texts(path: Path) -> list[tuple[int, str]]:
    """The texts of a file with their offsets: of Python its strings and comments."""
    content = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return [(0, content)]
    return [(found.start(), found[0]) for found in TEXTS.finditer(content)]


def compiled(words: dict[str, str]) -> list[tuple[re.Pattern[str], str]]:
    """Patterns of whole words; those that begin with `^` or `(` mark their own beginning."""
    return [
        (re.compile(pattern if pattern[0] in "^(" else rf"\b(?:{pattern})(?!\w)", FLAGS), better)
        for pattern, better in words.items()
    ]


FLAGS = re.IGNORECASE | re.MULTILINE
PATTERNS = [*compiled(ENGLISH), *compiled(RUSSIAN)]
BY_CASE = [pair for pair in PATTERNS if pair[0].pattern[0] in "^(" or "(?-i:" in pair[0].pattern]
"""Those that `ANY_WORD` does not contain."""
WORDS = [word for word in (*ENGLISH, *RUSSIAN) if word[0] not in "^(" and "(?-i:" not in word]
ANY_WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})(?!\w)", re.MULTILINE)
"""Finds in lower-case text whether it has any of the others, in a twentieth of the time."""
assert len(WORDS) + len(BY_CASE) == len(PATTERNS)
assert all(word == word.lower() for word in WORDS)


def in_folder(folder: str) -> list[Path]:
    """The files of a folder; with "" those in the root."""
    return [path for path in files() if name(path).rpartition("/")[0].partition("/")[0] == folder]


def idioms(path: Path) -> Iterator[str]:
    """Where a text of a file has an idiom, and what to write instead."""
    found = texts(path)
    lines = [JOINED.sub(" ", text) for _, text in found]
    joined = "\n".join(lines)
    for pattern, better in PATTERNS if ANY_WORD.search(joined.lower()) else BY_CASE:
        for hit in pattern.finditer(joined):
            offset, text = found[joined.count("\n", 0, hit.start())]
            around = joined[max(0, hit.start() - 50) : hit.end() + 40].replace("\n", " | ")
            if any(right in around for right in EXCEPTIONS):
                continue
            words = r"[\s#*/]+".join(map(re.escape, hit[0].split()))
            start = offset + (place.start() if (place := re.search(words, text)) else 0)
            line = path.read_text(encoding="utf-8").count("\n", 0, start) + 1
            yield f"{name(path)}:{line}: {hit[0]!r} -> {better!r} in «{around}»"


@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_no_text_has_an_idiom(folder: str) -> None:
    """Texts that a person reads are written in plain technical language."""
    scanned = in_folder(folder)
    assert scanned
    found = [idiom for path in scanned for idiom in idioms(path)]
    assert not found, "\n" + "\n".join(found)
