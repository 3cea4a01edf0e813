"""The port HostSurvey: what every adapter promises of a machine; and what is read of one made of files."""

from pathlib import Path

import pytest

from lockage.adapters.host_survey import LocalSurvey
from lockage.adapters.memory.survey import MemorySurvey
from lockage.base.digest import Digest
from lockage.environment.host import Fingerprint, HostModule, HostPackage
from lockage.ports.host import HostSurvey

PATH = ("/usr/local/bin", "/usr/bin", "/bin")

DPKG = """Package: gcc-12
Status: install ok installed
Architecture: amd64
Version: 12.2.0-14
Description: GNU C compiler
 Version: a line that goes on

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
APK = "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\nP:make\nV:4.4.1-r1\nA:x86_64\n"


@pytest.fixture(params=[LocalSurvey, MemorySurvey])
def survey(request: pytest.FixtureRequest) -> HostSurvey:
    found: HostSurvey = request.param()
    return found


def test_the_same_machine_has_the_same_fingerprint(survey: HostSurvey) -> None:
    assert survey.fingerprint(PATH).encode() == survey.fingerprint(PATH).encode()


def test_a_fingerprint_is_canonical_and_sorted(survey: HostSurvey) -> None:
    found = survey.fingerprint(PATH)
    assert Fingerprint.decode(found.encode()) == found
    assert list(found.packages) == sorted(found.packages)
    assert [tool.name for tool in found.tools] == sorted({tool.name for tool in found.tools})
    assert found.path == PATH


def test_programs_are_those_of_the_path(survey: HostSurvey) -> None:
    found = survey.fingerprint(PATH)
    assert found.tools
    assert all(tool.path.startswith(PATH) for tool in found.tools)
    assert survey.fingerprint(("/nonexistent",)).tools == ()


def machine(folder: Path, files: dict[str, str]) -> LocalSurvey:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return LocalSurvey(folder, tools=("cc", "python3"))


def test_what_dpkg_says_is_installed(tmp_path: Path) -> None:
    os_release = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nHOME_URL="https://example.invalid/"\n'
    found = machine(tmp_path, {"var/lib/dpkg/status": DPKG, "etc/os-release": os_release}).fingerprint(PATH)
    assert (found.manager, found.packages) == ("dpkg", (HostPackage(name="gcc-12", architecture="amd64", version="12.2.0-14"),))
    assert found.system == {"ID": "debian", "PRETTY_NAME": "Debian GNU/Linux 12 (bookworm)"}


def test_what_an_image_without_dpkg_says_is_in_it(tmp_path: Path) -> None:
    paragraph = "Package: libc6\nVersion: 2.36-9\nArchitecture: amd64\n"
    found = machine(tmp_path, {"var/lib/dpkg/status.d/libc6": paragraph}).fingerprint(PATH)
    assert found.packages == (HostPackage(name="libc6", architecture="amd64", version="2.36-9"),)


def test_what_apk_says_is_installed(tmp_path: Path) -> None:
    found = machine(tmp_path, {"lib/apk/db/installed": APK}).fingerprint(PATH)
    assert (found.manager, [f"{one.name} {one.version}" for one in found.packages]) == ("apk", ["make 4.4.1-r1", "musl 1.2.4-r2"])


def test_what_rpm_says_is_installed(tmp_path: Path) -> None:
    survey = machine(tmp_path, {"usr/bin/rpm": "#!/bin/sh\necho 'gcc x86_64 0:11.4.1-3.el9'\necho warning\n"})
    (tmp_path / "usr/bin/rpm").chmod(0o755)
    found = survey.fingerprint(PATH)
    assert (found.manager, found.packages) == ("rpm", (HostPackage(name="gcc", architecture="x86_64", version="0:11.4.1-3.el9"),))


def test_a_machine_without_a_package_manager_says_so(tmp_path: Path) -> None:
    found = machine(tmp_path, {}).fingerprint(())
    assert (found.manager, found.packages, found.system) == ("", (), {})


def test_the_first_program_on_the_path_counts_with_the_file_that_it_leads_to(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    (second / "cc").write_bytes(b"real")
    (second / "cc").chmod(0o755)
    (first / "python3").write_bytes(b"no program")
    (first / "cc").symlink_to(second / "cc")
    (tool,) = machine(tmp_path, {}).fingerprint((str(first), str(second))).tools
    assert (tool.name, tool.path, tool.file, tool.sha256) == ("cc", str(first / "cc"), str(second / "cc"), Digest.of(b"real"))


def test_python_packages_of_an_interpreter_on_the_path_count(tmp_path: Path) -> None:
    prefix = tmp_path / "opt"
    survey = machine(tmp_path, {"opt/bin/python3": "", "opt/lib/python3.11/site-packages/wheel-0.45.dist-info/METADATA": ""})
    (prefix / "bin/python3").chmod(0o755)
    found = survey.fingerprint((str(prefix / "bin"),)).modules
    assert HostModule(name="wheel", version="0.45", folder=str(prefix / "lib/python3.11/site-packages")) in found
