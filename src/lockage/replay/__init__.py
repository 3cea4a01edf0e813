"""What a service has been recorded to answer, and which recorded response answers a request; see docs/services.md.

Invariant: nothing here knows sockets or files: bytes and requests in, responses out.
"""

from lockage.replay.model import Exchange, InvalidRecording, Recording, Request, Response
from lockage.replay.reading import private_headers, read_recording
from lockage.replay.replay import Replay, Unexpected

__all__ = [
    "Exchange",
    "InvalidRecording",
    "Recording",
    "Replay",
    "Request",
    "Response",
    "Unexpected",
    "private_headers",
    "read_recording",
]
