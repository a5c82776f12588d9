"""A hub's database with a million repositories, the same in every run, and the PostgreSQL server that keeps it."""

from __future__ import annotations

import hashlib
import itertools
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, text

import hub.assets.models
import hub.community.models
import hub.http.models
import hub.jobs.models  # noqa: F401 - every table must be known before the migration
from hub.assets.search.words import words_of, written
from hub.db import migrate
from hub.db.base import Model
from hub.db.engine import Database
from tests.bench.data import SEED
from tests.bench.measure import run
from tests.support.assets import cache_path
from tests.support.servers import run_postgresql, scratch_directory


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


# What rare and common searches look for.
RARE_WORD, COMMON_WORD = "quokka", "model"
RARE_EVERY = 40_000
# What only cards say, each of so many words.
RARE_CARD_WORD = "bandicoot"
RARE_CARD_EVERY = 10_000
CARD_WORDS = 100
# Two accounts that belong to many organisations.
MEMBER, COLLECTOR = "member", "collector"
MEMBER_ORGANIZATIONS, COLLECTOR_ORGANIZATIONS = 40, 1000

KINDS = {"model": 55, "dataset": 20, "space": 12, "code": 6, "prompt": 3, "skill": 2, "mcpserver": 2}
LICENCES = (
    *("apache-2.0", "mit", "openrail", "cc-by-4.0", "llama3", "gpl-3.0", "cc-by-nc-4.0", "bsd-3-clause"),
    *("cc-by-sa-4.0", "agpl-3.0", "mpl-2.0", "unknown"),
)
FRAMEWORKS = ("pytorch", "transformers", "gguf", "onnx", "tensorflow", "jax", "paddlepaddle", "safetensors")
LANGUAGES = _listed("en zh es fr de ja ko pt ru ar it hi vi tr pl nl th id sv cs uk fa he fi ro hu da el bn ta")
TASKS = _listed(
    "text-generation text-classification text-to-image feature-extraction token-classification question-answering "
    "fill-mask automatic-speech-recognition image-classification translation summarization sentence-similarity "
    "image-text-to-text object-detection text-to-speech image-segmentation reinforcement-learning image-to-text "
    "zero-shot-classification audio-classification text-to-video image-to-image depth-estimation visual-question-"
    "answering table-question-answering video-classification tabular-classification document-question-answering "
    "zero-shot-image-classification image-feature-extraction tabular-regression audio-to-audio text-to-audio "
    "image-to-3d text-to-3d mask-generation robotics graph-ml time-series-forecasting voice-activity-detection "
    "keypoint-detection any-to-any"
)
CATEGORIES = {"task": TASKS, "license": LICENCES, "framework": FRAMEWORKS, "language": LANGUAGES}

_NOUNS = _listed(
    "llama qwen bert mistral gemma whisper clip vit resnet yolo roberta falcon phi mixtral bloom deberta t5"
)
_TRAITS = _listed("tiny small base large chat instruct distilled quantised multilingual medical legal code vision math")
_SIZES = _listed("135m 350m 1b 3b 7b 8b 13b 34b 70b")
_SPEECH = _listed(
    "a the of for and with on in from to model models dataset trained fine-tuned on tokens language text images speech "
    "this base evaluation benchmark weights released checkpoint training data version improved results"
)
_NOW = datetime(2026, 11, 1, tzinfo=UTC)
_CHUNK = 20_000


@dataclass(frozen=True)
class Size:
    """How much there is to be of everything."""

    repositories: int = 1_000_000
    users: int = 100_000
    organizations: int = 2_000
    cards: int = 200_000


