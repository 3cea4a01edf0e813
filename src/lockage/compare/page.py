"""A comparison as one page of HTML: whole in itself, without scripts, in light and dark, its nesting folded.

Invariant: everything that comes from a file goes through :func:`_text`; a page loads nothing, and its policy forbids it to.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lockage.compare.render import printable, said_of, sorted_members, span_title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lockage.compare.difference import Comparison, Detail, MemberDifference, Span

__all__ = ["render_page"]

_STYLE = """
:root { color-scheme: light dark; --a: #9b1c1c; --b: #0b5d2e; --soft: #5f6672; --line: #c9ced6; --back: #f4f5f7; }
@media (prefers-color-scheme: dark) { :root { --a: #ff9d94; --b: #7fdca0; --soft: #a3abb8; --line: #3c434e; --back: #1d2127; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 75rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; }
details { border-left: 2px solid var(--line); padding-left: .8rem; margin: .4rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
summary:focus-visible { outline: 2px solid; }
table { border-collapse: collapse; margin: .4rem 0; display: block; overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .15rem .6rem .15rem 0; border-bottom: 1px solid var(--line); }
td, pre, code { font-family: ui-monospace, monospace; font-size: .875rem; overflow-wrap: anywhere; }
pre { background: var(--back); padding: .6rem; overflow-x: auto; white-space: pre-wrap; }
del { color: var(--a); text-decoration: none; } ins { color: var(--b); text-decoration: none; }
.soft { color: var(--soft); }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_page(comparison: Comparison, a: str, b: str, *, limit: int) -> str:
    """The page; ``a`` and ``b`` are what was compared, ``limit`` is that of members, details and lines of each."""
    title = f"{comparison.name}: {comparison.grade}"
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
    body = [f"<h1>{_text(title)}</h1>", f"<p><del>a: {_text(a)}</del><br><ins>b: {_text(b)}</ins></p>", *_members(comparison, limit)]
    if not comparison.members:
        body.append("<p>They are the same, byte for byte.</p>")
    return head + "\n".join(body) + "\n</main>\n</body>\n</html>\n"


def _text(text: str) -> str:
    return escape(printable(text))


def _members(comparison: Comparison, limit: int) -> Iterator[str]:
    ordered = sorted_members(comparison)
    for number, difference in enumerate(ordered[:limit]):
        yield f"<details{' open' if number < _OPEN else ''}><summary><code>{_text(difference.path) or 'the file itself'}</code> "
        form = f", read as {difference.form}" if difference.form else ""
        yield f'<span class="soft">{escape(said_of(difference) + form)}</span></summary>'
        yield from _member(difference, limit)
        yield "</details>"
    more = max(len(ordered) - limit, 0) + comparison.omitted
    if more:
        yield _note(f"… and {more} more")


_OPEN = 20


def _note(text: str) -> str:
    return f'<p class="soft">{_text(text)}</p>'


def _member(difference: MemberDifference, limit: int) -> Iterator[str]:
    if difference.origin:
        yield _note(f"in a: {difference.origin}")
    if difference.follows:
        yield _note(f"follows from others: {difference.follows}")
    rows = [(field.field, field.a or "-", field.b or "-") for field in difference.fields]
    rows += [_row(detail) for detail in difference.details[:limit]]
    if rows:
        yield '<table><thead><tr><th scope="col">what</th><th scope="col">a</th><th scope="col">b</th></tr></thead><tbody>'
        for name, a, b in rows:
            yield f'<tr><th scope="row">{_text(name)}</th><td><del>{_text(a)}</del></td><td><ins>{_text(b)}</ins></td></tr>'
        yield "</tbody></table>"
    more = max(len(difference.details) - limit, 0) + difference.omitted
    if more:
        yield _note(f"… and {more} more of these")
    if difference.nested is not None:
        yield f"<p><code>{_text(difference.nested.name)}</code>: {escape(difference.nested.grade)}</p>"
        yield from _members(difference.nested, limit)
    elif difference.diff:
        yield f"<pre>{chr(10).join(_diff_line(line) for line in difference.diff[:limit])}</pre>"
        if len(difference.diff) > limit:
            yield _note(f"… and {len(difference.diff) - limit} more lines")
    elif difference.spans:
        yield from _spans(difference, limit)


def _row(detail: Detail) -> tuple[str, str, str]:
    return f"{detail.kind} {detail.name}".rstrip(), "(none)" if detail.a is None else detail.a, "(none)" if detail.b is None else detail.b


def _diff_line(line: str) -> str:
    tag = {"-": "del", "+": "ins"}.get(line[:1])
    return f"<{tag}>{_text(line)}</{tag}>" if tag else _text(line)


def _spans(difference: MemberDifference, limit: int) -> Iterator[str]:
    shown = difference.spans[:limit]
    yield f"<pre>{chr(10).join(_span(span) for span in shown)}</pre>"
    if difference.ranges > len(shown):
        yield _note(f"… and {difference.ranges - len(shown)} more ranges; {difference.differing} bytes differ in all")


def _span(span: Span) -> str:
    return f"{escape(span_title(span))}\n<del>- {span.a or '(nothing)'}</del>\n<ins>+ {span.b or '(nothing)'}</ins>"
