"""Reads HTML by Python's own parser: tags with attributes, ids, links and text."""

from html.parser import HTMLParser


class Markup(HTMLParser):
    """What a page consists of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    @property
    def ids(self) -> list[str]:
        return self._all("id")

    @property
    def links(self) -> list[str]:
        return self._all("href") + self._all("src") + self._all("action")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data

    def _all(self, name: str) -> list[str]:
        return [value or "" for _, attributes in self.tags for key, value in attributes if key == name]


def of_html(text: str) -> Markup:
    """Return what a page consists of."""
    made = Markup()
    made.feed(text)
    made.close()
    return made
