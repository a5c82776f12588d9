import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.base.errors import Invalid
from hub.licensing.armour import MAX_TEXT_BYTES, Container, Kind, close_container, dump_canonical, wrap
from hub.licensing.trust import Keyring
from hub.licensing.verify import Verifier
from tests.support.licenses import (
    KEYRING,
    KID,
    OLDER_KID,
    SIGNING_KEY,
    make_license,
    make_older_license,
    make_payload,
    make_revocations,
    sign_payload,
)

VERIFIER = Verifier(KEYRING)
TEXT = make_license()
OLDER_TEXT = make_older_license()


def code_of(text, read=VERIFIER.read_license):
    with pytest.raises(Invalid) as caught:
        read(text)
    # Each message says what to do next.
    assert str(caught.value).count(".") >= 1
    return caught.value.code


def test_a_licence_says_what_was_signed():
    text = make_license(
        id="6f1c7e0e-0000-4000-8000-000000000001",
        company="Straße & Co",
        customer_id="C-7",
        max_node=3,
        max_gpu=0,
        max_cluster=2,
        features=["sso.saml", "billing"],
        quotas={"sync.repos": 50, "mcp.gateway.servers": -1},
        fingerprint="ab" * 32,
        grace_days=0,
        overage_pct=0,
        supersedes=["6f1c7e0e-0000-4000-8000-000000000002"],
        extra={"note": 1},
        expire_time="2028-01-01T00:00:00+08:00",
    )
    license = VERIFIER.read_license(text)
    assert (license.company, license.customer_id, license.kid) == ("Straße & Co", "C-7", KID)
    assert (license.max_node, license.max_gpu, license.max_cluster) == (3, 0, 2)
    assert license.expire_time == datetime(2027, 12, 31, 16, tzinfo=UTC)
    assert license.grants("billing")
    assert not license.grants("scim")
    assert license.quotas == {"sync.repos": 50, "mcp.gateway.servers": -1}
    assert (license.grace_days, license.seats) == (0, 10)
    assert license.supersedes == ("6f1c7e0e-0000-4000-8000-000000000002",)
    assert all(len(line) <= 64 for line in text.splitlines())


def test_what_a_licence_leaves_out_has_the_contracts_defaults():
    license = VERIFIER.read_license(TEXT)
    assert (license.grace_days, license.overage_pct, license.max_node, license.fingerprint) == (14, 10, -1, None)
    assert license.seats == 11
    assert VERIFIER.read_license(make_license(expire_time=None)).grace_until is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: f"Dear customer,\n\nhere it is:\n{text}\nYours, the vendor\n",
        lambda text: text.replace("\n", "\n   \t"),
        lambda text: text.replace("\n", " "),
        lambda text: text.rstrip(),
    ],
)
def test_what_mail_programs_do_to_a_licence_does_no_harm(change):
    assert VERIFIER.read_license(change(TEXT)) == VERIFIER.read_license(TEXT)
    assert VERIFIER.read_license(change(OLDER_TEXT)) == VERIFIER.read_license(OLDER_TEXT)


@given(st.data())
def test_a_flipped_bit_anywhere_makes_a_licence_invalid(data):
    text = data.draw(st.sampled_from([TEXT.strip(), OLDER_TEXT.strip()]))
    place = data.draw(st.integers(0, len(text) - 1))
    bit = data.draw(st.integers(0, 6))
    flipped = text[:place] + chr(ord(text[place]) ^ 1 << bit) + text[place + 1 :]
    assert code_of(flipped).startswith("license_")


def flip(data, place):
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@given(st.data())
def test_a_flipped_bit_in_payload_or_signature_is_a_signature_that_does_not_fit(data):
    payload = dump_canonical(make_payload())
    signature = SIGNING_KEY.sign(Kind.LICENSE.prefix + payload)
    if data.draw(st.booleans()):
        payload = flip(payload, data.draw(st.integers(0, len(payload) - 1)))
    else:
        signature = flip(signature, data.draw(st.integers(0, len(signature) - 1)))
    text = wrap(Kind.LICENSE, close_container(Container("ed25519", KID, payload, signature)))
    assert code_of(text) == "license_signature"


@given(st.integers(1, len(TEXT) - 2))
def test_a_truncated_licence_is_refused_and_called_so(length):
    begin = len("-----BEGIN HUB LICENSE-----")
    assert code_of(TEXT[:length]) == ("license_truncated" if length >= begin else "license_malformed")


