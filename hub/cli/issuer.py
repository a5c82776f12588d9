"""``hub-license``: the vendor's command. It makes keys and signs licences; a customer's hub never needs it.

No private key belongs into the tree: the command refuses to write one there.
"""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hub import __version__
from hub.base.errors import HubError, Invalid
from hub.cli.license import read_text
from hub.cli.main import print_json
from hub.licensing.armour import Kind, dump_canonical, find_block, open_container, parse_json
from hub.licensing.editions import load_features
from hub.licensing.payload import PRODUCT, VERSION, read_payload
from hub.licensing.request import read_request
from hub.licensing.sign import public_key_of, sign
from hub.licensing.trust import VENDOR_KEYS
from hub.licensing.verify import Verifier

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

key_options = (
    click.option("--key", "key_path", required=True, type=click.Path(exists=True, dir_okay=False), help="Private key."),
    click.option("--kid", required=True, help="The key's id, as the hub's releases know it."),
    click.option("--passphrase-stdin", is_flag=True, help="Read the key's passphrase from standard input."),
    click.option("--out", type=click.Path(dir_okay=False, writable=True), help="Write here instead of to the screen."),
)


def _with_key_options(command: Any) -> Any:
    for option in reversed(key_options):
        command = option(command)
    return command


def _moment(text: str, *, name: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{name}: write a day (2027-12-31) or a time (2027-12-31T18:00:00+01:00)") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _read_passphrase(wanted: bool) -> bytes | None:
    return (sys.stdin.readline().rstrip("\r\n").encode() or None) if wanted else None


def _load_key(path: str, passphrase: bytes | None) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(Path(path).read_bytes(), passphrase)
    except (ValueError, TypeError) as error:
        raise Invalid(f"The private key cannot be read: {error}", code="key_invalid") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid("Licences are signed by Ed25519 keys; `hub-license keygen` makes one.", code="key_invalid")
    return key


def _refuse_checkout(directory: Path) -> None:
    for place in (directory, *directory.parents):
        if (place / ".git").exists() and (place / "hub" / "licensing").is_dir():
            raise Invalid(
                "A private key must not lie in a checkout of the hub; name another directory.", code="key_place"
            )


def _write(path: str | None, text: str) -> None:
    if path is None:
        click.echo(text, nl=False)
    else:
        Path(path).write_text(text)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="hub-license")
def cli() -> None:
    """For the vendor: make keys, sign licences and revocation lists."""


