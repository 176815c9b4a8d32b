"""Sphinx's configuration of one language of the site; build.py sets the language and the version."""

import os
from importlib import metadata

from sphinx.ext.napoleon.docstring import GoogleDocstring

import vertexkit
import vertexkit.testing

# autodoc would import the modules while `typing.TYPE_CHECKING` is true, which pydantic rejects.
for module in (vertexkit, vertexkit.testing):
    for name in module.__all__:
        getattr(module, name)

# A colon in the description of an attribute is a colon, and does not separate its type.
GoogleDocstring._parse_attribute_docstring = GoogleDocstring._consume_to_end  # noqa: SLF001

project = "vertexkit"
release = metadata.version("vertexkit")
author = "vertexkit contributors"
project_copyright = "2026 vertexkit contributors"
language = os.environ["SITE_LANGUAGE"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns: list[str] = []
nitpicky = False
default_role = "code"
show_warning_types = True

myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline"]

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
add_module_names = False
python_maximum_signature_line_length = 80
# The pages are written for two renderers, so their code names no lexer of its own.
highlight_language = "text"
# Output of commands contains characters that the lexers of shells do not know.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"vertexkit {release}"
html_baseurl = ""
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
templates_path = ["_templates"]
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "sidebar/language.html",
        "sidebar/version.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
OTHER = {"en": ("ru", "По-русски"), "ru": ("en", "In English")}[language]
VERSION_TEXTS = {
    "en": {
        "version": "Version",
        "stable": "stable",
        "unreleased": "This page describes a version that is not released yet.",
        "old": "This page describes an old version.",
        "newest": "See version",
    },
    "ru": {
        "version": "Версия",
        "stable": "стабильная",
        "unreleased": "Эта страница описывает версию, которая ещё не выпущена.",
        "old": "Эта страница описывает старую версию.",
        "newest": "Смотрите версию",
    },
}[language]
html_context = {
    "other_language": OTHER[0],
    "other_language_name": OTHER[1],
    "version_folder": os.environ["SITE_VERSION"],
    "version_texts": VERSION_TEXTS,
}
