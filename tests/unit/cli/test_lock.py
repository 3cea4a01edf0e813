"""What `lockage lock` refuses to be asked at once."""

import json

import pytest

from lockage.cli.app import run


@pytest.mark.parametrize(
    ("other", "says"),
    [("--upgrade", "--upgrade moves everything"), ("--check", "--check changes nothing")],
)
def test_one_package_and_all_or_none_contradict_each_other(other: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lock", other, "--upgrade-package", "dash", "--json"]) == 2
    assert says in json.loads(capsys.readouterr().out)["error"]["message"]
