"""Services that stand in for outside ones: real steps ask them, from recordings in the source."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Done, Store

pytestmark = [pytest.mark.sandbox, pytest.mark.network]

SERVICES = """
[service.github]
har = "tests/fixtures/github.har"
hosts = ["api.github.example"]
must-use-all = true

[service.prices]
responses = "tests/fixtures/prices"
port = 8080
"""
ASK = r"""
import json, os, urllib.request
def ask(url, data=None, method=None, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method, headers=headers), timeout=60) as found:
            return [found.status, dict(found.headers.items()), found.read().decode()]
    except urllib.error.HTTPError as error:
        return [error.code, dict(error.headers.items()), error.read().decode()]
github, prices = os.environ['LOCKAGE_SERVICE_GITHUB'], os.environ['LOCKAGE_SERVICE_PRICES']
"""
WHOLE = r"""
found = [github, prices, ask(github + '/repos/lockage?page=1'), ask(github + '/repos/lockage?page=2'),
         ask(github + '/issues', b'{"title":"x"}', **{'Content-Type': 'application/json'}),
         ask(prices + '/tea'), ask(prices + '/tea'), ask(prices + '/tea', method='HEAD'),
         ask('http://localhost:8080/none', method='DELETE'),
         sorted(os.listdir('.'))]
json.dump(found, open('seen.json', 'w'), indent=1, sort_keys=True)
"""


def entry(method: str, url: str, body: str, *, posted: str | None = None, status: int = 200) -> dict[str, Any]:
    request: dict[str, Any] = {"method": method, "url": url, "headers": []}
    if posted is not None:
        request["postData"] = {"mimeType": "application/json", "text": posted}
    headers = [{"name": "Date", "value": "Mon, 06 May 2024 07:08:09 GMT"}, {"name": "ETag", "value": '"1"'}]
    content = {"size": len(body), "mimeType": "application/json", "text": body}
    return {"request": request, "response": {"status": status, "statusText": "Fine", "headers": headers, "content": content}}


ARTIFACT = """
[step.artifact]
environment = "build"
inputs = []
run = "mkdir out && echo x > out/x.txt"
outputs = ["out"]
artifacts = ["out/*"]
"""
GITHUB = "https://api.github.example"
HAR = [
    entry("GET", f"{GITHUB}/repos/lockage?page=1", '["one"]'),
    entry("GET", "https://elsewhere.example/x", "another service's"),
    entry("GET", f"{GITHUB}/repos/lockage?page=2", "[]"),
    entry("POST", f"{GITHUB}/issues", '{"number": 7}', posted='{"title": "x"}', status=201),
]


def step(run: str, more: str = "", *, name: str = "ask") -> str:
    return f"""
