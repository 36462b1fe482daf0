"""The paper's 18 claims: what it says, its number, and the rule by which our records decide.

They are data, in ``claims.toml``, which describes its fields: the statement, the rule in force with its history, and
the rule to come. A verdict is "reproduced", "in part", "not reproduced" or "not yet run".
"""

import datetime
import functools
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from .figures.words import Words
from .grokking import by_convention, by_modulus
from .images import by_depth
from .images import verdicts as images_verdicts
from .shortcuts import verdicts as shortcuts_verdicts
from .tabular import by_network
from .tabular import verdicts as tabular_verdicts
from .transfer import by_budget
from .transfer import verdicts as transfer_verdicts
from .verdict import NOT_RUN, Finding, Read

FILE = Path(__file__).with_suffix(".toml")
say = Words(FILE.with_suffix(".md")).fill
WRITTEN = {  # when a rule was written, and the name of what is said of it
    "before": "written-before",
    "narrowed": "written-narrowed",
    "changed": "written-changed",
    "after trials": "written-after-trials",
}


@dataclass(frozen=True)
class Change:
    """What was written of a rule, on which day, by which commit, and what had been seen of the results by then."""

    date: datetime.date
    commit: str
    change: str
    seen: str


@dataclass(frozen=True)
class Asked:
    """One condition of a rule: its name, and what has to hold in each case that it names."""

    name: str
    test: str


@dataclass(frozen=True)
class NextRule:
    """The rule to come.

    Args:
        runs: the records that it needs. rule: what is compared. conditions: what is tested. combined: how these make a
            verdict. seen: what was known when it was written. committed: the commit that fixed it; empty until known.
    """

    runs: str
    rule: str
    conditions: tuple[Asked, ...]
    combined: str
    seen: str
    committed: str


@dataclass(frozen=True)
class Claim:
    """One claim.

    Args:
        name: C1 ... C18. section, heading: the notebook and the part of it that have the evidence.
        statement: what the paper says. paper: its number or figure. rule: when it counts as reproduced or in part.
        conditions, combined: of a rule that has named ones, what is tested and how it makes a verdict; else empty.
        written: when the rule was, one of WRITTEN. history: of the rule, from its first text on.
        next: the rule to come, None once it is in force.
        decide: from the sections' records to a Finding, by the rule in force.
    """

    name: str
    section: str
    heading: str
    statement: str
    paper: str
    rule: str
    conditions: tuple[Asked, ...]
    combined: str
    written: str
    history: tuple[Change, ...]
    next: NextRule | None
    decide: Callable[[Read], Finding]

    @property
    def address(self) -> str:
        """Where the evidence is, from a page of the folder "book"."""
        anchor = re.sub(r"[^\w -]", "", self.heading.lower()).replace(" ", "-")
        return f"../notebooks/{self.section}.ipynb#{anchor}"


DECIDE: dict[str, Callable[[Read], Finding]] = {
    "C1": by_depth.classification_is_equal,
    "C2": images_verdicts.regression_gains,
    "C3": images_verdicts.complexity_goes_with_regression,
    "C4": images_verdicts.different_accuracy_at_equal_complexity,
    "C5": tabular_verdicts.gap_to_trees,
    "C6": tabular_verdicts.another_complexity_for_each_table,
    "C7": tabular_verdicts.boundaries_along_the_axes,
    "C8": by_network.ambient_complexity,
    "C9": tabular_verdicts.other_widths_and_depths,
    "C10": shortcuts_verdicts.relu_takes_the_shortcut,
    "C11": shortcuts_verdicts.activations_steer,
    "C12": shortcuts_verdicts.ends_on_the_simple_tile,
    "C13": by_convention.sooner_under_conventions,
    "C14": by_convention.sooner_in_settings,
    "C15": by_modulus.frequency_depends_on_the_modulus,
    "C16": by_convention.learned_overfits_relu_stays,
    "C17": by_budget.transfer_across_tasks,
    "C18": transfer_verdicts.transfer_across_images,
}


