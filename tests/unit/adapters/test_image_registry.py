"""What stands around a registry: challenges, addresses, and where passwords are found."""

import base64
import json
from pathlib import Path

import pytest

from lockage.adapters.image_registry import discover_credentials, discover_registries
from lockage.adapters.image_registry.challenge import Challenge, challenges_of
from lockage.transfer.credentials import Login


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (
            'Bearer realm="https://auth.example.org/token",service="registry.example.org",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {"realm": "https://auth.example.org/token", "service": "registry.example.org", "scope": "repository:a/b:pull,push"},
                )
            ],
        ),
        ('Basic realm="a \\"b\\""', [Challenge("basic", {"realm": 'a "b"'})]),
        ("Basic", [Challenge("basic", {})]),
        (
            'Negotiate, Basic realm=here, charset="UTF-8"',
            [Challenge("negotiate", {}), Challenge("basic", {"realm": "here", "charset": "UTF-8"})],
        ),
        ("", []),
        ('="', []),
    ],
)
def test_a_challenge_is_read(header: str, found: list[Challenge]) -> None:
    assert challenges_of(header) == found


def test_a_token_is_had_where_the_challenge_says() -> None:
    (challenge,) = challenges_of('Bearer realm="https://a.example.org/t?x=1",service="s"')
    assert challenge.token_address("repository:n:pull") == "https://a.example.org/t?x=1&service=s&scope=repository%3An%3Apull"
    assert Challenge("bearer", {"realm": "file:///etc"}).token_address("s") is None
    assert Challenge("basic", {"realm": "https://a.example.org"}).token_address("s") is None


def test_a_registry_is_asked_over_https_unless_it_is_this_machine_or_the_setting_says_so() -> None:
    plain = discover_registries(None)
    assert [plain(name) for name in ("registry.example.org", "docker.io", "localhost:5000", "127.0.0.1:5000", "[::1]:5000")] == [
        ("https://registry.example.org",),
        ("https://registry-1.docker.io",),
        ("http://localhost:5000",),
        ("http://127.0.0.1:5000",),
        ("http://[::1]:5000",),
    ]
    mapped = discover_registries(
        "registry.example.org=http://mirror.example.org/quay/ registry.example.org=https://other.example.org docker.io=https://d.example.org"
    )
    assert mapped("registry.example.org") == ("http://mirror.example.org/quay", "https://other.example.org")
    assert mapped("packages.example.org") == ("https://packages.example.org",)


@pytest.mark.parametrize(
    "setting",
    [
        "registry.example.org",
        "=https://a",
        "registry.example.org=ftp://a",
        "registry.example.org=https://",
        "registry.example.org=https://a?b",
    ],
)
def test_a_setting_that_is_malformed(setting: str) -> None:
    with pytest.raises(ValueError, match="not REGISTRY=ADDRESS"):
        discover_registries(setting)


def write(file: Path, **auths: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    entries = {host: {"auth": base64.b64encode(text.encode()).decode()} for host, text in auths.items()}
    file.write_text(json.dumps({"auths": {**entries, "store.example.org": {}}, "credsStore": "secretservice"}))


def test_passwords_come_from_the_files_of_docker_and_podman_and_then_from_netrc(tmp_path: Path) -> None:
    write(
        tmp_path / ".docker/config.json",
        **{"https://index.docker.io/v1/": "d:1:2", "https://registry.example.org": "q:1", "both.example.org": "docker:1"},
    )
    write(tmp_path / "own/auth.json", **{"both.example.org": "podman:2"})
    logins = (Login("", "netrc.example.org", "/", "n", "3"),)
    found = discover_credentials({"REGISTRY_AUTH_FILE": str(tmp_path / "own/auth.json")}, tmp_path, logins)
    assert found("docker.io", "https://registry-1.docker.io") == ("d", "1:2")
    assert found("registry.example.org", "https://registry.example.org") == ("q", "1")
    assert found("both.example.org", "https://both.example.org") == ("podman", "2")
    assert found("netrc.example.org", "https://netrc.example.org") == ("n", "3")
    assert found("store.example.org", "https://store.example.org") is None


@pytest.mark.parametrize("text", ["", "[]", '{"auths": 1}', '{"auths": {"a": {"auth": "%%"}}}', '{"auths": {"a": {"auth": "YQ=="}}}'])
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(text)
    assert discover_credentials({}, tmp_path, ())("a", "https://a") is None
