"""A Sphinx extension: the bibliography labels its entries as the text cites them, by authors and year."""

from pybtex.plugin import register_plugin
from pybtex.style.formatting.plain import Style as Plain
from pybtex.style.labels import BaseLabelStyle


class AuthorYear(BaseLabelStyle):
    """Labels such as "Teney et al., 2025"; a second paper of the same authors and year gets a "b"."""

    def format_labels(self, entries):
        seen = {}
        for entry in entries:
            people = [" ".join(person.prelast_names + person.last_names) for person in entry.persons["author"]]
            names = " and ".join(people) if len(people) < 3 else f"{people[0]} et al."
            label = f"{names}, {entry.fields['year']}"
            seen[label] = seen.get(label, 0) + 1
            yield label + ("" if seen[label] == 1 else chr(ord("a") + seen[label] - 1))


class Style(Plain):
    """Sorted by author; otherwise pybtex's plain style."""

    default_label_style = AuthorYear


def setup(app) -> dict:
    """Register the style `authoryear` for `{bibliography}`."""
    register_plugin("pybtex.style.formatting", "authoryear", Style)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
