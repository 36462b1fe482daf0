"""A Sphinx extension with one directive: a figure with one image for light pages and one for dark pages."""

from __future__ import annotations

from html import escape

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.directives.patches import Figure


class ThemedImages(nodes.container):
    """The two images of a figure, in a link to the light one at its full size, where small text can be read.

    Browsers show a picture without a page on light grey, so the dark one would be hard to see there.
    """


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
            figure.replace(image, ThemedImages("", image, twin))
        return made


def open_images(translator, node: ThemedImages) -> None:
    """Write the start of the box and of the link; Sphinx knows by now under which name it puts the image."""
    builder, uri = translator.builder, node.next_node(nodes.image)["uri"]
    address = escape(f"{builder.imgpath}/{builder.images[uri]}")
    translator.body.append(f'<div class="themed-images"><a href="{address}" title="Open at full size">')


def close_images(translator, node: ThemedImages) -> None:
    """Write the end of both."""
    translator.body.append("</a></div>\n")


def setup(app) -> dict:
    """Register the directive `themed-figure`."""
    app.add_directive("themed-figure", ThemedFigure)
    app.add_node(ThemedImages, html=(open_images, close_images))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
