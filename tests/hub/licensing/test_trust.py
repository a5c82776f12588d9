import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.base.errors import Invalid
from hub.licensing.editions import licenses_path
from hub.licensing.judge import Facts, LicenseState, judge
from hub.licensing.keys import ED25519, KEYS
from hub.licensing.trust import ALLOWED, VENDOR_KEYS, Keyring
from hub.licensing.verify import Verifier
from tests.support.licenses import KEYRING, KID, make_license

ROOT = Path(__file__).parents[3]


def test_constants_allow_list_and_key_files_hold_the_same_keys():
    files = {path.stem: "".join(path.read_text().splitlines()[1:-1]) for path in licenses_path().glob("*.pem")}
    assert files == {kid: key.content for kid, key in KEYS.items()}
    assert set(ALLOWED) == set(KEYS)
    assert all(VENDOR_KEYS.find(kid) == KEYS[kid] for kid in KEYS)
    assert all(key.algorithm == ED25519 for key in KEYS.values())


def test_a_key_that_only_one_of_the_lists_has_is_none():
    key = KEYRING.keys[KID]
    assert Keyring({KID: key}, {}).find(KID) is None
    assert Keyring({KID: key}, {KID: "0" * 64}).find(KID) is None
    assert Keyring({}, KEYRING.allowed).find(KID) is None
    with pytest.raises(Invalid) as caught:
        Verifier(Keyring({KID: key}, {})).read_license(make_license())
    assert caught.value.code == "license_key_unknown"


def test_the_evaluation_licence_opens_the_enterprise_edition_for_five():
    license = Verifier(VENDOR_KEYS).read_license((licenses_path() / "evaluation.license").read_text())
    assert (license.edition, license.max_user, license.features) == ("ee", 5, {"*"})
    assert (license.fingerprint, license.grace_days, license.overage_pct) == (None, 14, 10)
    assert license.expire_time == datetime(2031, 1, 1, tzinfo=UTC)
    standing = judge(license, datetime(2027, 1, 1, tzinfo=UTC), Facts())
    assert (standing.state, standing.edition_name) == (LicenseState.VALID, "ee")


def test_no_tracked_file_holds_a_private_key():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    body = re.compile(rb"PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")
    paths = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert len(paths) > 100
    assert [path.name for path in paths if body.search(path.read_bytes()) or path.suffix == ".key"] == []
