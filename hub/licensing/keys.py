"""The vendor's public keys, compiled in. A key counts only when the list in ``trust.py`` names it, too.

There is no setting that adds a key: who could add one could sign a licence. `licenses/README.md`
says how a vendor does it.
"""

from __future__ import annotations

from dataclasses import dataclass

ED25519 = "ed25519"
RSA = "rsa"  # of files in the older armour only


@dataclass(frozen=True)
class PublicKey:
    """A key as it is compiled in. content: base64 of the DER form (SubjectPublicKeyInfo), the body of a PEM file."""

    algorithm: str
    content: str


KEYS = {
    # For trying the enterprise edition: it signed `licenses/evaluation.license`, and its private half was never stored.
    "hub-evaluation-2026": PublicKey(ED25519, "MCowBQYDK2VwAyEAnq+fOVz3mZNWx4MrZszXi2yqbfS0ZtwNIuveokU0cWw="),
}
