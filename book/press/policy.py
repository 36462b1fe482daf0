"""The content security policy of a rendered page: the scripts that the book's theme put there, and nothing else."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from html import escape, unescape
from pathlib import Path

SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
HANDLER = re.compile(r"""<[a-z][^>]*?\s(?:on[a-z]+)=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
CHARSET = re.compile(r"<meta charset=[^>]*>", re.IGNORECASE)
# Styles may be inline: formulas and the theme set them. Nothing is loaded from another host.
SOURCES = (
    "default-src 'none'; img-src 'self' data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'"
)


def policy(page: str) -> str:
    """The policy of a page with these inline scripts and event handlers, each allowed by its hash.

    >>> policy("<script>alert(1)</script>").split("; ")[-1]
    "script-src 'self' 'unsafe-hashes' 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    """
    inline = [text for attributes, text in SCRIPT.findall(page) if not re.search(r"\bsrc\s*=", attributes)]
    inline += [unescape(double or single) for double, single in HANDLER.findall(SCRIPT.sub("", page))]
    digests = dict.fromkeys(b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return f"{SOURCES}; script-src 'self' 'unsafe-hashes' {allowed}"


def secure(site: Path) -> None:
    """Write its policy into each page of a rendered book; to be called once, when the pages have been checked.

    Raises:
        ValueError: a page without the mark that the policy stands behind.
    """
    for path in sorted(site.rglob("*.html")):
        if "_static" in path.relative_to(site).parts:
            continue
        page = path.read_text(encoding="utf-8")
        tag = f'<meta http-equiv="Content-Security-Policy" content="{escape(policy(page))}">'
        secured, found = CHARSET.subn(lambda mark, tag=tag: f"{mark.group()}\n    {tag}", page, count=1)
        if not found and "<head" in page:
            raise ValueError(f"{path.relative_to(site)} must say its charset, which the policy stands behind")
        path.write_text(secured, encoding="utf-8")