@given(st.integers(28, len(TEXT) - 30))
def test_a_licence_that_lost_lines_before_its_end_is_refused(length):
    text = TEXT[:length] + "\n-----END HUB LICENSE-----\n"
    assert code_of(text) in ("license_truncated", "license_malformed")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "license_malformed"),
        ("good morning", "license_malformed"),
        ("-----BEGIN HUB LICENSE-----\n-----END HUB LICENSE-----", "license_truncated"),
        ("-----BEGIN HUB LICENSE-----\nAAAA\n-----END LICENSE KEY-----", "license_truncated"),
        ("-----BEGIN HUB LICENSE-----\nAA*A\n-----END HUB LICENSE-----", "license_malformed"),
        ("-----BEGIN HUB LICENSE-----\nAB==\n-----END HUB LICENSE-----", "license_malformed"),
        (TEXT + make_license(), "license_two"),
        (TEXT + OLDER_TEXT, "license_two"),
        (TEXT + " " * MAX_TEXT_BYTES, "license_too_large"),
        (make_revocations(), "license_kind"),
        (sign_payload(make_payload(), kid="nobody"), "license_key_unknown"),
        (sign_payload(make_payload(), kid=OLDER_KID), "license_algorithm"),
        (sign_payload(make_payload(), kind=Kind.REVOCATIONS).replace(" REVOCATIONS", ""), "license_signature"),
        ("-----BEGIN LICENSE KEY-----\nAAAA\n-----END LICENSE KEY-----", "license_signature"),
    ],
)
def test_each_fault_has_its_code(text, code):
    assert code_of(text) == code


def wrap_json(text):
    return wrap(Kind.LICENSE, text.encode())


@pytest.mark.parametrize(
    "text",
    [
        wrap_json('{"alg":"ed25519","kid":"x","payload":"AA","sig":"AA","sig":"AA"}'),
        wrap_json('{"alg":"ed25519","kid":"x","payload":"AA"}'),
        wrap_json('{"alg":"ed25519","kid":"x","payload":"AA","sig":1}'),
        wrap_json('{"alg": "ed25519","kid":"x","payload":"AA","sig":"AA"}'),
        wrap_json('{"alg":"ed25519","kid":"x","payload":"A+","sig":"AA"}'),
        wrap_json('{"alg":"ed25519","kid":"x","payload":"AB","sig":"AA"}'),
        wrap_json('{"alg":"ed25519","kid":"x","payload":"A","sig":"AA"}'),
        wrap_json('{"alg":"\\ud800","kid":"x","payload":"AA","sig":"AA"}'),
        wrap_json("[" * 20_000 + "}"),
        wrap(Kind.LICENSE, b"\xff}"),
        wrap_json('["}'),
    ],
)
def test_a_container_that_is_not_exactly_as_we_write_it_is_malformed(text):
    assert code_of(text) == "license_malformed"


def test_the_algorithm_in_the_file_must_be_the_keys():
    data = dump_canonical(make_payload())
    for algorithm in ("none", "rsa", "ED25519", ""):
        container = Container(algorithm, KID, data, SIGNING_KEY.sign(Kind.LICENSE.prefix + data))
        assert code_of(wrap(Kind.LICENSE, close_container(container))) == "license_algorithm"


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("version", 2, "license_version"),
        ("version", "1", "license_malformed"),
        ("version", True, "license_malformed"),
        ("version", 0, "license_malformed"),
        ("product", "other", "license_product"),
        ("product", "csghub", "license_product"),
        ("edition", "platinum", "license_edition"),
        ("edition", "lite", "license_edition"),
        ("company", "", "license_malformed"),
        ("company", "x" * 256, "license_malformed"),
        ("company", "a\nb", "license_malformed"),
        ("id", "7", "license_malformed"),
        ("issued_at", "2026-01-01T00:00:00", "license_malformed"),
        ("start_time", "2026-01-01", "license_malformed"),
        ("start_time", "2026-W01-1T00:00:00Z", "license_malformed"),
        ("expire_time", "2026-13-01T00:00:00Z", "license_malformed"),
        ("expire_time", "0001-01-01T00:00:00+14:00", "license_malformed"),
        ("expire_time", "9999-12-31T23:59:59Z", "license_malformed"),
        ("expire_time", 1, "license_malformed"),
        ("maintenance_until", "soon", "license_malformed"),
        ("max_user", 0, "license_malformed"),
        ("max_user", -2, "license_malformed"),
        ("max_user", 1.5, "license_malformed"),
        ("max_user", 2**31, "license_malformed"),
        ("max_node", "many", "license_malformed"),
        ("features", "*", "license_malformed"),
        ("features", ["UPPER"], "license_malformed"),
        ("features", [1], "license_malformed"),
        ("quotas", {"a": 1.5}, "license_malformed"),
        ("quotas", {"": 1}, "license_malformed"),
        ("quotas", [], "license_malformed"),
        ("fingerprint", "AB" * 32, "license_malformed"),
        ("grace_days", 367, "license_malformed"),
        ("overage_pct", -1, "license_malformed"),
        ("supersedes", ["x"], "license_malformed"),
        ("supersedes", [1], "license_malformed"),
        ("extra", "text", "license_malformed"),
    ],
)
def test_a_member_that_breaks_its_rule_is_refused_though_it_is_signed(member, value, code):
    assert code_of(make_license(**{member: value})) == code


