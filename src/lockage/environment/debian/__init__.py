"""Debian's indices and their dependency solver, as pure functions over text (Debian policy 5 and 7; repository format)."""

from lockage.environment.debian.contents import PackagedFile, chosen_lines, find_files
from lockage.environment.debian.control import (
    Release,
    Stanza,
    fields,
    parse_packages,
    parse_release,
    stanza_of,
    stanzas_from_memo,
    stanzas_to_memo,
)
from lockage.environment.debian.relation import Relation, parse_field, parse_term
from lockage.environment.debian.solver import pin, resolve
from lockage.environment.debian.suites import Index, IndexedSuite, index_of
from lockage.environment.debian.version import satisfies, version_key

__all__ = [
    "Index",
    "IndexedSuite",
    "PackagedFile",
    "Relation",
    "Release",
    "Stanza",
    "chosen_lines",
    "fields",
    "find_files",
    "index_of",
    "parse_field",
    "parse_packages",
    "parse_release",
    "parse_term",
    "pin",
    "resolve",
    "satisfies",
    "stanza_of",
    "stanzas_from_memo",
    "stanzas_to_memo",
    "version_key",
]
