"""Who may import whom: lib ◀ notebooks/paper ◀ pages and book/press, and the order of the rooms inside them."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECTIONS = ("images", "tabular", "shortcuts", "grokking", "transfer", "ablations", "architectures")
LOWER = {  # within a section: what a module may import has a lower number, or its own
    "plan": 0,
    "matrix": 0,
    "conventions": 0,
    "moduli": 0,
    "converged": 0,
    "learner": 0,
    "variants": 0,
    "ambient": 0,
    "colour": 0,
    "budgets": 0,
    "controls": 0,
    "tables": 1,
    "by_convention": 2,
    "by_modulus": 2,
    "rates": 2,
    "figures": 2,
    "panels": 2,
    "page": 2,
    "verdicts": 3,
}
SHARED = {  # rooms of notebooks/paper that are not sections: what of notebooks/paper they may import
    "records": {"records"},
    "experiments": {"experiments", "records"},
    "figures": {"figures", "records"},
}
KNOWN: set[tuple[str, str]] = set()


def sources():
    """Module name to text, of all that is not a page or a test."""
    found = {}
    for folder in ("lib", "notebooks/paper", "book/press"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name] = path.read_text(encoding="utf-8")
    return found


def imports(module, text):
    """What a module imports from this repository, as absolute names, and whether the import was written relative."""
    package = module.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from ((".".join([*base, alias.name]), bool(node.level)) for alias in node.names)


def room(name):
    """The tree that a name belongs to, and its parts below: ("notebooks.paper", ["records", "store"])."""
    parts = name.split(".")
    for depth, tree in ((1, "lib"), (2, "notebooks.paper"), (2, "book.press")):
        if ".".join(parts[:depth]) == tree:
            return tree, parts[depth:]
    return ("a page" if parts[0] in ("notebooks", "book") else ""), parts


def level_of(inside):
    """How high a module of a section is; others than those of LOWER are like tables, the package itself is 0."""
    return LOWER.get(inside[0], LOWER["tables"]) if inside else 0


def problem(module, imported, relative):
    """What is wrong with one import, or None."""
    tree, inside = room(module)
    other, target = room(imported)
    if not other:
        return None
    trees = {"lib": ["lib"], "notebooks.paper": ["lib", "notebooks.paper"]}.get(
        tree, ["lib", "notebooks.paper", "book.press"]
    )
    if other not in trees:
        return f"{tree} must not import {other}"
    if (tree == other) != relative:
        return "imports within a tree are relative, others absolute"
    if tree != "notebooks.paper":
        return None
    if inside[0] == "records" and imported.startswith("lib.datasets"):
        return "records and datasets know nothing of each other"
    if other == "lib" or len(inside) < 2:
        return None
    here, there = inside[0], target[0]
    if here in SHARED and there not in SHARED[here]:
        return f"{here} must not import {there}"
    if here in SECTIONS and there not in (*SHARED, *SECTIONS, "verdict"):
        return f"a section must not import {there}"
    if there in SECTIONS:
        level = level_of(target[1:])
        if here == there and level > level_of(inside[1:]):
            return f"{inside[1]} must not import {target[1]}"
        if here != there and level > LOWER["tables"]:
            return f"of another section only its plan and its tables are used, not {target[1]}"
    return None


def problems(texts):
    return [
        f"{module} imports {imported}: {found}"
        for module, text in texts.items()
        for imported, relative in imports(module, text)
        if (module, imported.rpartition(".")[0]) not in KNOWN and (found := problem(module, imported, relative))
    ]


def test_everything_imports_only_what_stands_left_of_it():
    assert problems(sources()) == []


@pytest.mark.parametrize(
    ("module", "line", "words"),
    [
        ("lib.splines", "from notebooks.paper.records import store", "lib must not import notebooks.paper"),
        ("lib.splines", "from lib import kernels", "within a tree are relative"),
        ("lib.datasets.download", "from book.press import pairs", "lib must not import book.press"),
        ("lib.datasets.prepared", "def f():\n    from notebooks.paper import claims", "lib must not import"),
        ("notebooks.paper.records.pack", "from lib.datasets import catalogue", "know nothing of each other"),
        ("notebooks.paper.records.sweep", "from ..images import plan", "records must not import images"),
        ("notebooks.paper.records.sweep", "from .. import sections", "records must not import sections"),
        (
            "notebooks.paper.experiments.train",
            "from ..figures.looks import ARMS",
            "experiments must not import figures",
        ),
        ("notebooks.paper.images.tables", "from . import figures", "tables must not import figures"),
        ("notebooks.paper.images.plan", "from .verdicts import judge", "plan must not import verdicts"),
        ("notebooks.paper.images.tables", "from ..transfer import figures", "only its plan and its tables"),
        ("notebooks.paper.images.tables", "from .. import claims", "a section must not import claims"),
        ("notebooks.paper.claims", "from book.press.build import names", "must not import book.press"),
        ("book.press.build", "from notebooks import images", "must not import a page"),
        ("book.press.build", "from book.press import pairs", "within a tree are relative"),
        ("lib.splines", "import book.claims", "lib must not import a page"),
    ],
)
def test_a_planted_violation_is_found(module, line, words):
    assert words in "".join(problems({module: line}))


def test_what_is_allowed_is_not_reported():
    lines = {
        "lib.datasets.prepared": "import torch\nfrom .catalogue import IMAGES\nfrom .. import splines",
        "notebooks.paper.images.verdicts": "from . import figures, tables\nfrom ..verdict import judge\nfrom lib import splines",
        "notebooks.paper.images.tables": "from ..transfer.tables import PAPER_TABLE\nfrom ..records.store import Store",
        "notebooks.paper.sections": "from .images.plan import images",
        "book.press.build": "from . import pairs\nfrom notebooks.paper.figures import display",
    }
    assert problems(lines) == []


def test_the_page_on_how_this_is_built_names_files_that_exist():
    text = (ROOT / "book" / "built.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:lib|notebooks|book|tests|data)(?:/[\w.-]+)+)`", text)
    assert len(paths) >= 15
    for path in paths:
        assert (ROOT / path).exists(), path
