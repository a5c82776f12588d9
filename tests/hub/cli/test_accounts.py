import json
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from hub.accounts import service
from hub.accounts.authentication import authenticate_token, check_password
from hub.accounts.policy import Actor
from hub.accounts.second_factor import switch_on
from hub.accounts.service import second_factors
from hub.accounts.service.invitations import check_invitation
from hub.base.errors import Conflict, HubError, Invalid, NotFound
from hub.base.settings import environment_of
from hub.db.engine import DATABASE
from hub.db.uow import reading, unit_of_work
from tests.support.cli import make_runner

WORD = "correct-horse"


@pytest.fixture
def hub(context, settings):
    """``hub("user", "list")``: what the command prints; with ``refused=Conflict`` the error that it must end with."""
    return make_runner(context, settings)


@pytest.fixture
def ada(hub):
    """A user with a password, made by the command."""
    hub("user", "create", "ada", "--email", "ada@example.org", "--password-stdin", input=f"{WORD}\n")
    return "ada"


def test_a_user_is_deleted_when_that_is_confirmed(hub, ada):
    hub("user", "delete", "ada", input="n\n", status=1)
    assert hub("user", "delete", "ADA", "--yes") == "Deleted the user ada.\n"
    hub("user", "show", "ada", refused=NotFound)


def test_a_user_is_created_shown_and_listed(hub, context, ada):
    shown = json.loads(hub("user", "show", "ADA", "--json"))
    assert (shown["name"], shown["email"], shown["is_admin"], shown["has_password"]) == (
        "ada",
        "ada@example.org",
        False,
        True,
    )
    assert check_password(context, "ada", WORD).name == "ada"
    assert "ada@example.org" in hub("user", "show", "ada")
    root = json.loads(hub("user", "create", "root-1", "--email", "r@example.org", "--admin", "--json"))
    assert (root["is_admin"], root["has_password"]) == (True, False)
    assert [user["name"] for user in json.loads(hub("user", "list", "--json"))] == ["ada", "root-1"]
    assert [user["name"] for user in json.loads(hub("user", "list", "--search", "r@ex", "--json"))] == ["root-1"]
    assert [user["name"] for user in json.loads(hub("user", "list", "--limit", "1", "--json"))] == ["ada"]
    assert "root-1  r@example.org" in hub("user", "list")


def test_a_password_that_breaks_the_rules_makes_no_user(hub):
    for word in ("", "short", "lovelace", "x" * 5000):
        hub("user", "create", "lovelace", "--email", "l@example.org", "--password-stdin", input=word, refused=Invalid)
    hub("user", "show", "lovelace", refused=NotFound)


def test_what_the_service_refuses_ends_the_command(hub, ada):
    assert "taken" in hub("user", "create", "ADA", "--email", "x@example.org", refused=Conflict)
    for arguments in (
        ("user", "create", "-x", "--email"),
        ("user", "create"),
        ("user", "password", "ada"),
        ("token", "create", "ada", "--name", "t"),
        ("token", "create", "ada", "--name", "t", "--scope", "all"),
        ("token", "create", "ada", "--name", "t", "--scope", "read", "--expires-days", "0"),
        ("org", "add", "acme", "ada", "--role", "chief"),
        ("user", "explode"),
    ):
        hub(*arguments, status=2)


