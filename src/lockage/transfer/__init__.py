"""How bytes come over the network: one HTTP client, with its retries, proxies and redirects; used by the adapters that fetch.

Nothing here knows what the bytes are, or believes that they are what was asked for.
"""

from lockage.transfer.transport import Transport, shown

__all__ = ["Transport", "shown"]
