"""Sends spans to an OpenTelemetry collector: OTLP over HTTP, as JSON, in bounded time."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec

from lockage.transfer.connection import Connections, Failed, NoAnswer, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["send"]


def send(
    url: str,
    documents: Sequence[Mapping[str, Any]],  # Any: OTLP's JSON
    *,
    headers: Mapping[str, str],
    timeout: float,
    proxies: Mapping[str, str],
    ca_file: Path | None,
) -> str | None:
    """Post each document; why that failed, or None. Takes ``timeout`` seconds in all at most, whatever the collector does."""
    try:
        place = shown(url)
    except ValueError as error:
        return f"{url!r} is no address: {error}"
    said: list[str | None] = []
    end = time.monotonic() + timeout
    connections = Connections(proxies=proxies, ca_file=ca_file, timeout=timeout)

    def post() -> None:
        try:
            for document in documents:
                if time.monotonic() < end:
                    body = msgspec.json.encode(document)
                    connections.post(url, {"Content-Type": "application/json", "User-Agent": "lockage", **headers}, body)
        except Failed as error:
            said.append(f"{place}: {error}")
        except NoAnswer:
            said.append(f"{place}: there is nothing at this address (404)")
        except Exception as error:  # noqa: BLE001 (an address that is none, a header that cannot be sent: never the command's fault)
            said.append(f"{place}: {type(error).__name__}: {error}")
        else:
            said.append(None)
        finally:
            connections.close()

    worker = threading.Thread(target=post, name="spans", daemon=True)
    worker.start()
    worker.join(timeout)
    return said[0] if said else f"{place} did not take them within {timeout:g} s"
