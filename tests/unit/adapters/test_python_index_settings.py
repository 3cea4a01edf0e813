"""Which index is asked: pip's and uv's files and variables, in their order of precedence."""

from pathlib import Path

import pytest

from lockage.adapters.python_index.settings import IndexMisconfigured, IndexSettings, Source, discover_index

_PIP = "https://pip.example.invalid/simple"
_UV = "https://uv.example.invalid/simple"


class Machine:
    """A root folder with a home, settings written into it, and an environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home/someone"
        self.environ: dict[str, str] = {}

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def discover(self, prefix: Path | None = None) -> IndexSettings:
        return discover_index(self.environ, self.home, prefix=prefix, root=self.root)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_nothing_configured_is_uvs_default(machine: Machine) -> None:
    found = machine.discover()
    assert (found.source, found.origin) == (Source(), "uv's default")


def test_pips_files_and_variables_override_each_other(machine: Machine) -> None:
    def index() -> str | None:
        return machine.discover(machine.root / "venv").source.default

    machine.write("etc/xdg/pip/pip.conf", f"[global]\nindex-url = {_PIP}/xdg\n")
    assert index() == f"{_PIP}/xdg"
    machine.write("etc/pip.conf", f"[global]\nindex-url = {_PIP}/global\n")
    assert index() == f"{_PIP}/global"
    machine.write("home/someone/.pip/pip.conf", f"[global]\nindex_url = {_PIP}/legacy\n")
    assert index() == f"{_PIP}/legacy"
    machine.write("home/someone/.config/pip/pip.conf", f"[global]\nindex-url = {_PIP}/user\n")
    assert index() == f"{_PIP}/user"
    machine.write("venv/pip.conf", f"[global]\nindex-url = {_PIP}/ignored\n[install]\nindex-url = {_PIP}/site\n")
    assert index() == f"{_PIP}/site"
    machine.write("own.conf", f"[global]\nindex-url = {_PIP}/own\n")
    machine.environ["PIP_CONFIG_FILE"] = str(machine.root / "own.conf")
    assert index() == f"{_PIP}/own"
    machine.environ["PIP_INDEX_URL"] = f"{_PIP}/variable"
    assert index() == f"{_PIP}/variable"
    machine.environ = {"PIP_CONFIG_FILE": "/dev/null"}
    assert index() is None


def test_pip_takes_the_best_of_all_its_indexes(machine: Machine) -> None:
    machine.write(
        "etc/pip.conf",
        f"[global]\nextra-index-url =\n  {_PIP}/a\n  {_PIP}/b\nfind-links = /nowhere/wheels\ntrusted-host = pip.example.invalid\n",
    )
    found = machine.discover()
    assert found.source == Source(extra=(f"{_PIP}/a", f"{_PIP}/b"), strategy="unsafe-best-match")
    assert (found.origin, found.insecure_hosts) == ("pip's settings", ("pip.example.invalid",))


def test_local_folders_that_are_not_there_are_passed_over(machine: Machine) -> None:
    there = machine.root / "there"
    there.mkdir()
    machine.write("etc/pip.conf", f"[global]\nextra-index-url = file:///nowhere/simple {there.as_uri()}\nfind-links = {there} /nowhere\n")
    source = machine.discover().source
    assert (source.extra, source.find_links) == ((there.as_uri(),), (there.as_uri(),))


def test_only_folders_that_are_not_there_are_no_setting(machine: Machine) -> None:
    machine.environ["PIP_FIND_LINKS"] = "/nowhere/wheels"
    assert machine.discover().origin == "uv's default"


def test_pips_other_settings_are_kept(machine: Machine) -> None:
    machine.write(
        "etc/pip.conf", "[global]\ncert = /etc/own.pem\nclient-cert = /etc/me.pem\nproxy = http://u:p@proxy.invalid:3128\ntimeout = 7\n"
    )
    found = machine.discover()
    assert (found.certificates, found.timeout) == ("/etc/own.pem", 7)
    assert found.environment == {
        "HTTP_PROXY": "http://u:p@proxy.invalid:3128",
        "HTTPS_PROXY": "http://u:p@proxy.invalid:3128",
        "SSL_CLIENT_CERT": "/etc/me.pem",
    }
    machine.environ |= {
        "HTTPS_PROXY": "http://other.invalid",
        "SSL_CERT_FILE": "/etc/more.pem",
        "SECRET_TOKEN": "x",
        "UV_HTTP_TIMEOUT": "9",
    }
    found = machine.discover()
    assert (found.certificates, found.timeout, found.environment["HTTPS_PROXY"]) == ("/etc/more.pem", 9, "http://other.invalid")
    assert "SECRET_TOKEN" not in found.environment


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE"])
def test_every_usual_name_for_certificates(machine: Machine, name: str) -> None:
    machine.environ[name] = "/etc/own.pem"
    assert machine.discover().certificates == "/etc/own.pem"


def test_uvs_settings_stand_before_pips(machine: Machine) -> None:
    machine.write("etc/pip.conf", f"[global]\nindex-url = {_PIP}\nextra-index-url = {_PIP}/more\n")
    machine.write("etc/uv/uv.toml", f'index-url = "{_UV}"\n')
    found = machine.discover()
    assert (found.source, found.origin) == (Source(default=_UV), "uv's settings")


def test_uvs_files_and_variables_override_each_other(machine: Machine) -> None:
    machine.write("etc/uv/uv.toml", f'extra-index-url = ["{_UV}/old"]\n[[index]]\nurl = "{_UV}/system"\ndefault = true\n')
    assert machine.discover().source == Source(default=f"{_UV}/system", extra=(f"{_UV}/old",))
    machine.write(
        "home/someone/.config/uv/uv.toml",
        f'exclude-newer = "2026-01-01T00:00:00Z"\nindex-strategy = "unsafe-best-match"\nallow-insecure-host = ["h"]\nsystem-certs = true\n'
        f'[[index]]\nname = "mine"\nurl = "{_UV}/mine"\n[[index]]\nname = "far"\nurl = "{_UV}/far"\nexplicit = true\n'
        f'[[index]]\nurl = "{_UV}/user"\ndefault = true\n[[index]]\nurl = "{_UV}/page"\nformat = "flat"\n',
    )
    machine.environ |= {"UV_INDEX_MINE_USERNAME": "me@corp", "UV_INDEX_MINE_PASSWORD": "a/b"}
    found = machine.discover()
    assert found.source == Source(
        default=f"{_UV}/user",
        extra=("https://me%40corp:a%2Fb@uv.example.invalid/simple/mine", f"{_UV}/old"),
        find_links=(f"{_UV}/page",),
        strategy="unsafe-best-match",
        exclude_newer="2026-01-01T00:00:00Z",
    )
    assert (found.insecure_hosts, found.system_certificates) == (("h",), True)
    machine.environ |= {"UV_DEFAULT_INDEX": f"{_UV}/variable", "UV_INDEX": f"mine={_UV}/other {_UV}/third"}
    source = machine.discover().source
    assert source.default == f"{_UV}/variable"
    assert source.extra[:2] == ("https://me%40corp:a%2Fb@uv.example.invalid/simple/other", f"{_UV}/third")


def test_uvs_files_can_be_turned_off_or_named(machine: Machine) -> None:
    machine.write("etc/uv/uv.toml", f'index-url = "{_UV}/system"\n')
    machine.write("own.toml", f'[pip]\nindex-url = "{_UV}/own"\n')
    machine.environ["UV_CONFIG_FILE"] = str(machine.root / "own.toml")
    assert machine.discover().source.default == f"{_UV}/own"
    machine.environ = {"UV_NO_CONFIG": "1"}
    assert machine.discover().source == Source()


def test_a_cooldown_of_either_tool_is_kept(machine: Machine) -> None:
    machine.environ["PIP_UPLOADED_PRIOR_TO"] = "2026-01-01"
    machine.environ["LOCKAGE_PYTHON_INDEX"] = _UV
    assert machine.discover().source == Source(default=_UV, exclude_newer="2026-01-01")


def test_lockages_own_setting_wins_alone(machine: Machine) -> None:
    machine.write("etc/pip.conf", f"[global]\nindex-url = {_PIP}\nfind-links = {_PIP}/links\n")
    machine.environ |= {"UV_INDEX": f"{_UV}/extra", "LOCKAGE_PYTHON_INDEX": "https://own.example.invalid/simple"}
    found = machine.discover()
    assert (found.source, found.origin) == (Source(default="https://own.example.invalid/simple"), "LOCKAGE_PYTHON_INDEX")
    machine.environ["LOCKAGE_PYTHON_INDEX"] = "/srv/simple"
    assert machine.discover().source.default == "file:///srv/simple"


@pytest.mark.parametrize("value", ["example.invalid", "ftp://example.invalid/", "https://a.invalid https://b.invalid"])
def test_a_setting_that_is_no_address(machine: Machine, value: str) -> None:
    machine.environ["LOCKAGE_PYTHON_INDEX"] = value
    with pytest.raises(IndexMisconfigured, match="LOCKAGE_PYTHON_INDEX"):
        machine.discover()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/pip.conf", "index-url = x\n"),
        ("etc/pip.conf", "[global]\nindex-url = a\nindex-url = b\n"),
        ("etc/uv/uv.toml", "index-url = \n"),
        ("etc/uv/uv.toml", "index-url = 3\n"),
        ("etc/uv/uv.toml", "[[index]]\nname = 'a'\n"),
        ("etc/uv/uv.toml", "pip = 3\n"),
        ("etc/uv/uv.toml", "no-index = 'yes'\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(machine: Machine, path: str, text: str) -> None:
    machine.write(path, text)
    with pytest.raises(IndexMisconfigured, match=path):
        machine.discover()


def test_texts_are_scrubbed_of_every_credential() -> None:
    settings = IndexSettings(
        source=Source(default="https://reader:p%2Fw%40d@index.invalid/simple"),
        environment={"HTTPS_PROXY": "http://longusername:proxysecret@p.invalid"},
    )
    text = settings.scrubbed(
        "at https://reader:p%2Fw%40d@index.invalid/x with p/w@d by longusername:proxysecret and https://u:v@else.invalid/"
    )
    for secret in ("p%2Fw%40d", "p/w@d", "proxysecret", "longusername", "u:v"):
        assert secret not in text
    assert "index.invalid/x" in text
