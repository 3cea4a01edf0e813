"""A verifier that others wrote accepts our bundles: npm's ``@sigstore/verify``, with a plain key."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[1] / "golden" / "evidence"
PACKAGES = ("@sigstore/bundle@4.0.0", "@sigstore/verify@3.0.0")
CHECK = """
import { bundleFromJSON } from '@sigstore/bundle';
import { Verifier, toSignedEntity } from '@sigstore/verify';
import { readFileSync } from 'node:fs';
import { createPublicKey } from 'node:crypto';
const [bundle, key] = process.argv.slice(2);
const publicKey = createPublicKey({ key: readFileSync(key), format: 'der', type: 'spki' });
const material = {
  certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [],
  publicKey: () => ({ publicKey, validFor: () => true }),
};
const verifier = new Verifier(material, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(readFileSync(bundle)))));
"""


@pytest.fixture(scope="module")
def verifier(module_path: Path) -> Path:
    npm = shutil.which("npm")
    assert npm is not None, "this test needs node and npm"
    command = [npm, "install", "--no-audit", "--no-fund", "--cache", "cache", *PACKAGES]  # the user's own is no business of a test
    subprocess.run(command, cwd=module_path, check=True, capture_output=True, timeout=300)
    (module_path / "check.mjs").write_text(CHECK)
    return module_path


def _run(verifier: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    command = ["node", "check.mjs", str(bundle), str(VECTORS / "builder.spki")]
    return subprocess.run(command, cwd=verifier, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.network
def test_our_bundle_is_verified(verifier: Path) -> None:
    done = _run(verifier, VECTORS / "provenance.sigstore.json")
    assert done.returncode == 0, done.stderr


@pytest.mark.network
def test_a_changed_one_and_anothers_are_not(verifier: Path, tmp_path: Path) -> None:
    document = json.loads((VECTORS / "provenance.sigstore.json").read_bytes())
    payload = document["dsseEnvelope"]["payload"]
    document["dsseEnvelope"]["payload"] = payload.replace("A", "B", 1)
    (tmp_path / "changed.json").write_text(json.dumps(document))
    for bad in (tmp_path / "changed.json", VECTORS / "test-result.sigstore.json"):
        done = _run(verifier, bad)
        assert done.returncode != 0
        assert "signature verification failed" in done.stderr