def test_the_command_itself_ends_with_status_1_and_the_reason(settings, context, monkeypatch, capsys):
    from hub.cli.main import main

    url = context[DATABASE].url.render_as_string(hide_password=False)
    for name, value in (environment_of(settings) | {"HUB_DATABASE_URL": url}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["hub", "user", "show", "nobody"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert "There is no user 'nobody'" in capsys.readouterr().err


def test_a_user_is_changed_switched_off_and_on(hub, context, ada):
    hub("user", "update", "ada", "--email", "new@example.org", "--nickname", "Countess", "--admin")
    shown = json.loads(hub("user", "show", "ada", "--json"))
    assert (shown["email"], shown["nickname"], shown["is_admin"]) == ("new@example.org", "Countess", True)
    hub("user", "disable", "ada", refused=Conflict)
    hub("user", "create", "root-1", "--email", "r@example.org", "--admin")
    hub("user", "disable", "ada")
    assert check_password(context, "ada", WORD) is None
    assert "disabled" in hub("user", "list")
    hub("user", "enable", "ada")
    assert check_password(context, "ada", WORD)
    hub("user", "password", "ada", "--password-stdin", input="another word\r\n")
    assert check_password(context, "ada", "another word")
    hub("user", "password", "ada", "--password-stdin", input="short", refused=Invalid)


def test_a_lost_second_factor_is_taken_off(hub, context, ada):
    with unit_of_work(context) as work:
        user = service.get_user(work, "ada")
        secret = second_factors.begin(work, actor=Actor.of_user(user, via="session"), user=user).secret
    code = pyotp.TOTP(secret).at(context.clock.now())
    switch_on(context, actor=Actor.of_user(user, via="session"), name="ada", code=code)
    assert json.loads(hub("user", "show", "ada", "--json"))["has_second_factor"] is True
    assert "password alone" in hub("user", "reset-second-factor", "ada")
    assert json.loads(hub("user", "show", "ada", "--json"))["has_second_factor"] is False
    hub("user", "reset-second-factor", "ada", refused=Conflict)


def actor_of(context, value):
    with reading(context) as work:
        return authenticate_token(work, value)


def test_a_token_is_printed_alone_when_asked_and_is_good(hub, context, ada):
    printed = hub("token", "create", "ada", "--name", "ci", "--scope", "write", "--quiet")
    assert printed == printed.strip() + "\n"
    assert actor_of(context, printed.strip()).scope == "write"
    spoken = hub("token", "create", "ada", "--name", "other", "--scope", "read")
    assert actor_of(context, spoken.splitlines()[0]).scope == "read"
    made = json.loads(hub("token", "create", "ada", "--name", "j", "--scope", "admin", "--expires-days", "2", "--json"))
    assert isinstance(actor_of(context, made["token"]), Actor)
    assert made["expires_at"] is not None
    hub("token", "create", "ada", "--name", "ci", "--scope", "read", refused=Conflict)
    hub("token", "create", "nobody", "--name", "ci", "--scope", "read", refused=NotFound)


def test_tokens_are_listed_without_their_values_and_revoked(hub, context, ada):
    value = hub("token", "create", "ada", "--name", "ci", "--scope", "write", "--quiet").strip()
    listed = hub("token", "list", "ada") + hub("token", "list", "ada", "--json")
    assert value not in listed
    assert value[:4] in listed
    hub("token", "revoke", "ada", "ci")
    assert actor_of(context, value) is None
    hub("token", "revoke", "ada", "ci", refused=NotFound)
    assert json.loads(hub("token", "list", "ada", "--json")) == []


def test_an_organisation_is_made_and_its_members_are_kept(hub, context, ada):
    hub("user", "create", "eve", "--email", "eve@example.org")
    made = json.loads(hub("org", "create", "acme", "--owner", "ada", "--display-name", "Acme", "--json"))
    assert (made["name"], made["display_name"]) == ("acme", "Acme")
    hub("org", "add", "acme", "eve", "--role", "read")
    hub("org", "add", "acme", "eve", "--role", "owner")
    members = json.loads(hub("org", "members", "acme", "--json"))
    assert [(member["name"], member["role"]) for member in members] == [("ada", "owner"), ("eve", "owner")]
    hub("org", "remove", "acme", "ada")
    hub("org", "remove", "acme", "eve", refused=HubError)
    assert "eve   owner" in hub("org", "members", "acme")
    assert "acme" in hub("org", "list")
    with reading(context) as work:
        assert service.get_organization(work, "acme").display_name == "Acme"


def test_users_are_imported_and_invited(context, hub, tmp_path):
    table = tmp_path / "users.csv"
    table.write_text("username,email\nann,ann@example.org\nroot,x\n")
    done = hub("user", "import", str(table), "--json", status=1)
    assert [finding["line"] for finding in json.loads(done)["findings"]] == [3]
    table.write_text("username,email\nann,ann@example.org\n")
    assert "1 users can be made" in hub("user", "import", str(table), "--dry-run")
    assert json.loads(hub("user", "import", str(table), "--json"))["created"] == 1
    invited = json.loads(hub("user", "invite", "--email", "ben@example.org", "--days", "2", "--json"))
    with reading(context) as work:
        code = parse_qs(urlsplit(invited["url"]).query)["invitation"][0]
        assert check_invitation(work, code).email == "ben@example.org"
