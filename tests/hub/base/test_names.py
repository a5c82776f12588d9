import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.base.errors import Invalid
from hub.base.names import (
    branch_ref,
    fold_name,
    is_harmless_url,
    normalise_path,
    validate_name,
    validate_namespace,
    validate_oid,
    validate_ref,
)


@pytest.mark.parametrize("name", ["ab", "Qwen2.5-7B", "a_b-c.d", "a" * 64, "x-_y"])
def test_names_of_the_contract_are_accepted(name):
    assert validate_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "1ab",
        "-ab",
        "ab-",
        "a--b",
        "a__b",
        "a..b",
        "a/b",
        "a b",
        "a\0b",
        "ä1",
        "a" * 65,
        "ab.git",
        "ab.lock",
        "ab\n",
    ],
)
def test_names_that_break_a_rule_are_refused(name):
    with pytest.raises(Invalid, match="cannot be used") as refusal:
        validate_name(name)
    assert refusal.value.code == "name_invalid"


@pytest.mark.parametrize("name", ["api", "Models", "HF", "mcps"])
def test_a_namespace_cannot_shadow_an_address_of_the_hub(name):
    with pytest.raises(Invalid) as refusal:
        validate_namespace(name)
    assert refusal.value.code == "name_reserved"


def test_names_are_compared_without_case():
    assert fold_name("LLaMA") == fold_name("llama")


@pytest.mark.parametrize(
    ("given_path", "path"),
    [
        ("a/b.txt", "a/b.txt"),
        ("./a", "a"),
        ("/a/b/", "a/b"),
        (".//a", "a"),
        ("ümlaut/文件", "ümlaut/文件"),
        (".gitattributes", ".gitattributes"),
        ("a/" * 200, "a/" * 199 + "a"),
    ],
)
def test_paths_come_out_in_their_one_form(given_path, path):
    assert normalise_path(given_path) == path


@pytest.mark.parametrize(
    "path",
    ["", "/", ".", "..", "a/../b", "a//b", "a/./b", "a\0b", "a\nb", "a\\b", ".git/config", "x/.GIT", ".g\u200cit/x",
     "git~1", ".git ", ".git.", ".git::$INDEX", "a" * 256, "/".join(["abcdefgh"] * 130), "a/" * 200 + "a", "\ud800"],
)  # fmt: skip
def test_hostile_paths_are_refused(path):
    with pytest.raises(Invalid) as refusal:
        normalise_path(path)
    assert refusal.value.code == "path_invalid"


def test_the_root_is_a_path_only_where_it_is_asked_for():
    assert normalise_path("/", allow_root=True) == ""


@given(st.text(max_size=300))
@example("....//")
def test_a_path_that_passes_never_climbs_and_is_stable(path):
    try:
        clean = normalise_path(path)
    except Invalid:
        return
    assert not clean.startswith("/")
    assert ".." not in clean.split("/")
    assert "\0" not in clean
    assert normalise_path(clean) == clean


@pytest.mark.parametrize("ref", ["refs/heads/main", "refs/tags/v1.0", "refs/heads/feature/x", "refs/heads/文"])
def test_ref_names_that_git_takes_are_accepted(ref):
    assert validate_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    ["main", "refs/heads", "refs/heads/", "refs/heads/a..b", "refs/heads/a.lock", "refs/heads/.a", "refs/heads/a b",
     "refs/heads/a@{1}", "refs/heads/a^", "refs/heads/a:b", "refs/heads/a\x7f", "refs/heads/a\0", "refs/heads//a",
     "refs/heads/" + "a" * 250, "refs/heads/x.lock/y"],
)  # fmt: skip
def test_ref_names_that_git_refuses_are_refused(ref):
    with pytest.raises(Invalid):
        validate_ref(ref)


@pytest.mark.parametrize("branch", ["HEAD", "-f", "a..b"])
def test_a_branch_cannot_be_spelled_like_an_option_or_head(branch):
    with pytest.raises(Invalid):
        branch_ref(branch)


def test_a_branch_becomes_a_full_ref_once():
    assert branch_ref("main") == branch_ref("refs/heads/main") == "refs/heads/main"


@pytest.mark.parametrize("oid", ["", "A" * 64, "a" * 63, "a" * 65, "g" * 64, None, 7])
def test_only_64_lower_case_hex_digits_name_an_object(oid):
    with pytest.raises(Invalid):
        validate_oid(oid)


@pytest.mark.parametrize("url", ["/", "/models/a/b?x=//y", "https://example.org/a", "HTTP://example.org"])
def test_a_page_may_link_to_paths_and_web_addresses(url):
    assert is_harmless_url(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "models", "//evil.example", "///evil.example", "/\\evil.example", "/\t/evil.example"),
        *("javascript:alert(1)", "data:text/html,x", "https:evil", "https://", "http://["),
    ],
)
def test_a_page_links_to_nothing_else(url):
    assert not is_harmless_url(url)