def load(path: Path = FILE, decide: dict[str, Callable[[Read], Finding]] = DECIDE) -> tuple[Claim, ...]:
    """Read and check the claims.

    Raises:
        ValueError: naming the file, the claim and the field, if one is missing, unknown, empty or of another form.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} must be TOML: {error}") from None
    tables = content.get("claim")
    if set(content) != {"claim"} or not isinstance(tables, list):
        raise ValueError(f"{path} must hold an array of tables [[claim]] and nothing else, got {sorted(content)}")
    found = tuple(_claim(table, f"{path.name}, claim {i}", decide) for i, table in enumerate(tables, start=1))
    names = [claim.name for claim in found]
    if names != list(decide):
        raise ValueError(f"{path.name} must have the claims {', '.join(decide)}, in this order, got {', '.join(names)}")
    return found


def _claim(table: Any, where: str, decide: dict[str, Callable[[Read], Finding]]) -> Claim:
    if isinstance(table, dict) and isinstance(table.get("name"), str):
        where += f" ({table['name']})"
    table = {"next": None, "conditions": [], "combined": ""} | table if isinstance(table, dict) else table
    types = {"history": list, "next": (dict, type(None)), "conditions": list}
    values = _checked(Claim, table, where, types, without={"decide"}, may_be_empty={"combined"})
    if values["name"] not in decide:
        raise ValueError(f"{where}: no code decides a claim of this name")
    if values["written"] not in WRITTEN:
        raise ValueError(f"{where}: written must be one of {', '.join(WRITTEN)}, got {values['written']!r}")
    history = [_change(row, f"{where}, history {i}") for i, row in enumerate(values["history"], start=1)]
    if not history or [row.date for row in history] != sorted(row.date for row in history):
        raise ValueError(f"{where}: history must have at least one entry, in the order of their dates")
    after = values["next"] and _next(values["next"], f"{where}, next")
    if bool(values["conditions"]) != bool(values["combined"]):
        raise ValueError(f"{where}: conditions and combined must be given together")
    conditions = _asked(values["conditions"], where) if values["conditions"] else ()
    more = {"history": tuple(history), "next": after, "conditions": conditions}
    return Claim(**values | more, decide=decide[values["name"]])


def _change(row: Any, where: str) -> Change:
    values = _checked(Change, row, where, {"date": datetime.date})
    if not re.fullmatch("[0-9a-f]{7,40}", values["commit"]):
        raise ValueError(f"{where}: commit must be the hash of one, got {values['commit']!r}")
    return Change(**values)


def _next(table: Any, where: str) -> NextRule:
    values = _checked(NextRule, table, where, {"conditions": list}, may_be_empty={"committed"})
    if not re.fullmatch("|[0-9a-f]{7,40}", values["committed"]):
        raise ValueError(f"{where}: committed must be the hash of a commit or empty, got {values['committed']!r}")
    return NextRule(**values | {"conditions": _asked(values["conditions"], where)})


def _asked(rows: list, where: str) -> tuple[Asked, ...]:
    asked = tuple(Asked(**_checked(Asked, row, f"{where}, condition {i}", {})) for i, row in enumerate(rows, start=1))
    if not asked or len({one.name for one in asked}) < len(asked):
        raise ValueError(f"{where}: conditions must be at least one, each with a name of its own")
    return asked


def _checked(
    kind: type,
    table: Any,
    where: str,
    types: dict[str, Any],
    without: set[str] = frozenset(),
    may_be_empty: set[str] = frozenset(),
) -> dict[str, Any]:
    """The values of a table that must have the fields of a dataclass; texts with single spaces."""
    names = {field.name for field in fields(kind)} - without
    if not isinstance(table, dict) or set(table) != names:
        got = sorted(set(table) ^ names) if isinstance(table, dict) else table
        raise ValueError(f"{where}: must have the fields {', '.join(sorted(names))}; missing or unknown: {got}")
    values = {name: " ".join(value.split()) if isinstance(value, str) else value for name, value in table.items()}
    for name, value in values.items():
        if not isinstance(value, types.get(name, str)) or value == "" and name not in may_be_empty:
            wanted = "value of its kind" if name in types else "text that is not empty"
            raise ValueError(f"{where}: {name} must be a {wanted}, got {value!r}")
    return values


CLAIMS = load()
LONG = 250  # characters of a finding that is folded away


def when_written(claims: Iterable[Claim] = CLAIMS) -> str:
    """How many of the rules in force were written when, and which."""
    claims = list(claims)
    of = {kind: [claim.name for claim in claims if claim.written == kind] for kind in WRITTEN}
    parts = [say(WRITTEN[kind], number=len(names), claims=", ".join(names)) for kind, names in of.items() if names]
    waiting = sum(claim.next is not None for claim in claims)
    said = [say("in-force", rules=len(claims), written="; ".join(parts))]
    if waiting:
        said.append(say("to-come", which="Each" if waiting == len(claims) else f"{waiting} of them"))
    return " ".join(said)


WHEN = when_written()


def for_section(section: str) -> list[Claim]:
    """The claims whose evidence is in this notebook."""
    return [claim for claim in CLAIMS if claim.section == section]


def block(claim: Claim, finding: Finding) -> str:
    """A claim as its notebook shows it, markdown: verdict, statement, the paper's number, a link to the rule, and ours.

    Where the finding has several sentences, or long ones, all but the verdict is folded away.
    """
    ours = NOT_RUN.verdict if finding == NOT_RUN else finding.ours.rstrip(".")
    parts = re.split(r"(?<=[^ ])\. (?=[A-Z])", ours)
    text = say("claim", name=claim.name, verdict=finding.label, statement=claim.statement,
               paper=claim.paper.rstrip("."), anchor=claim.name.lower())  # fmt: skip
    if len(parts) == 1 and len(ours) < LONG:
        return f"{text} **Ours**: {ours}."
    measured = "\n".join(f"- {part}." for part in parts)
    return _folded(say("claim-folded", name=claim.name, verdict=finding.label), f"{text}\n\n{measured}")


def rule_in_words(claim: Claim) -> str:
    """The rule in force as a point of a list, its conditions as points below it."""
    points = [f"  - *{asked.name}*: {asked.test}." for asked in claim.conditions]
    return "\n".join([f"**Rule**: {claim.rule}", *points, *([f"  - {claim.combined}"] if points else [])])


def card(claim: Claim, finding: Finding, evidence: str) -> str:
    """A claim as the claims page shows it: verdict and statement; what was measured, the rule and its history folded.

    Args:
        evidence: words of the link to it. The heading is the claim's name alone, so that its address stays.
    """
    verdict = finding.label[0].upper() + finding.label[1:]
    head = say("card", anchor=claim.name.lower(), name=claim.name, verdict=verdict, statement=claim.statement,
               paper=claim.paper.rstrip("."), evidence=evidence, address=claim.address)  # fmt: skip
    parts = re.split(r"(?<=[^ ])\. (?=[A-Z])", finding.ours.rstrip("."))  # a long finding is a list of sentences
    measured = [] if finding == NOT_RUN else [_folded("What was measured", "\n".join(f"- {part}." for part in parts))]
    return "\n\n".join([head, *measured, rules(claim)])


def rules(claim: Claim) -> str:
    """The rule in force, its history and the rule to come, as markdown that is folded away."""
    config = yaml.safe_load((Path(__file__).parents[2] / "_config.yml").read_text(encoding="utf-8"))
    commits = f"{config['repository']['url']}/commit"
    history = "\n".join(f"- {row.date}: {row.change} Seen by then: {row.seen}." for row in claim.history)
    parts = [f"- {rule_in_words(claim)}", f"**Its history**\n\n{history}"]
    if (after := claim.next) is not None:
        link = f"[{after.committed[:9]}]({commits}/{after.committed})"
        points = "\n".join(f"- *{asked.name}*: {asked.test}." for asked in after.conditions)
        fixed = link if after.committed else "the commit that brought it here"
        parts.append(say("rule-to-come", rule=after.rule, points=points, combined=after.combined, runs=after.runs,
                         seen=after.seen, fixed=fixed))  # fmt: skip
    title = "The rule, its history, and the rule to come" if after is not None else "The rule and its history"
    return _folded(title, "\n\n".join(parts))


def _folded(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def by_name(name: str) -> Claim:
    """A claim, such as C3."""
    return next(claim for claim in CLAIMS if claim.name == name)


@functools.cache
def finding(claim: Claim, read: Read) -> Finding:
    """What the records that `read` gives say about a claim; decided once."""
    return claim.decide(read)


def section(name: str, read: Read) -> str:
    """The claims whose evidence is in this notebook, as the notebook shows them: with a link to the rule of each."""
    blocks = [block(claim, finding(claim, read)) for claim in for_section(name)]
    return "\n\n".join([*blocks, say("all-claims")])


def badges(name: str, read: Read) -> str:
    """The claims of a notebook with their verdicts, one line each, as markdown."""
    rows = [
        say("badge", name=claim.name, anchor=claim.name.lower(), statement=claim.statement,
            verdict=finding(claim, read).label)
        for claim in for_section(name)
    ]  # fmt: skip
    return "\n".join(["| claim | the paper says | here |", "|:---|:---|:---|", *rows])


def settled(read: Read) -> dict[str, Finding]:
    """The finding on each claim."""
    return {claim.name: finding(claim, read) for claim in CLAIMS}


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """How many claims have which verdict."""
    verdicts = [finding.verdict for finding in findings]
    order = ("reproduced", "in part", "not reproduced", "not yet run")
    return {name: verdicts.count(name) for name in order}
