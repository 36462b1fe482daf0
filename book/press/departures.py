"""The departures from the paper that are marked in the sources, collected."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("lib", "notebooks/paper")
START = re.compile(r"^\s*(#\s*)?NOTE\[DIFF\]:\s*(\S.*)$")


@dataclass(frozen=True)
class Departure:
    """One marked departure.

    path: of the file in the repository. line: of the mark. where: the class or function around it, or "".
    text: what it says.
    """

    path: str
    line: int
    where: str
    text: str


def marked(source: str, path: str = "") -> list[Departure]:
    """The departures marked in the text of a Python file, in comments and docstrings.

    A mark starts a line; its text goes on to the end of the paragraph, comment or docstring.

    Example:
        >>> found = marked("def f():\\n    # NOTE[DIFF]: one\\n    # two.\\n    return 1\\n")
        >>> found[0].where, found[0].line, found[0].text
        ('f', 2, 'one two.')
    """
    lines, found = source.splitlines(), []
    for number, line in enumerate(lines):
        start = START.match(line)
        if not start:
            continue
        comment, words = bool(start.group(1)), [start.group(2)]
        for following in lines[number + 1 :] if '"""' not in line else []:
            goes_on = following.strip().startswith("#") if comment else bool(following.strip())
            body = re.sub(r"^\s*#\s?", "", following) if comment else following
            if not goes_on or not body.strip() or START.match(following):
                break
            words.append(body.split('"""')[0].strip())
            if not comment and '"""' in following:
                break
        text = " ".join(word for word in words if word).replace('"""', "").strip()
        found.append(Departure(path, number + 1, enclosing(source, number + 1), text))
    return found


def enclosing(source: str, line: int) -> str:
    """Name of the innermost class or function around a line, dotted, or ""."""
    names, nodes = [], [ast.parse(source)]
    while nodes:
        inside = [
            child
            for child in ast.iter_child_nodes(nodes.pop())
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and child.lineno <= line <= child.end_lineno
        ]
        names += [child.name for child in inside]
        nodes = inside
    return ".".join(names)


def collect(root: Path = ROOT) -> list[Departure]:
    """All departures marked in the method and in the experiments, by path and line."""
    paths = sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.py"))
    return [
        found for path in paths for found in marked(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix())
    ]


def address(departure: Departure, root: Path = ROOT) -> str:
    """Where the public repository shows the line of a departure."""
    repository = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    return f"{repository['url']}/blob/{repository['branch']}/{departure.path}#L{departure.line}"


def listed(found: list[Departure]) -> str:
    """Departures as markdown lists, one for each file, each with a link to its line."""
    lines = []
    for path in dict.fromkeys(departure.path for departure in found):
        lines.append(f"\n**`{path}`**\n")
        for one in (departure for departure in found if departure.path == path):
            where = f"`{one.where}`, " if one.where else ""
            lines.append(f"- [{where}line {one.line}]({address(one)}): {markdown(one.text)}")
    return "\n".join(lines).strip()


def markdown(text: str) -> str:
    """The text of a comment as markdown: roles become code, what would be read as markup is escaped.

    Example:
        >>> markdown("see :func:`lib.x` where a_b * c")
        'see `lib.x` where a\\\\_b \\\\* c'
    """
    text = re.sub(r":\w+:(`[^`]+`)", r"\1", text)
    parts = re.split(r"(`+[^`]+`+)", text)  # code is every second part
    return "".join(part if i % 2 else re.sub(r"([*_$<\[\]|])", r"\\\1", part) for i, part in enumerate(parts))
