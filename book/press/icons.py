"""Of Font Awesome, which the theme brings whole, a rendered book keeps the icons that its pages name: 1.5 MB less."""

import re
from pathlib import Path

SCRIPT = Path("_static/scripts/fontawesome.js")
ICON = re.compile(r"""("?)([\w-]+)\1:\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]*",(?:"[^"]*"|\[[^\]]*\])\],?""")


def named(site: Path) -> set[str]:
    """The icons that pages and scripts of a rendered book name."""
    files = [*site.rglob("*.html"), *(path for path in site.rglob("*.js") if path != site / SCRIPT)]
    return {name for path in files for name in re.findall(r"\bfa-([a-z0-9-]+)", path.read_text(encoding="utf-8"))}


def kept(script: str, names: set[str]) -> str:
    """Font Awesome's script without the icons of other names.

    >>> kept('{"a-b":[8,8,[],"f0","M1"],c:[8,8,[97,"d"],"f1",["M2",""]],e:[8,8,[],"f2","M3"]}', {"a-b", "d"})
    '{"a-b":[8,8,[],"f0","M1"],c:[8,8,[97,"d"],"f1",["M2",""]],}'
    """

    def entry(icon: re.Match) -> str:
        others = re.findall('"([^"]+)"', icon[3])  # by which it is known, too
        return icon[0] if names.intersection([icon[2], *others]) else ""

    return ICON.sub(entry, script)


def slim(site: Path) -> None:
    """Write the script of a rendered book without what it does not use."""
    path = site / SCRIPT
    if path.is_file():
        path.write_text(kept(path.read_text(encoding="utf-8"), named(site)), encoding="utf-8")
