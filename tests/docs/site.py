"""What mkdocs is asked to do beyond its own: the command line's page, formulas without scripts, files of the root."""

from __future__ import annotations

import json
import posixpath
import re
import typing
from functools import cache
from pathlib import Path
from typing import Any

import typer.main
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tests.docs import notebook

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/diet-explorer/diet-explorer/blob/main"
FROM_ROOT = {"SECURITY.md": "security.md", "CONTRIBUTING.md": "house.md", "CHANGELOG.md": "changelog.md"}
"""Files of the checkout's root that are pages of the site too."""
_SHIM = "https://unpkg.com/iframe-worker/shim"
_LINK = re.compile(r"(\]\()((?:\.\./)*[\w./-]+)((?:#[\w-]*)?\))")
_NORM = "<mo>&#x02016;</mo>"  # as high as what it is around, it would take its lower index down with it
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take in the files of the root, the notebook as a page, and the schemas of what commands print."""
    for source, page in FROM_ROOT.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_LINK.sub(_from_root, text)))
    text, pictures = notebook.as_page()
    files.append(File.generated(config, "guides/notebook.md", content=text))
    for name, picture in pictures.items():
        files.append(File.generated(config, f"guides/{name}", content=picture))
    for verb, schema in _schemas().items():
        content = json.dumps(schema, indent=1) + "\n"
        files.append(File.generated(config, f"reference/{_schema_file(verb)}", content=content))
    return files


def on_page_markdown(markdown: str, page: Page, **_others: Any) -> str:
    """Fill in the commands, and let links that lead out of the docs lead somewhere."""
    folder = posixpath.dirname(page.file.src_uri)
    text = markdown.replace("<!-- the commands -->", _commands()) if "<!-- the commands -->" in markdown else markdown
    text = text.replace("<!-- the schemas -->", _described()) if "<!-- the schemas -->" in text else text
    return _LINK.sub(lambda found: _outward(found, folder), text)


def on_page_content(html: str, **_others: Any) -> str:
    """Formulas as MathML, which browsers draw by themselves: no script, no fonts, nothing to fetch."""
    return _FORMULA.sub(_drawn, html)


def on_post_page(output: str, page: Page, **_others: Any) -> str:
    """The theme's search in files that no server serves takes a script from elsewhere; ours lies among the docs."""
    return output.replace(
        _SHIM, posixpath.relpath("assets/iframe-worker.js", posixpath.dirname(page.file.dest_uri) or ".")
    )


def on_post_template(output_content: str, **_others: Any) -> str:
    """The same for pages that are none, such as that of status 404."""
    return output_content.replace(_SHIM, "/assets/iframe-worker.js")


def _from_root(found: re.Match[str]) -> str:
    """A link of a file of the root, seen from the docs."""
    path = found[2].removeprefix("docs/")
    inside = found[2].startswith("docs/") or found[2] in FROM_ROOT
    return f"{found[1]}{FROM_ROOT.get(path, path) if inside else f'../{path}'}{found[3]}"


def _outward(found: re.Match[str], folder: str) -> str:
    """A link as it is or, where the site has a page of a file, to that; out of the docs to the repository."""
    if found[2].endswith(".ipynb"):
        return f"{found[1]}{found[2].removesuffix('.ipynb')}.md{found[3]}"
    path = posixpath.normpath(posixpath.join("docs", folder, found[2]))
    if path.startswith("docs/") or not (ROOT / path).exists():
        return found[0]
    if path in FROM_ROOT:
        return found[1] + posixpath.relpath(FROM_ROOT[path], folder or ".") + found[3]
    return f"{found[1]}{REPOSITORY}/{path}{found[3]}"


def _drawn(found: re.Match[str]) -> str:
    display = "block" if found[2] == "[" else "inline"
    plain = found[3].replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").strip()
    drawn = convert(plain, display=display).replace(_NORM, f'<mo stretchy="false">{_NORM[4:]}')
    return f"<{found[1]}>{drawn}</{found[1]}>"


def _commands() -> str:
    """A section for each command of the command line, with its arguments and options."""
    from diet_explorer.cli.app import app

    group: Any = typer.main.get_command(app)
    return "\n\n".join(_sections(group, "diet-explorer"))


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each command."""
    from diet_explorer.cli.schemas import FORMS, schema_of

    return {verb: schema_of(verb) for verb in FORMS}


def _schema_file(verb: str) -> str:
    return f"schemas/{verb.replace(' ', '-')}.json"


def _described() -> str:
    """A line for each command: its schema, and what it prints at the top."""
    lines = [
        f"| `{verb}` | {_top(schema, schema)} | [{verb}]({_schema_file(verb)}) |" for verb, schema in _schemas().items()
    ]
    return "\n".join(["| command | prints | schema |", "|---|---|---|", *lines])


def _top(part: dict[str, Any], schema: dict[str, Any]) -> str:
    """The names at the top of what a schema describes."""
    if "$ref" in part:
        return _top(schema["$defs"][part["$ref"].rpartition("/")[2]], schema)
    if "anyOf" in part:
        return " or ".join(_top(entry, schema) for entry in part["anyOf"])
    if part.get("type") == "array":
        return f"a list of: {_top(part['items'], schema)}"
    return ", ".join(f"`{name}`" for name in part.get("properties", {}))


def _sections(group: Any, prefix: str) -> list[str]:
    sections = []
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            sections += _sections(command, f"{prefix} {name}")
            continue
        rows = [_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False)]
        table = "| argument or option | meaning |\n|---|---|\n" + "\n".join(rows) if rows else ""
        sections.append(f"### {prefix} {name}\n\n{_plain(command.help or '')}\n\n{table}")
    return sections


def _row(parameter: Any) -> str:
    names = [*parameter.opts, *parameter.secondary_opts]
    written = ", ".join(f"`{name}`" for name in names) if names[0].startswith("-") else f"`{names[0].upper()}`"
    words = _plain(getattr(parameter, "help", None) or "")
    choices = typing.get_args(parameter.type_descriptor.annotation)
    named = [f"`{choice}`" for choice in choices if isinstance(choice, str) and choice not in words]
    ways = f" One of {', '.join(named)}." if named else ""
    known = parameter.default if isinstance(parameter.default, str | int | float) else None
    default = f" Default: `{known}`." if known not in (None, False, True, "") and "Default" not in words else ""
    return f"| {written} | {words}{ways}{default} |"


def _plain(text: str) -> str:
    """A help text in one line of a table."""
    return " ".join(text.replace("\b", "").split()).replace("|", "\\|").replace("<", "&lt;")