class _Loader:
    """Writes many rows of a table by the fastest way that the database has."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_sqlite = connection.dialect.name == "sqlite"

    @contextmanager
    def without_checks(self) -> Iterator[None]:
        """No foreign keys and no secondary indexes meanwhile; the indexes are made anew at the end."""
        if self.is_sqlite:
            yield
            return
        found = self.connection.execute(
            text(
                "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexname NOT IN "
                "(SELECT conname FROM pg_constraint) AND tablename IN ('repositories', 'repository_tags', 'likes', "
                "'search_cards')"
            )
        ).all()
        self.connection.execute(text("SET session_replication_role = replica"))
        for name, _ in found:
            self.connection.execute(text(f'DROP INDEX "{name}"'))
        yield
        self.connection.execute(text("SET session_replication_role = DEFAULT"))
        self.connection.execute(text("SET maintenance_work_mem = '1GB'"))
        for _, definition in found:
            self.connection.execute(text(definition))

    def load(self, table: str, columns: str, rows: Iterable[Sequence[Any]]) -> None:
        names = columns.split()
        quoted = ", ".join(f'"{name}"' for name in names)
        driver = self.connection.connection.driver_connection
        assert driver is not None
        if self.is_sqlite:
            marks = ", ".join("?" * len(names))
            driver.executemany(f"INSERT INTO {table} ({quoted}) VALUES ({marks})", rows)
            return
        with driver.cursor().copy(f"COPY {table} ({quoted}) FROM STDIN") as copy:
            while chunk := list(itertools.islice(rows := iter(rows), _CHUNK)):
                copy.write("".join(["\t".join(map(_copied, row)) + "\n" for row in chunk]))
        if "id" in names:
            self.connection.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
            )


def _copied(value: Any) -> str:
    return "\\N" if value is None else str(value).replace("\n", "\\n")


def fill(connection: Connection, size: Size = Size()) -> None:
    """Write the rows into a migrated database without any, and analyse it. The caller commits."""
    loader = _Loader(connection)
    generator = random.Random(SEED)
    now = _moment(_NOW, loader.is_sqlite)
    with loader.without_checks():
        _fill_accounts(loader, size, generator, now)
        tags = _fill_tags(loader, now)
        _fill_repositories(loader, size, generator, tags)
        fill_cards(loader, size)
    if loader.is_sqlite:
        connection.execute(text("ANALYZE"))


def _moment(when: datetime, is_sqlite: bool) -> str:
    text = when.isoformat(" ", "microseconds")
    return text.removesuffix("+00:00") if is_sqlite else text


def _uuid(room: int, number: int) -> str:
    return f"{room:08x}-0000-4000-8000-{number:012x}"


def user_name(number: int) -> str:
    """The name of a user by its number from 1."""
    return {1: MEMBER, 2: COLLECTOR}.get(number) or f"{_NOUNS[number % len(_NOUNS)]}-fan-{number}"


def organization_name(number: int) -> str:
    """The name of an organisation by its number from 1."""
    return f"{_TRAITS[number % len(_TRAITS)]}-lab-{number}"


def _fill_accounts(loader: _Loader, size: Size, generator: random.Random, now: str) -> None:
    users = range(1, size.users + 1)
    organizations = range(1, size.organizations + 1)
    namespaces = [(n, user_name(n), "user") for n in users]
    namespaces += [(size.users + n, organization_name(n), "organization") for n in organizations]
    loader.load(
        "namespaces",
        "id uuid path path_key kind created_at",
        ((id, _uuid(1, id), path, path, kind, now) for id, path, kind in namespaces),
    )
    loader.load(
        "users",
        "id uuid namespace_id name email email_key nickname bio homepage avatar is_admin is_active labels created_at "
        "updated_at",
        (
            (n, _uuid(2, n), n, name, email, email, name.title(), "", "", "", False, True, "[]", now, now)
            for n, name, email in ((n, user_name(n), f"user{n}@example.org") for n in users)
        ),
    )
    loader.load(
        "organizations",
        "id uuid namespace_id name display_name description homepage logo type is_verified created_at updated_at",
        (
            (n, _uuid(3, n), size.users + n, name, name.title(), "", "", "", "", False, now, now)
            for n, name in ((n, organization_name(n)) for n in organizations)
        ),
    )
    pairs = {(n, 1) for n in organizations[:MEMBER_ORGANIZATIONS]}
    pairs |= {(n, 2) for n in organizations[:COLLECTOR_ORGANIZATIONS]}
    for n in organizations:
        pairs |= {(n, generator.randrange(1, size.users + 1)) for _ in range(int(generator.paretovariate(1) * 5) % 200)}
    roles = ("read", "write", "write", "admin")
    loader.load(
        "members",
        "id organization_id user_id role created_at",
        ((id, n, user, roles[id % 4], now) for id, (n, user) in enumerate(sorted(pairs), 1)),
    )


def _fill_tags(loader: _Loader, now: str) -> dict[str, dict[str, list[int]]]:
    """Write labels where the migrations brought none of that name; for each kind and category the ids, in order."""
    kinds = Model.metadata.tables["tag_categories"]
    tags = Model.metadata.tables["tags"]
    have = {
        tuple(row[:3]): row[3]
        for row in loader.connection.execute(
            tags.select().with_only_columns(tags.c.scope, tags.c.category, tags.c.name, tags.c.id)
        )
    }
    have_kinds = set(
        map(tuple, loader.connection.execute(kinds.select().with_only_columns(kinds.c.scope, kinds.c.name)))
    )
    wanted = [(kind, category) for kind in KINDS for category in CATEGORIES]
    for kind, category in wanted:
        if (kind, category) not in have_kinds:
            row = {"scope": kind, "name": category, "show_name": "", "is_enabled": True, "is_automatic": False}
            loader.connection.execute(kinds.insert().values(row))
    number = itertools.count(max(have.values(), default=0) + 1)
    new = []
    found: dict[str, dict[str, list[int]]] = {kind: {} for kind in KINDS}
    for kind, category in wanted:
        ids = []
        for name in CATEGORIES[category]:
            id = have.get((kind, category, name))
            if id is None:
                id = next(number)
                new.append((id, kind, category, "", name, "", "", True, "kept", now, now))
            ids.append(id)
        found[kind][category] = ids
    loader.load("tags", "id scope category group name show_name i18n_key is_builtin state created_at updated_at", new)
    return found


def _zipf(count: int) -> list[float]:
    return list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))


def _fill_repositories(
    loader: _Loader, size: Size, generator: random.Random, tags: dict[str, dict[str, list[int]]]
) -> None:
    words = _words(generator)
    counts = range(1, size.repositories + 1)
    kinds = generator.choices(list(KINDS), list(KINDS.values()), k=size.repositories)
    weights = {category: _zipf(len(names)) for category, names in CATEGORIES.items()}
    likes = [min(int(generator.paretovariate(1.6)) - 1, size.users // 5) for _ in counts]

    def labels() -> Iterator[set[int]]:
        own = random.Random(SEED + 2)
        pick = {category: iter(_endless(own, len(names), weights[category])) for category, names in CATEGORIES.items()}
        for id, kind in zip(counts, kinds, strict=True):
            known = tags[kind]
            ids = {
                known["task"][next(pick["task"])],
                known["license"][id % 12],
                known["language"][next(pick["language"])],
            }
            if id % 4:
                ids.add(known["framework"][next(pick["framework"])])
            if id % 3 == 0:
                ids.add(known["language"][next(pick["language"])])
            yield ids

    def rows() -> Iterator[Sequence[Any]]:
        for id, kind, like_count, label_ids in zip(counts, kinds, likes, labels(), strict=True):
            is_of_organization = generator.random() < 0.4
            owner = _skewed(generator, size.organizations if is_of_organization else size.users)
            path = organization_name(owner) if is_of_organization else user_name(owner)
            name = _name(generator, id)
            description = " ".join(words(6 + int(generator.random() * 18)))
            if id % RARE_EVERY == 7:
                description += f" {RARE_WORD}"
            updated = _NOW - timedelta(seconds=generator.random() ** 2 * 7e7)
            nickname = name.replace("-", " ").title()
            deleted = _moment(_NOW, loader.is_sqlite) if id % 100 == 99 else None
            when = _moment(updated, loader.is_sqlite)
            yield (
                *(id, _uuid(4, id), kind, owner + (size.users if is_of_organization else 0), name, name, nickname),
                *(description, LICENCES[id % 12], generator.random() < 0.2, "main", "default", "ready"),
                *(owner if not is_of_organization else 1 + id % size.users, 20_000, 0),
                *(int(generator.paretovariate(0.6)) - 1, like_count, generator.random() ** 8 * 100),
                *(f"{path}/{name}\n{nickname}\n{description}".lower(), "{}", ("local", "huggingface")[id % 9 == 0]),
                *("", "", "", "", deleted, when, when, when),
                # What triggers would write, which do not run meanwhile.
                *(() if loader.is_sqlite else (f"{{{','.join(map(str, sorted(label_ids)))}}}",)),
            )

    loader.load(
        "repositories",
        "id uuid kind namespace_id name name_key nickname description license is_private default_branch storage state "
        "created_by_id git_size_bytes lfs_size_bytes download_count like_count trending_score search_text details "
        "source sync_status hf_path ms_path csg_path deleted_at pushed_at created_at updated_at"
        + ("" if loader.is_sqlite else " label_ids"),
        rows(),
    )

    carried = ((id, tag, "person") for id, ids in zip(counts, labels(), strict=True) for tag in ids)
    loader.load("repository_tags", "repository_id tag_id origin", carried)
    now = _moment(_NOW, loader.is_sqlite)
    loader.load(
        "likes",
        "user_id repository_id created_at",
        (
            (1 + (id * 7919 + n) % size.users, id, now)
            for id, like_count in zip(counts, likes, strict=True)
            for n in range(like_count)
        ),
    )


def fill_cards(loader: _Loader, size: Size) -> None:
    """Write what the cards of some of the repositories say, as the hub's own indexer would."""
    generator = random.Random(SEED + 1)
    speak = _words(generator)

    def rows() -> Iterator[Sequence[Any]]:
        for number in range(size.cards):
            id = 1 + number * (size.repositories // size.cards)
            said = speak(CARD_WORDS)
            if number % RARE_CARD_EVERY == 7:
                said.append(RARE_CARD_WORD)
            body = " ".join(said)
            # COPY takes a backslash for its own, which words have none of.
            yield id, f"{id:040x}", body, written([*words_of(body)], for_sqlite=loader.is_sqlite)

    loader.load("search_cards", "repository_id blob_id body words", rows())


def _skewed(generator: random.Random, count: int) -> int:
    """1 to count, low numbers more often."""
    return 1 + int(generator.random() ** 3 * count)


def _name(generator: random.Random, id: int) -> str:
    chance = generator.random
    noun, trait = _NOUNS[int(chance() * len(_NOUNS))], _TRAITS[int(chance() * len(_TRAITS))]
    return f"{noun}-{_SIZES[int(chance() * len(_SIZES))]}-{trait}-{id:x}"


def _endless(generator: random.Random, count: int, weights: list[float]) -> Iterator[int]:
    while True:
        yield from generator.choices(range(count), cum_weights=weights, k=_CHUNK)


def _words(generator: random.Random) -> Callable[[int], list[str]]:
    """Words as a text has them: common ones often, of 4,000 others each seldom."""
    syllables = [c + v for c in _listed("b c d f g h j k l m n p r s t v w z ch st tr pl") for v in "aeiou"]
    ending = ("", "n", "r", "l", "s", "ng")
    rare = {
        "".join(generator.choices(syllables, k=generator.randrange(2, 5))) + generator.choice(ending)
        for _ in range(4000)
    }
    all_words = [*_SPEECH, *sorted(rare)]
    endless = _endless(generator, len(all_words), _zipf(len(all_words)))
    return lambda count: [all_words[next(endless)] for _ in range(count)]


# The server that keeps it.

_DATABASE = "million"
# What a server for this many rows is given; PostgreSQL's own defaults are those of a small machine.
_SETTINGS = {
    "shared_buffers": "1GB",
    "effective_cache_size": "4GB",
    "work_mem": "32MB",
    "random_page_cost": "1.1",
    "max_wal_size": "4GB",
}


@contextmanager
def million_repositories() -> Iterator[str]:
    """The address of a PostgreSQL database with the million repositories, to do with as one likes.

    It is made once for each state of the migrations, in some two minutes, and kept outside of the checkout.
    """
    kept = cache_path() / f"bench-million-{_fingerprint()}"
    if not kept.exists():
        for old in cache_path().glob("bench-million-*"):
            shutil.rmtree(old)
        _make(kept)
    with scratch_directory("million") as directory:
        # Owners and modes with it: PostgreSQL insists on both.
        run("cp", "-a", kept, directory / "data")
        with run_postgresql(directory / "data") as server:
            yield server.url(_DATABASE)


def _fingerprint() -> str:
    made_by = [Path(__file__), *sorted((Path(migrate.__file__).parent / "migrations").rglob("*.py"))]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_by)).hexdigest()[:16]


def _make(target: Path) -> None:
    with scratch_directory("million") as directory:
        with run_postgresql(directory / "data") as server:
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                for name, value in _SETTINGS.items():
                    connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_DATABASE)))
            database = Database(server.url(_DATABASE).replace("postgresql://", "postgresql+psycopg://", 1))
            migrate.upgrade(database)
            with database.engine.begin() as connection:
                fill(connection)
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM (ANALYZE)"))
            database.dispose()
        draft = target.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        run("cp", "-a", directory / "data", draft)
        draft.rename(target)