@pytest.mark.parametrize(
    "member",
    [
        "id",
        "version",
        "product",
        "edition",
        "company",
        "issued_at",
        "start_time",
        "expire_time",
        "max_user",
        "features",
    ],
)
def test_a_member_that_is_missing_is_refused(member):
    assert code_of(make_license(**{member: ...})) == "license_malformed"


@pytest.mark.parametrize("data", [b'{"version":1,"version":1}', b'{"version":NaN}', b"[]", b'"x"', b"\xff"])
def test_a_signed_payload_that_readers_could_understand_differently_is_refused(data):
    container = Container("ed25519", KID, data, SIGNING_KEY.sign(Kind.LICENSE.prefix + data))
    assert code_of(wrap(Kind.LICENSE, close_container(container))) == "license_malformed"


def test_members_that_nobody_knows_are_passed_over():
    assert VERIFIER.read_license(make_license(colour="blue")).company == "Acme"


# The older armour.


@pytest.mark.parametrize("scheme", ["pss", "pkcs1"])
def test_the_older_armour_is_read_in_either_way_of_signing(scheme):
    license = VERIFIER.read_license(make_older_license(scheme=scheme, product="CSGHub", edition="EE"))
    assert (license.product, license.edition, license.max_user, license.key) == ("hub", "ee", 10, "K-1")
    assert license.grants("anything at all")
    assert (license.kid, license.version) == (OLDER_KID, "v1.0")
    assert license.start_time == datetime(2025, 12, 31, 16, tzinfo=UTC)


def test_the_older_armours_extra_may_carry_features_and_caps():
    extra = {"features": ["audit"], "max_node": 2, "max_gpu": 8, "quotas": {"sync.repos": 3}}
    for form in (extra, json.dumps(extra)):
        license = VERIFIER.read_license(make_older_license(extra=form))
        assert (license.features, license.max_node, license.max_gpu) == ({"audit"}, 2, 8)
        assert license.quotas == {"sync.repos": 3}
    assert VERIFIER.read_license(make_older_license(extra="called on Monday")).extra == {"text": "called on Monday"}
    assert VERIFIER.read_license(make_older_license(extra=None)).features == {"*"}


def test_the_same_older_file_is_the_same_licence_each_time():
    first, again = (VERIFIER.read_license(make_older_license()) for _ in range(2))
    assert first.id == again.id != VERIFIER.read_license(make_older_license(key="K-2")).id


@pytest.mark.parametrize(
    ("member", "value", "code"),
    [
        ("product", "other", "license_product"),
        ("edition", "saas", "license_edition"),
        ("max_user", 0, "license_malformed"),
        ("max_user", -1, "license_malformed"),
        ("company", ..., "license_malformed"),
        ("expire_time", ..., "license_malformed"),
        ("start_time", "2026-01-01T00:00:00", "license_malformed"),
        ("extra", {"features": "x"}, "license_malformed"),
    ],
)
def test_an_older_licence_that_breaks_a_rule_is_refused(member, value, code):
    assert code_of(make_older_license(**{member: value})) == code


def test_without_an_rsa_key_no_older_licence_is_good():
    keyring = Keyring({KID: KEYRING.keys[KID]}, KEYRING.allowed)
    assert code_of(OLDER_TEXT, Verifier(keyring).read_license) == "license_key_unknown"
    content = base64.b64decode("".join(OLDER_TEXT.splitlines()[1:-1]))
    assert code_of(wrap(Kind.OLDER_LICENSE, content[:-1])) == "license_signature"


# Revocation lists.


def test_a_revocation_list_names_licences_and_reasons():
    id = "6f1c7e0e-0000-4000-8000-000000000001"
    assert VERIFIER.read_revocations(make_revocations(id, reason="unpaid")).revoked == {id: "unpaid"}
    assert VERIFIER.read_revocations(make_revocations()).revoked == {}


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"version": 2}, "license_version"),
        ({"revoked": {}}, "license_malformed"),
        ({"revoked": [1]}, "license_malformed"),
        ({"revoked": [{"id": "x", "revoked_at": "2026-01-01T00:00:00Z"}]}, "license_malformed"),
        ({"issued_at": "today"}, "license_malformed"),
    ],
)
def test_a_revocation_list_that_breaks_a_rule_is_refused(payload, code):
    payload = {"version": 1, "issued_at": "2026-01-01T00:00:00Z", "revoked": []} | payload
    assert code_of(sign_payload(payload, kind=Kind.REVOCATIONS), VERIFIER.read_revocations) == code
    assert code_of(TEXT, VERIFIER.read_revocations) == "license_kind"