[step.{name}]
environment = "build"
inputs = []
services = ["github", "prices"]
run = ["python3", "-c", '''{ASK}{run}''']
outputs = ["seen.json"]
artifacts = ["seen.json"]
{more}
"""


def project(store: Store, steps: str, *, entries: list[dict[str, Any]] | None = None, services: str = SERVICES) -> None:
    fixtures = store.work / "tests" / "fixtures"
    folder = fixtures / "prices"
    (folder / "GET").mkdir(parents=True, exist_ok=True)
    (folder / "DELETE").mkdir(exist_ok=True)
    (fixtures / "github.har").write_text(json.dumps({"log": {"entries": HAR if entries is None else entries}}))
    (folder / "GET" / "tea").write_text("3.50\n")
    (folder / "GET" / "tea.headers").write_text("Content-Type: text/plain\nX-Currency: EUR\n")
    (folder / "DELETE" / "none").write_text("gone\n")
    (folder / "DELETE" / "none.headers").write_text("404 Not Here\n")
    store.recipe(services + steps)


def failed(store: Store, *words: str) -> dict[str, Any]:
    error: dict[str, Any] = store(*words, "--json", expect=9).error
    details: dict[str, Any] = error["details"]
    return details | {"message": error["message"], "hint": error["hint"]}


def test_a_step_asks_two_services_and_gets_what_was_recorded(shop: Store) -> None:
    project(shop, step(WHOLE))
    shop("build", "--json", expect=0)
    github, prices, *answers, listing = json.loads((shop.work / "dist" / "seen.json").read_text())
    assert (github, prices) == ("http://api.github.example", "http://127.0.0.1:8080")
    dated = {"Date": "Mon, 06 May 2024 07:08:09 GMT", "ETag": '"1"', "Content-Type": "application/json"}
    tea = {"Content-Type": "text/plain", "X-Currency": "EUR", "Content-Length": "5"}
    assert answers == [
        [200, {**dated, "Content-Length": "7"}, '["one"]'],
        [200, {**dated, "Content-Length": "2"}, "[]"],
        [201, {**dated, "Content-Length": "13"}, '{"number": 7}'],
        [200, tea, "3.50\n"],
        [200, tea, "3.50\n"],
        [200, tea, ""],
        [404, {"Content-Type": "application/octet-stream", "Content-Length": "5"}, "gone\n"],
    ]
    assert listing == [], "recordings are not in the workspace"
    assert [one["cached"] for one in shop("build", "--json", expect=0).json["steps"]] == [True]


def test_what_a_step_is_answered_is_part_of_its_action(shop: Store) -> None:
    run = step("open('seen.json', 'w').write('the same')", "")
    services = SERVICES.replace("must-use-all = true\n", "")
    project(shop, run, services=services)

    def cached() -> bool:
        (one,) = shop("build", "--json", expect=0).json["steps"]
        return bool(one["cached"])

    assert (cached(), cached()) == (False, True)
    (shop.work / "README.md").write_text("something else of the source")
    project(shop, run, services=services)
    assert cached(), "the recordings are the same"
    project(shop, run, services=services, entries=HAR[:-1])
    assert not cached()
    project(shop, run, services=services.replace("port = 8080", "port = 8081"), entries=HAR[:-1])
    assert not cached()
    (shop.work / "tests" / "fixtures" / "prices" / "GET" / "coffee").write_text("2.50\n")
    shop.commit("another price")
    assert not cached()
    (shop.work / "tests" / "fixtures" / "prices" / "GET" / "coffee").write_text("2.60\n")
    shop.commit("yet another price")
    explained = shop("explain", "ask", expect=0).stdout
    assert re.search(r"service +prices +its recording or its declaration", explained), explained


def test_what_is_not_recorded_fails_the_step_whatever_it_makes_of_it(shop: Store) -> None:
    project(shop, step("print(ask(github + '/repos/lockage?page=3')[2]); ask(prices + '/beer'); open('seen.json', 'w').write('fine')"))
    details = failed(shop, "build")
    assert details["reason"] == "service-mismatch"
    assert "service 'github' was asked for what is not recorded: GET /repos/lockage?page=3" in details["message"]
    assert "the query is page=3, not page=1" in details["message"]
    assert "and 1 more" in details["message"]
    assert "record the answer" in details["hint"]
    log = "\n".join(details["last_lines"])
    assert "lockage: service github has not recorded GET /repos/lockage?page=3" in log, "what the step was answered"
    assert "lockage: service prices: not recorded: GET /beer" in log
    assert not (shop.work / "dist").exists()


def test_what_must_be_asked_for_and_is_not_fails_the_step(shop: Store) -> None:
    project(shop, step("ask(github + '/repos/lockage?page=1'); open('seen.json', 'w').write('fine')"))
    details = failed(shop, "build")
    assert details["reason"] == "service-unused"
    assert "GET /repos/lockage?page=2" in details["message"]
    log = "\n".join(details["last_lines"])
    assert "lockage: service github: never asked for: entry 2, POST /issues" in log or "entry 3, POST /issues" in log
    assert "elsewhere" not in log


def test_a_step_that_fails_by_itself_says_so(shop: Store) -> None:
    project(shop, step("raise SystemExit(4)"))
    assert failed(shop, "build")["reason"] == "exit-code"


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"entries": [{"request": {}}]}, "invalid-recording", "tests/fixtures/github.har: log.entries[0].response: missing"),
        ({"services": SERVICES.replace("github.har", "gone.har")}, "no-recording", "there is no file tests/fixtures/gone.har"),
        ({"services": SERVICES.replace("fixtures/prices", "fixtures/gone")}, "no-recording", "there is no folder with files"),
        ({"services": SERVICES + 'hosts = ["api.github.example"]\n'}, "invalid-recipe", "have the same host"),
        ({"services": SERVICES + "repeat = true\n"}, "invalid-recipe", "`repeat` is for a HAR file"),
    ],
)
def test_what_cannot_be_answered_from_is_a_fault_of_the_recipe(shop: Store, change: dict[str, Any], code: str, said: str) -> None:
    project(shop, step(WHOLE), **change)
    done = shop("build", "--json", expect=2)
    assert done.error["code"] == code
    assert said in done.stdout


def test_a_release_of_a_step_with_services_is_reproduced_in_every_world(shop: Store) -> None:
    project(shop, step(WHOLE))
    verified: Done = shop("verify", "--json", "--rounds", "2", expect=0)
    document = verified.json
    assert document["robust"] == "identical"
    assert document["held"] == {"ask": ["loopback", "proxy", "second-run"]}


def test_services_are_up_in_a_shell(shop: Store) -> None:
    project(shop, step(WHOLE))
    line = 'python3 -c \'import os, urllib.request as r; print(r.urlopen(os.environ["LOCKAGE_SERVICE_PRICES"] + "/tea").read())\''
    assert "3.50" in shop("shell", "ask", "-c", line, expect=0).stdout
    answer = shop("shell", "ask", "-c", line.replace("/tea", "/beer"))
    assert answer.code != 0
    assert "501" in answer.stderr + answer.stdout


def test_no_process_and_no_socket_stays(shop: Store) -> None:
    project(shop, step("import time; ask(prices + '/tea'); time.sleep(60)", 'timeout = "1 s"'))
    assert failed(shop, "build")["reason"] == "timeout"
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "listen.py" not in listed


def test_the_example_of_the_documentation_works_as_it_stands(shop: Store) -> None:
    page = (Path(__file__).parents[2] / "docs" / "services.md").read_text()
    blocks = dict(re.findall(r"\*\*`([^`]+)`\*\*[^\n]*\n\n```[a-z]+\n(.*?)```", page, re.DOTALL))
    recipe = blocks.pop("lockage.toml")
    assert set(blocks) == {"ask.py", "tests/fixtures/github.har", "tests/fixtures/prices/GET/tea?size=2"}
    for name, content in blocks.items():
        (shop.work / name).parent.mkdir(parents=True, exist_ok=True)
        (shop.work / name).write_text(content)
    shop.recipe(recipe)
    text = (shop.work / "lockage.toml").read_text()
    (shop.work / "lockage.toml").write_text(f"{text}\n{ARTIFACT}")
    shop.commit("with something to deliver")
    shop("test", "--json", expect=0)
