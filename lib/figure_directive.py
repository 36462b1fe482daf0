"""A Sphinx extension with one directive: a figure with one image for light pages and one for dark pages."""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.directives.patches import Figure


class ThemedFigure(Figure):
    """Sphinx's `figure` with the option `dark`: the image that takes its place when the page is dark."""

    option_spec = {**Figure.option_spec, "dark": directives.uri}

    def run(self) -> list[nodes.Node]:
        dark = self.options.pop("dark")
        made = super().run()
        figure = made[-1]
        image = figure.next_node(nodes.image) if isinstance(figure, nodes.figure) else None
        if image is not None:
            twin = image.copy()
            twin["uri"] = dark
            # "dark-light" keeps the theme from filtering the image. The theme's own classes for this,
            # only-light and only-dark, would hide the caption as well.
            image["classes"] = [*image["classes"], "dark-light", "on-light"]
            twin["classes"] = [*twin["classes"], "dark-light", "on-dark"]
            figure.replace(image, nodes.container("", image, twin, classes=["themed-images"]))
        return made


def setup(app) -> dict:
    """Register the directive `themed-figure`."""
    app.add_directive("themed-figure", ThemedFigure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
