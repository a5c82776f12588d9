"""What the room tells the others, always after the commit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DiscussionCreated:
    """Somebody opened a discussion on a repository."""

    discussion_id: int
    repository_id: int
    actor_id: int | None
    has_comment: bool = False


@dataclass(frozen=True)
class DiscussionUpdated:
    """A discussion, or a pull request, has another title; or a discussion another status."""

    discussion_id: int
    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class DiscussionDeleted:
    """A discussion is gone with its comments; the id means nothing any more."""

    discussion_id: int
    repository_id: int
    title: str
    actor_id: int | None


@dataclass(frozen=True)
class PullRequestOpened:
    """Somebody opened a pull request, or opened a closed one again (``is_again``)."""

    discussion_id: int
    repository_id: int
    actor_id: int | None
    is_again: bool = False


@dataclass(frozen=True)
class PullRequestClosed:
    """A pull request was closed without being merged."""

    discussion_id: int
    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class PullRequestMerged:
    """The base branch of a pull request holds its commits now, whoever brought them there."""

    discussion_id: int
    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class PullRequestReviewed:
    """Somebody gave a review of a pull request, with whatever it says about lines."""

    review_id: int
    discussion_id: int
    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class ReviewRequested:
    """Somebody was asked to review a pull request. user_id: who was."""

    discussion_id: int
    repository_id: int
    user_id: int
    actor_id: int | None


@dataclass(frozen=True)
class CommentCreated:
    """Somebody said something in a discussion; is_opening: with what it begins."""

    comment_id: int
    discussion_id: int
    repository_id: int
    actor_id: int | None
    is_opening: bool = False


@dataclass(frozen=True)
class CommentUpdated:
    """The author changed a comment, or somebody hid it."""

    comment_id: int
    discussion_id: int
    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class CommentDeleted:
    """A comment is gone from a discussion that stays; its id means nothing any more."""

    comment_id: int
    discussion_id: int
    repository_id: int
    actor_id: int | None


@dataclass(frozen=True)
class PeopleAssigned:
    """Somebody asked these users to see to a discussion or pull request."""

    discussion_id: int
    user_ids: tuple[int, ...]
    actor_id: int | None


@dataclass(frozen=True)
class PeopleMentioned:
    """A comment that was changed names these users, whom the discussion did not name before."""

    comment_id: int
    user_ids: tuple[int, ...]
    actor_id: int | None


@dataclass(frozen=True)
class WebhookDisabled:
    """A webhook was switched off: too many messages in a row were not taken. user_id: who set it up, and is told."""

    webhook_id: int
    uuid: str
    name: str
    user_id: int | None
