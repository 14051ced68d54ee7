"""What a browser would read of some HTML: text by line, and addresses."""

from __future__ import annotations

from html.parser import HTMLParser


class Reader(HTMLParser):
    """The text of some HTML by the id of the line around it, and all addresses; closed tags are counted."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: dict[str, str] = {}
        self.hrefs: list[str] = []
        self.open: list[str] = []
        self.at = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        found = dict(attrs)
        self.hrefs += [found["href"]] if "href" in found else []
        if found.get("class") == "line":
            self.at = found["id"]
            self.lines[self.at] = ""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.lines[self.at] = self.lines.get(self.at, "") + data
