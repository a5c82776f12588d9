"""The pages on which people write: who sees them, what they begin with, what they escape."""

import pytest

from hub.accounts.models import Member, Role
from hub.repos.files import FileEdit, commit_files
from hub.repos.lfs.service import receive_object
from tests.support.lfs import oid_of, pointer_to

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def browse(client, make_user, make_token):
    """``browse("ada")(path)``: the answer that somebody's browser gets; ``browse()``: one who has not signed in."""

    def enter(name=""):
        user = make_user(name) if name else None
        headers = {**HTML, "Authorization": f"Bearer {make_token(user, 'write')}"} if user else HTML

        def look(path, **more):
            answer = client.get(path, headers={**headers, **more})
            answer.close()
            return answer

        look.user = user
        return look

    return enter


@pytest.fixture
def join(writing):
    """``join(organization, user, Role.READ)``"""

    def add(organization, user, role):
        with writing() as work:
            work.session.add(Member(organization_id=organization.id, user_id=user.id, role=role, created_at=work.now()))

    return add


@pytest.fixture
def thing(browse, make_repository):
    """ada's browser, and her private repository."""
    ada = browse("ada")
    return ada, make_repository(ada.user, "thing", private=True)


PAGES = ("main/new", "main/upload", "edit/main/README.md", "delete/main/README.md")


def test_what_is_private_is_not_there_for_others_and_who_is_nobody_is_asked_to_sign_in(thing, browse, make_repository):
    ada, _ = thing
    make_repository(ada.user, "open")
    bob, nobody = browse("bob"), browse()
    for page in PAGES:
        assert ada(f"/models/ada/thing/{page}").status_code == 200, page
        assert bob(f"/models/ada/thing/{page}").status_code == 404, page
        assert nobody(f"/models/ada/thing/{page}").status_code == 404, page
        assert bob(f"/models/ada/open/{page}").status_code == 200, page
        assert nobody(f"/models/ada/open/{page}").status_code == 401, page
    assert nobody("/models/new").status_code == 401
    assert ada("/models/ada/thing/edit/main/none.md").status_code == 404
    assert ada("/models/ada/thing/nowhere/new").status_code == 404
    assert ada("/models/ada/thing/delete/main").status_code == 404


def test_each_kind_has_its_form_with_the_namespaces_where_one_may_write(browse, make_organization, join):
    ada = browse("ada")
    join(make_organization("acme"), ada.user, Role.WRITE)
    join(make_organization("elsewhere"), ada.user, Role.READ)
    for kind in ("models", "datasets", "codes", "spaces", "prompts/library", "skills", "mcp/servers"):
        page = ada(f"/{kind}/new?namespace=acme&name=%22%3E%3Cb%3E").text
        assert '<option value="acme" selected>' in page, kind
        assert "elsewhere" not in page
        assert 'value="&#34;&gt;&lt;b&gt;"' in page
        assert f'data-then="/{kind}/{{path}}"' in page
    assert 'value="streamlit"' in ada("/spaces/new").text


def test_the_editor_has_the_very_text_and_what_is_no_text_can_only_be_renamed(context, thing, actor_of):
    ada, repository = thing
    large = b"\0" * 2000
    actor = actor_of(ada.user)
    receive_object(
        context, actor=actor, repository_id=repository.id, oid=oid_of(large), size_bytes=len(large), chunks=[large]
    )
    contents = {
        "a b/</textarea><script>.md": b"\r\n\r\nfirst\r\n</textarea><script>alert(1)</script>\r\n",
        "latin.txt": "é".encode("latin-1"),
        "large.bin": pointer_to(large).encode(),
    }
    edits = [FileEdit(path, content=content) for path, content in contents.items()]
    commit_files(context, actor=actor, repository_id=repository.id, message="Add", edits=edits)
    page = ada("/models/ada/thing/edit/main/a%20b/%3C%2Ftextarea%3E%3Cscript%3E.md").text
    assert "<script>alert" not in page
    # A browser drops the first new line of a textarea.
    assert ">\n\r\n\r\nfirst\r\n&lt;/textarea&gt;" in page
    assert 'data-crlf="1"' in page
    for name, words in (("latin.txt", "no text"), ("large.bin", "in LFS")):
        page = ada(f"/models/ada/thing/edit/main/{name}").text
        assert words in page
        assert 'name="content"' not in page


def test_changes_are_made_to_branches_only(context, thing, actor_of):
    ada, repository = thing
    commit = {"actor": actor_of(ada.user), "repository_id": repository.id, "message": "Add"}
    edits = [FileEdit("a.md", content=b"x")]
    head = commit_files(context, **commit, edits=edits, branch="main", new_branch="feature/one").commit_id
    assert ada("/models/ada/thing/edit/feature/one/a.md").status_code == 200
    assert ada("/models/ada/thing/feature%2Fone/new").status_code == 200
    refused = ada(f"/models/ada/thing/edit/{head}/a.md")
    assert refused.status_code == 400
    assert "no branch" in refused.text


def test_the_pages_take_few_queries_and_the_uploader_comes_as_a_part(thing, count_queries):
    ada, _ = thing
    for page in PAGES:
        with count_queries() as queries:
            ada(f"/models/ada/thing/{page}")
        assert len(queries) <= 12, page
    part = ada("/models/ada/thing/main/upload?path=docs", **{"HX-Request": "true"}).text
    assert "data-uploader" in part
    assert "<html" not in part
