"""Webhooks as the Hugging Face Hub has them: a user's own, over any repositories and namespaces that the user may see.

They share the sending, the log and the limits of the others (``service.webhooks``). ``Webhook.topics`` holds their
domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from hub.accounts.models import Namespace, NamespaceKind
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service import find_namespace, get_own_user
from hub.base.context import Context
from hub.base.errors import Conflict, Invalid, NotFound
from hub.base.log import get_logger
from hub.base.outgoing import OUTGOING
from hub.community.models import Webhook, WebhookWatch
from hub.community.reports import DIALECT, DOMAINS, KINDS_TOLD
from hub.community.service.webhooks import MAX_WEBHOOKS, get_webhook, seal_secret
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.repos.service import get_readable, list_by_ids

log = get_logger(__name__)

MAX_WATCHED = 50
_NAMESPACE_KINDS = {"user": NamespaceKind.USER, "org": NamespaceKind.ORGANIZATION}


@dataclass(frozen=True)
class Watched:
    """Something that a webhook watches. type: a kind of repository, "user" or "org"; name: its path."""

    type: str
    name: str


def list_own_webhooks(work: UnitOfWork, *, actor: Actor) -> list[tuple[Webhook, list[Watched]]]:
    """The actor's webhooks of this form, the oldest first, and what each watches. Raises NotSignedIn, Denied."""
    user = get_own_user(work, actor=actor)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    found = work.session.scalars(
        select(Webhook)
        .where(Webhook.created_by_id == user.id, Webhook.dialect == DIALECT)
        .order_by(Webhook.id)
        .limit(MAX_WEBHOOKS)
    ).all()
    watched = _watched(work, actor, [webhook.id for webhook in found])
    return [(webhook, watched[webhook.id]) for webhook in found]


def get_own_webhook(work: UnitOfWork, *, actor: Actor, uuid: str) -> tuple[Webhook, list[Watched]]:
    """One of them. Raises NotSignedIn, NotFound (``webhook_not_found``)."""
    webhook = get_webhook(work, actor=actor, uuid=uuid)
    if webhook.dialect != DIALECT:
        raise NotFound("There is no such webhook, or you may not see it.", code="webhook_not_found")
    return webhook, _watched(work, actor, [webhook.id])[webhook.id]


def create_watching(
    context: Context,
    *,
    actor: Actor,
    url: str,
    watched: Sequence[Watched],
    domains: Sequence[str] = DOMAINS,
    secret: str = "",
) -> str:
    """The uuid of a new webhook over what is watched.

    Raises NotFound (something is not there, or not for the actor to see), NotSignedIn, Denied; Invalid
    (``outgoing_refused``, ``watched_invalid``, ``domain_unknown``, ``text_invalid``); Conflict (``webhooks_too_many``).
    """
    with reading(context) as work:
        require(work, actor, Action.ACCOUNT_WRITE, get_own_user(work, actor=actor), what="user")
    # It may wait for the DNS: not in a transaction, and for nobody who has no right here.
    context[OUTGOING].check(url)
    with unit_of_work(context) as work:
        user = get_own_user(work, actor=actor)
        require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
        own = (Webhook.created_by_id == user.id, Webhook.dialect == DIALECT)
        if (work.session.scalar(select(func.count(Webhook.id)).where(*own)) or 0) >= MAX_WEBHOOKS:
            raise Conflict(f"You have {MAX_WEBHOOKS} webhooks already.", code="webhooks_too_many")
        webhook = Webhook(
            created_by_id=user.id,
            url=url,
            sealed_secret=seal_secret(work, secret),
            topics=_checked_domains(domains),
            dialect=DIALECT,
            created_at=work.now(),
            updated_at=work.now(),
        )
        work.session.add(webhook)
        work.session.flush()
        _watch(work, actor, webhook, watched)
        log.info("webhook_created", webhook=webhook.uuid, actor_id=user.id)
        return webhook.uuid


