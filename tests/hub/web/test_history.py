"""Commits, what they changed, who wrote each line, branches and tags, as pages show them."""

import html
import re

import pytest

from hub.git.types import DiffHunk, DiffLine, FileChange, RefChange, Signature
from hub.git.write import build_commit, update_refs
from hub.repos import branches
from hub.repos.differences import FILES_PER_PAGE
from hub.repos.lookup import repository_path
from hub.web.difflines import compare_words, draw_hunks
from hub.web.diffs import FIRST_LINES, build_tree

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
PART = {**HTML, "HX-Request": "true"}
PLACE = "/models/ada/thing"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n"


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def thing(ada, make_repository):
    return make_repository(ada, "thing")


@pytest.fixture
def commit(context, thing):
    """``commit("main", parent, {"a.txt": b"…"})``: a commit by some author; None takes a file away."""
    path = repository_path(context.settings, thing)
    tips = {}

    def make(branch, parent, files, *, message="x", author="Ada", when=None):
        who = Signature(author, f"{author.lower()}@example.org", when or context.clock.now())
        steps = [
            FileChange("delete", name) if content is None else FileChange("put", name, content)
            for name, content in files.items()
        ]
        made = build_commit(path, parent=parent, changes=steps, author=who, committer=who, message=message)
        update_refs(path, [RefChange(f"refs/heads/{branch}", tips.get(branch, "0" * 40), made)])
        tips[branch] = made
        return made

    return make


def words_of(page):
    return html.unescape(re.sub("<[^>]+>", "", page))


def test_commits_are_listed_by_day_and_looked_through(see, commit, context):
    first = commit("work", None, {"old.txt": b"one\ntwo\nthree\n"}, message="Begin <b>here</b>\n\nBody", author="Bob")
    second = commit("work", first, {"old.txt": None, "new.txt": b"one\ntwo\nthree\n"}, message="Rename --all")
    commit("work", second, {"new.txt": b"one\ntwo\nthree\nfour\n", "other.txt": b"x\n"}, message="Add four")
    page = see(f"{PLACE}/commits/work")
    assert page.count('data-testid="commits.row"') == 3
    assert "Begin &lt;b&gt;here&lt;/b&gt;" in page
    assert page.count('class="day"') == 1
    # A file's history goes on under the name that it had before.
    assert see(f"{PLACE}/commits/work/new.txt").count('data-testid="commits.row"') == 3
    assert see(f"{PLACE}/commits/work/other.txt").count('data-testid="commits.row"') == 1
    for query, found in {"author=bob": 1, "q=FOUR": 1, "q=--all": 1, "author=--output=/tmp/x": 0, "q=.*": 0}.items():
        assert see(f"{PLACE}/commits/work?{query}").count('data-testid="commits.row"') == found, query
    today = context.clock.now().date().isoformat()
    assert see(f"{PLACE}/commits/work?since={today}&until={today}").count('data-testid="commits.row"') == 3
    assert "No commits match" in see(f"{PLACE}/commits/work?since=2999-12-31")
    assert 'rel="next"' in see(f"{PLACE}/commits/work?per=2")
    for query in ("since=x", "q=" + "x" * 300, "author=%00"):
        see(f"{PLACE}/commits/work?{query}", status=400)


def test_a_commit_tells_what_it_changed(see, commit):
    text = b"".join(b"line %d\n" % number for number in range(40))
    before = {"a.py": b"x = 1\n", "moved.txt": text, "gone.txt": b"gone\n", "pic.png": POINTER % (b"a" * 64, 10)}
    first = commit("work", None, {**before, "bin": b"\0\1", "big.txt": b""})
    after = {"a.py": b"x = 2  # <b>\n", "moved.txt": None, "to/moved.txt": text, "gone.txt": None}
    after |= {"pic.png": POINTER % (b"b" * 64, 2048), "bin": b"\0\2", "big.txt": b"y\n" * 1200}
    second = commit("work", first, after, message="Change all")
    page = see(f"{PLACE}/commit/{second}")
    assert page.count('data-testid="diff.file"') == 6
    assert "<mark>" in page
    assert "<b>" not in page[page.index('data-path="a.py"') :].split("</section>")[0].replace("<b>", "", 0).replace(
        "<b ", ""
    )
    for words in ("moved.txt → to/moved.txt", "A binary file", "From 10 B to 2 KiB", "1,200 changed lines", "b" * 64):
        assert words in words_of(page), words
    pictures = page[page.index('data-path="pic.png"') :].split("</section>")[0]
    assert f'src="{PLACE}/resolve/{first}/pic.png"' in pictures
    assert f'src="{PLACE}/resolve/{second}/pic.png"' in pictures
    lines = see(f"{PLACE}/commit/{second}?part=file&file=big.txt", PART)
    assert lines.count('class="w add"') == 1200
    assert "<html" not in lines
    split = see(f"{PLACE}/commit/{second}?view=split&file=a.py")
    assert 'class="code lines split' in split
    tree = see(f"{PLACE}/commit/{second}?part=tree", PART)
    assert tree.count("data-file=") == 6
    refs = see(f"{PLACE}/commit/{first}?part=refs", PART)
    assert "work" in refs
    for path in ("commit/nowhere", f"commit/{second}?file=nowhere", "commit/" + "0" * 40):
        see(f"{PLACE}/{path}", status=404)


