"""A Sphinx extension: figures for light, dark and narrow pages, interactive ones, and what a page says of itself."""

from __future__ import annotations

from html import escape

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.directives.patches import Figure

NARROW = "(max-width: 599px)"  # pages of this width show a figure's drawing for phones, if it has one
DESCRIPTION = 200  # characters of a page's first paragraph that search engines are told
CARD = "_static/headline-light.png"  # what a link to the book shows where people share it


class ThemedImages(nodes.container):
    """The images of a figure; `explore` and `key` are kind and name of the interactive figure in their place, or None.

    Each theme's image is in a link to itself at its full size. They load when they come into view, and so only those of
    the theme that the page has.
    """


class ThemedFigure(Figure):
    """Sphinx's `figure`, for light pages, and which images take its place on dark and on narrow ones."""

    option_spec = {
        **Figure.option_spec,
        **dict.fromkeys(("dark", "light-narrow", "dark-narrow"), directives.uri),
        **dict.fromkeys(("size", "narrow-size", "explore", "key"), directives.unchanged),  # sizes as "width height"
    }

    def run(self) -> list[nodes.Node]:
        names = ("dark", "light-narrow", "dark-narrow")
        twins = {name: self.options.pop(name) for name in names if name in self.options}
        sizes = {name: self.options.pop(name, "") for name in ("size", "narrow-size")}
        live = {name: self.options.pop(name, None) for name in ("explore", "key")}
        made = super().run()
        figure = made[-1]
        image = figure.next_node(nodes.image) if isinstance(figure, nodes.figure) else None
        if image is not None:
            images = {"light": image.copy()}
            for name, address in twins.items():
                images[name] = image.copy()
                images[name]["uri"] = address
            for name, one in images.items():
                one["for"], one["size"] = name, sizes["narrow-size" if "narrow" in name else "size"].split()
            figure.replace(image, ThemedImages("", *images.values(), **live))
        return made


def write_images(translator, node: ThemedImages) -> None:
    """Write a figure's images; Sphinx knows by now under which names it puts them."""
    builder = translator.builder
    images = {image["for"]: image for image in node.findall(nodes.image)}

    def source(name):
        return escape(f"{builder.imgpath}/{builder.images[images[name]['uri']]}")

    def size(name):
        return "".join(f' {side}="{n}"' for side, n in zip(("width", "height"), images[name]["size"], strict=False))

    live = f' data-explore="{escape(node["explore"])}" data-key="{escape(node["key"])}"' if node["explore"] else ""
    parts = [f'<div class="themed-images"{live}>']
    for theme in ("light", "dark"):
        narrow = f"{theme}-narrow"
        phone = f'<source media="{NARROW}" srcset="{source(narrow)}"{size(narrow)}>' if narrow in images else ""
        alt = escape(images[theme].get("alt", ""))
        # "dark-light" keeps the theme of the book from filtering the image
        image = f'<img class="dark-light" src="{source(theme)}" alt="{alt}"{size(theme)} loading="lazy">'
        link = f'<a class="on-{theme}" href="{source(theme)}" title="Open at full size">'
        parts.append(f"{link}<picture>{phone}{image}</picture></a>")
    translator.body.append("".join([*parts, "</div>\n"]))
    raise nodes.SkipNode


def complete_page(app, pagename: str, templatename: str, context: dict, doctree) -> None:
    """The scripts of a page's interactive figures, its description, and what stands at its foot."""
    if "doc-biblioentry" in context.get("body", ""):  # Sphinx puts these roles into a list, which may hold items only
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
    live = [node for node in doctree.findall(ThemedImages) if node["explore"]] if doctree else []
    if live:
        app.add_css_file("explore/explore.css")
        kinds = dict.fromkeys(node["explore"] for node in live)
        for name in ["explore", *kinds, *(f"data/{node['key']}" for node in live)]:
            app.add_js_file(f"explore/{name}.js", loading_method="defer")
    first = next(doctree.findall(nodes.paragraph), None) if doctree else None
    words = " ".join(first.astext().split()) if first else app.config.project
    if len(words) > DESCRIPTION:
        words = words[:DESCRIPTION].rsplit(" ", 1)[0] + " …"
    tags = {"name": {"description": words, "twitter:card": "summary_large_image"}}
    tags["property"] = {"og:title": context.get("title", ""), "og:description": words, "og:type": "article"}
    if base := app.config.html_baseurl:
        tags["property"] |= {"og:image": f"{base.rstrip('/')}/{CARD}", "og:url": f"{base.rstrip('/')}/{pagename}.html"}
    for kind, values in tags.items():
        for name, value in values.items():
            context["metatags"] = context.get("metatags", "") + f'\n<meta {kind}="{name}" content="{escape(value)}">'
    if foot := context.get("theme_extra_footer"):  # in _config.yml; {root}: the way to the book's first folder
        foot = foot.replace("{root}", context["content_root"].rstrip("/"))
        context["theme_extra_footer"] = foot.replace("{repository}", context["theme_repository_url"].rstrip("/"))


def setup(app) -> dict:
    """Register the directive `themed-figure` and what is added to each page."""
    app.add_directive("themed-figure", ThemedFigure)
    app.add_node(ThemedImages, html=(write_images, None))
    app.connect("html-page-context", complete_page, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
