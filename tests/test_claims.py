import datetime
import re
from dataclasses import replace

import pytest

from notebooks.paper import claims

TEXT = claims.FILE.read_text(encoding="utf-8")
DECIDE = {"C1": lambda read: None, "C2": lambda read: None}
CLAIM = """
[[claim]]
name = "C1"
section = "images"
heading = "Accuracy"
statement = "All do
equally   well."
paper = "Figure 2a"
rule = "Within 1 point."
written = "before"
history = [{ date = 2026-11-24, commit = "0123abc", change = "First text.", seen = "no results" }]
""".replace("All do\nequally", '""All do\nequally').replace('well."', 'well."""')
NEXT = """
[claim.next]
runs = "All depths."
rule = "At the best depth."
conditions = [{ name = "equal", test = "within 1 point" }, { name = "like GELU", test = "near to it" }]
combined = "All."
seen = "Everything."
committed = ""
"""


def load(tmp_path, text, names=("C1",)):
    path = tmp_path / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return claims.load(path, {name: DECIDE[name] for name in names})


def test_a_claim_is_read_with_its_history_and_the_rule_to_come(tmp_path):
    (claim,) = load(tmp_path, CLAIM + NEXT)
    assert (claim.name, claim.statement, claim.decide) == ("C1", "All do equally well.", DECIDE["C1"])
    (first,) = claim.history
    assert first == claims.Change(datetime.date(2026, 11, 24), "0123abc", "First text.", "no results")
    assert [asked.name for asked in claim.next.conditions] == ["equal", "like GELU"] and claim.next.committed == ""
    (without,) = load(tmp_path, CLAIM)
    assert without == replace(claim, next=None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[[claim]]", "[[claim", "must be TOML"),
        ("[[claim]]", "[claim]", "array of tables"),
        ('paper = "Figure 2a"', "", r"claim 1 \(C1\): must have the fields .*missing or unknown: \['paper'\]"),
        ('paper = "Figure 2a"', 'paper = ""', "paper must be a text that is not empty, got ''"),
        ('paper = "Figure 2a"', "paper = 2", "paper must be a text that is not empty, got 2"),
        ('paper = "Figure 2a"', 'paper = "Figure 2a"\nnotes = "x"', r"missing or unknown: \['notes'\]"),
        ('name = "C1"', 'name = "C7"', r"claim 1 \(C7\): no code decides"),
        (
            'written = "before"',
            'written = "early"',
            "written must be one of before, narrowed, changed, after trials, got 'early'",
        ),
        ('commit = "0123abc"', 'commit = "HEAD"', "history 1: commit must be the hash of one, got 'HEAD'"),
        ("date = 2026-11-24", 'date = "2026-11-24"', "date must be a value of its kind, got '2026-11-24'"),
        ('committed = ""', 'committed = "soon"', "next: committed must be the hash of a commit or empty, got 'soon'"),
        ('name = "like GELU"', 'name = "equal"', "conditions must be at least one, each with a name of its own"),
        (', test = "near to it"', "", "condition 2: must have the fields name, test"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(tmp_path, old, new, message):
    assert old in CLAIM + NEXT
    with pytest.raises(ValueError, match=message):
        load(tmp_path, (CLAIM + NEXT).replace(old, new))


def test_a_rule_in_force_may_have_named_conditions(tmp_path):
    named = 'conditions = [{ name = "equal", test = "within 1 point" }]\ncombined = "All."\n'
    (claim,) = load(tmp_path, CLAIM + named)
    assert claim.conditions == (claims.Asked("equal", "within 1 point"),)
    assert claims.rule_in_words(claim) == "**Rule**: Within 1 point.\n  - *equal*: within 1 point.\n  - All."
    (plain,) = load(tmp_path, CLAIM)
    assert claims.rule_in_words(plain) == "**Rule**: Within 1 point."
    with pytest.raises(ValueError, match="conditions and combined must be given together"):
        load(tmp_path, CLAIM + named.replace('combined = "All."', ""))


def test_history_is_in_order_and_claims_are_complete(tmp_path):
    row = '{ date = 2026-11-24, commit = "0123abc", change = "First text.", seen = "no results" }'
    with pytest.raises(ValueError, match="in the order of their dates"):
        load(tmp_path, CLAIM.replace(row, f"{row}, {row.replace('24', '23')}"))
    with pytest.raises(ValueError, match="must have the claims C1, C2, in this order, got C1"):
        load(tmp_path, CLAIM, names=("C1", "C2"))


def test_when_the_rules_were_written_is_counted():
    first, second = (replace(claim, next=None) for claim in claims.CLAIMS[:2])
    few = [replace(first, written="before"), replace(second, written="after trials")]
    assert claims.when_written(few) == (
        "Of the 2 rules in force, 1 (C1) came before the full-scale results that decide them were read; "
        "1 (C2) came after trials with one seed."
    )
    assert " 1 of them will be replaced" in claims.when_written(
        [few[0], next(claim for claim in claims.CLAIMS if claim.next)]
    )


def test_a_rule_that_was_changed_is_counted_as_such():
    for claim in claims.CLAIMS:
        assert len(claim.history) > 1 or claim.written == "before"
        if claim.written == "after trials":
            assert claim.history[0].seen == "trials with one seed"


def test_rule_history_and_the_rule_to_come_are_one_click_away():
    claim = next(claim for claim in claims.CLAIMS if claim.next)
    shown = claims.rules(claim)
    assert shown.count("<details>") == shown.count("</details>") == 1
    assert "- 2026-11-24: First text" in shown and all(f"*{asked.name}*" in shown for asked in claim.next.conditions)
    fixed = claims.rules(replace(claim, next=replace(claim.next, committed="0123abcdef01")))
    assert re.search(r"\[0123abcde\]\(https://github\.com/[\w.-]+/[\w.-]+/commit/0123abcdef01\)", fixed)
    assert claims.rules(replace(claim, next=None)).count("to come") == 0