def test_five_thousand_changed_files_come_in_pages_and_few_lines_at_once(see, commit, count_queries):
    first = commit("work", None, {"a": b"1\n"})
    many = commit("work", first, {f"d{n % 50}/f{n:04}.txt": b"line\n" * 10 for n in range(5000)})
    with count_queries() as queries:
        page = see(f"{PLACE}/commit/{many}")
    assert len(queries) <= 6, queries
    assert page.count('data-testid="diff.file"') == FILES_PER_PAGE
    assert page.count('class="w add"') <= FIRST_LINES
    assert page.count("data-load=") == FILES_PER_PAGE - FIRST_LINES // 10
    tree = see(f"{PLACE}/commit/{many}?part=tree", PART)
    assert tree.count("data-file=") == 5000
    last = see(f"{PLACE}/commit/{many}?part=files&page=50", PART)
    assert last.count('data-testid="diff.file"') == FILES_PER_PAGE
    assert 'class="diff-more"' not in last
    # The tree leads to the page on which a file is.
    [link] = re.findall(r'href="([^"]+)" data-file="[^"]+" title="d9/f4959.txt"', tree)
    assert 'data-path="d9/f4959.txt"' in see(link.partition("#")[0])


def test_two_revisions_are_compared(see, client, commit, sign, ada):
    base = commit("one", None, {"a.txt": b"a\n"})
    commit("one", base, {"b.txt": b"b\n"})
    commit("two/x", base, {"c.txt": b"c\n"}, message="Two's own")
    page = see(f"{PLACE}/compare/one...two/x")
    assert 'data-path="c.txt"' in see(f"{PLACE}/compare/one...two%2Fx")
    assert "1 commit ahead" in page
    assert "1 commit behind" in page
    assert "Two&#39;s own" in page
    assert 'data-path="c.txt"' in page
    assert 'data-path="b.txt"' not in page
    assert 'data-testid="compare.pull"' in page
    assert "Both are identical" in see(f"{PLACE}/compare/one...one")
    see(f"{PLACE}/compare/one...nowhere", status=404)
    answer = client.get(f"{PLACE}/compare?base=one&head=two/x", headers=HTML)
    assert answer.headers["Location"] == f"{PLACE}/compare/one...two/x"
    assert "What shall be compared?" in see(f"{PLACE}/compare")


def test_blame_tells_who_wrote_each_line_or_why_not(see, commit):
    first = commit("work", None, {"a.py": b"one\ntwo\n", "bin": b"\0", "w.bin": POINTER % (b"a" * 64, 9)}, author="Bob")
    commit("work", first, {"a.py": b"one\nTWO\n"}, message="Shout", author="Eve")
    page = see(f"{PLACE}/blame/work/a.py")
    assert page.count("--heat:") == 2
    assert f"{PLACE}/blame/{first}/a.py" in page
    assert "Shout" in page
    for name in ("bin", "w.bin"):
        assert 'data-state="error"' in see(f"{PLACE}/blame/work/{name}")
    see(f"{PLACE}/blame/work/nowhere", status=404)


def test_branches_and_tags_are_listed_with_what_one_may_do(see, commit, sign, ada, make_user, thing, context, actor_of):
    tip = commit("odd'<b>/name", None, {"a.txt": b"a\n"}, message="Tip")
    actor = actor_of(ada)
    branches.create_tag(context, actor=actor, repository_id=thing.id, name="v1.0", revision=tip, message="First <i>")
    page = see(f"{PLACE}/branches")
    assert page.count('data-testid="branches.row"') == 2
    assert "odd&#39;&lt;b&gt;/name" in page
    assert 'data-testid="branches.delete"' not in page
    assert "You may not write to this repository" in page
    own = see(f"{PLACE}/branches", sign(ada))
    assert 'data-testid="branches.delete"' in own
    assert own.index("main") < own.index("odd&#39;")
    apart = see(f"{PLACE}/branches?part=apart", PART)
    assert "1 behind, 1 ahead" in apart
    picked = see(f"{PLACE}/branches?part=picker&to=blob&at=a.txt&q=odd", PART)
    assert f'href="{PLACE}/blob/odd%27%3Cb%3E%2Fname/a.txt"' in picked
    assert "No branch of this name" in see(f"{PLACE}/branches?q=nothing")
    tags = see(f"{PLACE}/tags")
    assert "First &lt;i&gt;" in tags
    assert f"/api/v1/models/ada/thing/archive/{tip}.zip" in tags


# The lines of a diff.


def test_words_that_changed_are_marked_and_nothing_else():
    assert compare_words("the old name", "the new name") == ([(4, 7)], [(4, 7)])
    assert compare_words("abc def", "xyz uvw 12") == ([], [])
    assert compare_words("a" * 5000, "b" * 5000) == ([], [])
    lines = [
        DiffLine(" ", 1, 1, 'text = """'),
        DiffLine("-", 2, None, "if a < b:"),
        DiffLine("+", None, 2, "if a < c:"),
        DiffLine("+", None, 3, "<script>", has_newline=False),
    ]
    [hunk] = draw_hunks(
        [DiffHunk(1, 2, 1, 3, "@@ -1,2 +1,3 @@ def f", lines)], old_path="a.py", new_path="a.py", view="split"
    )
    assert hunk.title == "def f"
    assert [(row.left is not None, row.right is not None) for row in hunk.rows] == [
        (True, True),
        (True, True),
        (False, True),
    ]
    assert "<script>" not in str(hunk.rows[2].right.words)


def test_folders_that_hold_one_folder_are_one_in_the_tree():
    root = build_tree([("a/b/c/x", "added"), ("a/b/c/y", "added"), ("a/z/w", "deleted"), ("top", "modified")])
    [folder] = root.folders.values()
    assert [inner.name for inner in folder.folders.values()] == ["b/c", "z"]
    assert [file.name for file in root.files] == ["top"]
