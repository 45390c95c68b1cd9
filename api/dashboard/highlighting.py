"""JSON with its parts marked for the style sheet."""

import json
import re

from markupsafe import Markup, escape

# This matches only json.dumps' own output, so the grammar may be this simple.
TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")(?P<colon>\s*:)?|(?P<number>-?\d[\d.eE+-]*)|(?P<word>true|false|null)'
)
# A list without lists and objects. Strings hold no line breaks, so the brackets are the list's own.
FLAT_LIST = re.compile(r"\[\n\s*([^\[\]{}]*?)\n\s*\]")


def json_html(value: object) -> Markup:
    """Return indented JSON as HTML. Keys, strings, numbers and words are spans of that class. Text is escaped."""
    text = FLAT_LIST.sub(_on_one_line, json.dumps(value, indent=2, ensure_ascii=False))
    html, end = [], 0
    for token in TOKEN.finditer(text):
        html.append(escape(text[end : token.start()]))
        kind = "key" if token["colon"] else str(token.lastgroup)
        html.append(
            Markup('<span class="json-{}">{}</span>{}').format(kind, token["string"] or token[0], token["colon"] or "")
        )
        end = token.end()
    html.append(escape(text[end:]))
    return Markup("").join(html)


def _on_one_line(flat: re.Match[str]) -> str:
    return "[" + re.sub(r"\n *", " ", flat[1]) + "]"
