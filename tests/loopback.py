"""Servers on the loopback that stand in for a company's: they want credentials, speak TLS of their own CA, or are a proxy.

Tests get this module as the fixture ``loopback``.
"""

from __future__ import annotations

import base64
import io
import ipaddress
import json
import select
import socket
import ssl
import threading
import zipfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SIMPLE = "application/vnd.pypi.simple.v1+json"


def wheel(name: str, version: str) -> tuple[str, bytes]:
    """A tiny wheel that can be installed, and its file name."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return f"{name}-{version}-py3-none-any.whl", buffer.getvalue()


def forms(secret: str) -> tuple[bytes, ...]:
    """How a password may be written: as it is, in an address, and as the end of a Basic token whatever the user's name is."""
    tokens = [base64.b64encode(b"x" * shift + b":" + secret.encode())[4:-4] for shift in range(3)]
    return (secret.encode(), quote(secret, safe="").encode(), *tokens)


def leaks(secret: str, *places: Path) -> list[str]:
    """The files below the places that hold the secret in any of its forms."""
    files = [file for place in places for file in (place, *place.rglob("*")) if file.is_file() and not file.is_symlink()]
    return [str(file) for file in files if any(form in file.read_bytes() for form in forms(secret))]


class Authority:
    """A CA that was made for one test, and a certificate of it for the loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        now = datetime.now(UTC)
        key, server = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A company's own CA")])

        def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
            found = x509.CertificateBuilder().subject_name(subject).issuer_name(name).public_key(public)
            found = (
                found.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(9))
            )
            return found.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False).add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
            )

        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)  # of certificates and revocations
        authority = (
            certificate(name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        self.file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        leaf = (
            certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), server.public_key())
            .add_extension(names, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(key, hashes.SHA256())
        )
        pem = folder / "server.pem"
        private = server.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        pem.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the play."""


class Site(_Server):
    """Serves ``pages`` (path → type and bytes) and the files of ``folder``; all of it only to ``user`` with ``password``, if given."""

    def __init__(
        self, folder: Path | None = None, *, user: str | None = None, password: str = "", authority: Authority | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.folder = folder
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.gone: set[str] = set()
        self.asked: list[tuple[str, str | None]] = []  # paths, and what was shown for them
        self.token = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user is not None else None
        self.secret = password
        self.exposed: list[bytes] = []  # lists of arguments that held the password while we were asked
        self.scheme = "http"
        if authority is not None:
            self.socket = authority.context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"

    def address(self, path: str = "", *, user: str | None = None, password: str = "", host: str = "127.0.0.1") -> str:
        who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user is not None else ""
        return f"{self.scheme}://{who}{host}:{self.server_port}{path}"

    def look(self) -> None:
        """Look through the list of processes for the password, as any user of the machine can."""
        for file in Path("/proc").glob("[0-9]*/cmdline") if self.secret else ():
            with suppress(OSError):
                words = file.read_bytes()
                if any(form in words for form in forms(self.secret)):
                    self.exposed.append(words)

    def serve_wheels(self, *files: tuple[str, bytes]) -> None:
        """Be a Simple index below /simple/; every file is reached by a redirect on this server, as artifact stores have it."""
        projects: dict[str, list[dict[str, Any]]] = {}
        for name, data in files:
            entry = {"filename": name, "url": f"/redirect/{name}", "hashes": {"sha256": sha256(data).hexdigest()}}
            projects.setdefault(name.partition("-")[0].replace("_", "-"), []).append(entry)
            self.pages[f"/files/{name}"] = ("application/octet-stream", data)
        for project, entries in projects.items():
            page = {"meta": {"api-version": "1.1"}, "name": project, "files": entries, "versions": []}
            self.pages[f"/simple/{project}/"] = (SIMPLE, json.dumps(page).encode())


class _Pages(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        allowed = self.server.token is None or self.headers.get("Authorization") == self.server.token
        self.server.asked.append((path, self.headers.get("Authorization")))
        self.server.look()
        file = self.server.folder / path.lstrip("/") if self.server.folder is not None else None
        if not allowed:
            self._answer(401, "text/plain", b"who are you", **{"WWW-Authenticate": 'Basic realm="company"'})
        elif path.startswith("/redirect/"):
            self._answer(302, "text/plain", b"", Location=path.replace("/redirect/", "/files/"))
        elif path in self.server.gone:
            self._answer(404, "text/plain", b"no")
        elif path in self.server.pages:
            self._answer(200, *self.server.pages[path])
        elif file is not None and file.is_file():
            self._answer(200, "application/octet-stream", file.read_bytes())
        else:
            self._answer(404, "text/plain", b"no")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, kind: str, data: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Proxy(_Server):
    """A proxy for http and, by CONNECT, https, that leads every host to the loopback; ``asked`` says for what it was used."""

    def __init__(self, *, user: str | None = None, password: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.asked: list[str] = []
        self.token = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user is not None else None
        who = f"{quote(user, safe='')}:{quote(password, safe='')}@" if user is not None else ""
        self.address = f"http://{who}127.0.0.1:{self.server_port}"


class _Forward(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def _refused(self) -> bool:
        self.server.asked.append(self.path)
        if self.server.token is None or self.headers.get("Proxy-Authorization") == self.server.token:
            return False
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def do_GET(self) -> None:
        if self._refused():
            return
        parts = urlsplit(self.path)
        request = Request(f"http://127.0.0.1:{parts.port}{parts.path}", headers=dict(self.headers.items()))
        try:
            with build_opener(ProxyHandler({})).open(request) as answer:
                status, data = answer.status, answer.read()
        except HTTPError as error:
            with error:
                status, data = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_CONNECT(self) -> None:
        if self._refused():
            return
        self.close_connection = True  # after the tunnel
        with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as other:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: other, other: self.connection}
            while True:
                for one in select.select(list(ends), [], [])[0]:
                    data = one.recv(1 << 16)
                    if not data:
                        return
                    ends[one].sendall(data)

    def log_message(self, *_: object) -> None:
        pass