def update_watching(
    context: Context,
    *,
    actor: Actor,
    uuid: str,
    url: str | None = None,
    watched: Sequence[Watched] = (),
    domains: Sequence[str] | None = None,
    secret: str | None = None,
    is_active: bool | None = None,
) -> None:
    """Change what is given; without anything watched, that stays. Raises as ``create_watching``."""
    with reading(context) as work:
        webhook, _ = get_own_webhook(work, actor=actor, uuid=uuid)
        is_new_url = url is not None and url != webhook.url
    if url is not None and is_new_url:
        context[OUTGOING].check(url)
    with unit_of_work(context) as work:
        webhook, _ = get_own_webhook(work, actor=actor, uuid=uuid)
        if url is not None:
            webhook.url = url
        if watched:
            work.session.execute(delete(WebhookWatch).where(WebhookWatch.webhook_id == webhook.id))
            _watch(work, actor, webhook, watched)
        if domains is not None:
            webhook.topics = _checked_domains(domains)
        if secret is not None:
            webhook.sealed_secret = seal_secret(work, secret)
        if is_active is not None:
            webhook.is_active = is_active
            if is_active:
                webhook.failure_count = 0
        webhook.updated_at = work.now()
        log.info("webhook_updated", webhook=uuid, actor_id=actor.user_id)


def delete_watching(work: UnitOfWork, *, actor: Actor, uuid: str) -> None:
    """Forget a webhook with its log. Raises NotFound, NotSignedIn."""
    webhook, _ = get_own_webhook(work, actor=actor, uuid=uuid)
    work.session.execute(delete(Webhook).where(Webhook.id == webhook.id))
    log.info("webhook_deleted", webhook=uuid, actor_id=actor.user_id)


def _checked_domains(domains: Sequence[str]) -> list[str]:
    # Older clients write the one in the plural.
    wanted = {domain.removesuffix("s") if domain == "discussions" else domain for domain in domains}
    if not wanted or not wanted <= set(DOMAINS):
        raise Invalid(f"Domains are {' and '.join(DOMAINS)}.", code="domain_unknown")
    return sorted(wanted, key=DOMAINS.index)


def _watch(work: UnitOfWork, actor: Actor, webhook: Webhook, watched: Sequence[Watched]) -> None:
    if not 0 < len(watched) <= MAX_WATCHED:
        raise Invalid(f"A webhook watches 1 to {MAX_WATCHED} things.", code="watched_invalid")
    rows = {_find(work, actor, one): None for one in watched}
    work.session.add_all(
        WebhookWatch(webhook_id=webhook.id, repository_id=repository_id, namespace_id=namespace_id)
        for repository_id, namespace_id in rows
    )
    work.session.flush()


def _find(work: UnitOfWork, actor: Actor, watched: Watched) -> tuple[int | None, int | None]:
    """(repository, namespace), one of them, of what is named and the actor may see."""
    if watched.type in KINDS_TOLD:
        return get_readable(work, actor=actor, kind=watched.type, path=watched.name).id, None
    kind = _NAMESPACE_KINDS.get(watched.type)
    if kind is None:
        words = ", ".join(sorted(KINDS_TOLD | set(_NAMESPACE_KINDS)))
        raise Invalid(f"What is watched is one of {words}.", code="watched_invalid")
    namespace = find_namespace(work, watched.name)
    if namespace is None or namespace.kind != kind:
        raise NotFound(f"There is no such {watched.type}.", code="namespace_not_found")
    return None, namespace.id


def _watched(work: UnitOfWork, actor: Actor, webhook_ids: Sequence[int]) -> dict[int, list[Watched]]:
    """What each webhook watches, in the order in which it was named. Three queries at most.

    A repository that the actor may not see any more is left out.
    """
    found: dict[int, list[Watched]] = {id: [] for id in webhook_ids}
    watches = work.session.scalars(
        select(WebhookWatch).where(WebhookWatch.webhook_id.in_(webhook_ids)).order_by(WebhookWatch.id)
    ).all()
    repositories = {
        repository.id: repository
        for repository in list_by_ids(
            work, actor=actor, ids=[watch.repository_id for watch in watches if watch.repository_id]
        )
    }
    wanted = [watch.namespace_id for watch in watches if watch.namespace_id]
    namespaces = {
        namespace.id: namespace for namespace in work.session.scalars(select(Namespace).where(Namespace.id.in_(wanted)))
    }
    words = {kind: word for word, kind in _NAMESPACE_KINDS.items()}
    for watch in watches:
        if watch.repository_id in repositories:
            repository = repositories[watch.repository_id]
            found[watch.webhook_id].append(Watched(repository.kind, repository.path))
        elif watch.namespace_id in namespaces:
            namespace = namespaces[watch.namespace_id]
            found[watch.webhook_id].append(Watched(words[namespace.kind], namespace.path))
    return found
