"""Who is to hear of what happens, as the process environment says.

The variables of OpenTelemetry are those of its specification ("OpenTelemetry Protocol Exporter" and "General SDK Configuration");
TRACEPARENT is W3C Trace Context's header as a variable.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Collector", "Observed", "observed_of", "send_spans"]

#: version-traceid-parentid-flags, of which ids of zeros only are invalid (W3C Trace Context 3.2).
_PARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
#: How long a collector may take, in seconds, unless it is said otherwise (the specification's default).
_TIMEOUT = 10.0


class Collector(msgspec.Struct, frozen=True, kw_only=True):
    """Where spans go. ``parent`` is the trace and span that they are below; ``timeout`` bounds the whole of it, in seconds."""

    url: str
    headers: dict[str, str]
    timeout: float
    service: str
    attributes: dict[str, str]
    parent: tuple[str, str] | None
    unsupported: str | None = None


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """``events`` is the file of LOCKAGE_EVENTS."""

    events: str | None
    collector: Collector | None


def observed_of(environ: Mapping[str, str] | None = None) -> Observed:
    """What the environment asks for; this process's own unless a test says otherwise. What cannot be understood counts for nothing."""
    found = os.environ if environ is None else environ
    return Observed(events=found.get("LOCKAGE_EVENTS") or None, collector=_collector(found))


def _collector(environ: Mapping[str, str]) -> Collector | None:
    def setting(name: str) -> str:
        return (environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}") or "").strip()

    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    url = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip() or (base and f"{base.rstrip('/')}/v1/traces")
    if not url or environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or environ.get("OTEL_TRACES_EXPORTER", "") == "none":
        return None
    milliseconds = setting("TIMEOUT")
    attributes = _pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
    parent = _PARENT.fullmatch(environ.get("TRACEPARENT", "").strip())
    protocol = setting("PROTOCOL")
    return Collector(
        url=url,
        headers=_pairs(setting("HEADERS")),
        timeout=int(milliseconds) / 1000 if milliseconds.isascii() and milliseconds.isdecimal() else _TIMEOUT,
        service=environ.get("OTEL_SERVICE_NAME") or attributes.get("service.name", "lockage"),
        attributes=attributes,
        parent=(parent[1], parent[2]) if parent is not None else None,
        unsupported=protocol if protocol not in ("", "http/json", "http/protobuf") else None,
    )


def _pairs(text: str) -> dict[str, str]:
    """``key=value,key=value`` with percent-encoded values, as W3C Baggage has them."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {unquote(key.strip()): unquote(value.strip()) for key, _, value in pairs if key.strip()}


def send_spans(collector: Collector, documents: Sequence[dict[str, Any]]) -> str | None:
    """Send OTLP documents as the environment's proxies and certificates say; why that failed, or None."""
    if collector.unsupported is not None:
        return f"the protocol {collector.unsupported!r} is not spoken here, only http/json"
    from lockage.adapters.downloads_http import proxies_of
    from lockage.adapters.spans_otlp import send

    ca_file = os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or os.environ.get("SSL_CERT_FILE")
    return send(
        collector.url,
        documents,
        headers=collector.headers,
        timeout=collector.timeout,
        proxies=proxies_of(dict(os.environ)),
        ca_file=Path(ca_file) if ca_file else None,
    )