@cli.command()
@click.option("--kid", required=True, help="An id for the key, such as acme-2027.")
@click.option("--out", required=True, type=click.Path(file_okay=False), help="Directory, outside of any checkout.")
@click.option("--passphrase-stdin", is_flag=True, help="Encrypt the key with a passphrase from standard input.")
def keygen(kid: str, out: str, passphrase_stdin: bool) -> None:
    """Make a signing key: KID.key (private, mode 0600) and KID.pem (public), and print what a release compiles in."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    directory = Path(out).resolve()
    if not kid or not all(c.isascii() and (c.isalnum() or c in "-_.") for c in kid) or kid.startswith("."):
        raise click.BadParameter("--kid: letters, digits, '-', '_' and '.' only")
    _refuse_checkout(directory)
    passphrase = _read_passphrase(passphrase_stdin)
    key = Ed25519PrivateKey.generate()
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(directory / f"{kid}.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Invalid(f"There is a key {kid!r} already; take another id.", code="key_exists") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / f"{kid}.pem").write_bytes(public)
    content = public_key_of(key).content
    click.echo(f'hub/licensing/keys.py   "{kid}": PublicKey(ED25519, "{content}"),')
    click.echo(f'hub/licensing/trust.py  "{kid}": "{hashlib.sha256(content.encode()).hexdigest()}",')
    click.echo(f"licenses/               {kid}.pem")


@cli.command()
@_with_key_options
@click.option("--company", required=True, help="Whom the licence is for.")
@click.option("--email", default="", help="Who is written to about it.")
@click.option("--customer-id", default="", help="The customer in the vendor's books.")
@click.option("--id", "license_id", help="Of the licence that this one renews; without: a new one.")
@click.option("--edition", type=click.Choice(["ee", "ce"]), default="ee", show_default=True)
@click.option("--max-user", type=click.IntRange(-1), required=True, help="Seats; -1: no limit.")
@click.option("--max-node", type=click.IntRange(-1), default=-1, show_default=True, help="-1: no limit.")
@click.option("--max-gpu", type=click.IntRange(-1), default=-1, show_default=True, help="-1: no limit.")
@click.option("--max-cluster", type=click.IntRange(-1), default=-1, show_default=True, help="-1: no limit.")
@click.option("--features", default="*", show_default=True, help="Words with commas between; *: all.")
@click.option("--starts", help="A day or time; without: now.")
@click.option("--expires", help="A day or time.")
@click.option("--perpetual", is_flag=True, help="Without an end.")
@click.option("--maintenance-until", help="With --perpetual: the last day of releases that it covers.")
@click.option("--grace-days", type=click.IntRange(0, 366), default=14, show_default=True)
@click.option("--overage-pct", type=click.IntRange(0, 100), default=10, show_default=True)
@click.option(
    "--request", "request_path", type=click.Path(exists=True, dir_okay=False), help="Bind to its installation."
)
@click.option(
    "--reset-clock",
    is_flag=True,
    help="Make the installation of --request forget a clock that once ran ahead, and with it what was recorded then.",
)
@click.option("--supersedes", multiple=True, help="Id of a licence that this one takes the place of.")
@click.option("--quota", "quotas", multiple=True, metavar="NAME=N", help="A further limit, such as sync.repos=50.")
def issue(
    key_path: str,
    kid: str,
    passphrase_stdin: bool,
    out: str | None,
    license_id: str | None,
    features: str,
    starts: str | None,
    expires: str | None,
    perpetual: bool,
    maintenance_until: str | None,
    request_path: str | None,
    reset_clock: bool,
    supersedes: Sequence[str],
    quotas: Sequence[str],
    **members: Any,
) -> None:
    """Sign a licence."""
    if perpetual == bool(expires):
        raise click.UsageError("Give either --expires or --perpetual.")
    if maintenance_until and not perpetual:
        raise click.UsageError("--maintenance-until goes with --perpetual.")
    if reset_clock and not request_path:
        raise click.UsageError("--reset-clock goes with --request: it is for one installation.")
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    payload = {
        **members,
        "id": license_id or str(uuid.uuid4()),
        "version": VERSION,
        "product": PRODUCT,
        "issued_at": now,
        "start_time": _moment(starts, name="--starts") if starts else now,
        "expire_time": _moment(expires, name="--expires") if expires else None,
        "maintenance_until": _moment(maintenance_until, name="--maintenance-until") if maintenance_until else None,
        "features": _parse_features(features),
        "quotas": dict(_parse_quota(quota) for quota in quotas),
        "fingerprint": read_request(read_text(request_path)).fingerprint if request_path else None,
        "supersedes": list(supersedes),
        "extra": {"reset_clock": True} if reset_clock else {},
    }
    # What the hub would refuse is refused here, before anybody is sent it.
    read_payload(dump_canonical(payload))
    key = _load_key(key_path, _read_passphrase(passphrase_stdin))
    _write(out, sign(Kind.LICENSE, payload, kid=kid, key=key))


def _parse_features(text: str) -> list[str]:
    words = sorted({word.strip() for word in text.split(",") if word.strip()})
    for word in words:
        if word != "*" and word not in load_features():
            click.echo(f"hub-license: this release knows no feature {word!r}", err=True)
    return words


def _parse_quota(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    try:
        return name, int(number)
    except ValueError:
        raise click.BadParameter(f"--quota {text}: write NAME=N") from None


@cli.command()
@_with_key_options
@click.option("--previous", type=click.Path(exists=True, dir_okay=False), help="The last list, which this one extends.")
@click.option("--reason", default="", help="Why, for the ids of this call.")
@click.argument("ids", nargs=-1, required=True)
def revoke(
    key_path: str,
    kid: str,
    passphrase_stdin: bool,
    out: str | None,
    previous: str | None,
    reason: str,
    ids: Sequence[str],
) -> None:
    """Sign a list of licences that are taken back, by their IDS; it replaces the list that a hub has."""
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    revoked = [*_read_payload_of(read_text(previous)).get("revoked", [])] if previous else []
    try:
        revoked += [{"id": str(uuid.UUID(id)), "reason": reason, "revoked_at": now} for id in ids]
    except ValueError:
        raise click.BadParameter("an id is a UUID; `hub-license inspect FILE` shows it") from None
    key = _load_key(key_path, _read_passphrase(passphrase_stdin))
    _write(out, sign(Kind.REVOCATIONS, {"version": VERSION, "issued_at": now, "revoked": revoked}, kid=kid, key=key))


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def inspect(file: str) -> None:
    """Show what is in FILE, and whether a key of this release has signed it (a request: its own)."""
    text = read_text(file)
    kind = find_block(text).kind
    if kind is Kind.OLDER_LICENSE:
        license = Verifier(VENDOR_KEYS).read_license(text)
        print_json({"kind": kind.label, "kid": license.kid, "company": license.company, "id": license.id})
        return
    container = open_container(find_block(text).content)
    print_json(
        {"kind": kind.label, "kid": container.kid, "signature": _judge(kind, text), "payload": _read_payload_of(text)}
    )


def _judge(kind: Kind, text: str) -> str:
    verifier = Verifier(VENDOR_KEYS)
    read = {
        Kind.LICENSE: verifier.read_license,
        Kind.REVOCATIONS: verifier.read_revocations,
        Kind.REQUEST: read_request,
    }[kind]
    try:
        read(text)
    except Invalid as error:
        return error.code
    return "good"


def _read_payload_of(text: str) -> dict[str, Any]:
    return parse_json(open_container(find_block(text).content).payload)


def main() -> None:
    """Entry point of the ``hub-license`` command."""
    try:
        cli(prog_name="hub-license")
    except HubError as error:
        click.echo(f"hub-license: {error}", err=True)
        sys.exit(1)
