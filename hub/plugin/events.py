"""The seam: what the hub tells after a commit, and how a plugin tells its own."""

from __future__ import annotations

from hub.accounts.events import (
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    OrganizationCreated,
    OrganizationDeleted,
    UserCreated,
    UserDeleted,
    UserRenamed,
)
from hub.assets.events import CollectionCreated, CollectionDeleted, CollectionUpdated
from hub.base.events import publish
from hub.community.events import (
    CommentCreated,
    CommentDeleted,
    CommentUpdated,
    DiscussionCreated,
    DiscussionDeleted,
    DiscussionUpdated,
    PullRequestClosed,
    PullRequestMerged,
    PullRequestOpened,
    WebhookDisabled,
)
from hub.compute.events import WorkloadChanged
from hub.licensing.events import LicenseChanged, LicenseExpiring
from hub.repos.events import (
    RefsUpdated,
    RepositoryCreated,
    RepositoryDeleted,
    RepositoryMoved,
    RepositoryPurged,
    RepositoryUndeleted,
    RepositoryUpdated,
)

__all__ = [
    "CollectionCreated",
    "CollectionDeleted",
    "CollectionUpdated",
    "CommentCreated",
    "CommentDeleted",
    "CommentUpdated",
    "DiscussionCreated",
    "DiscussionDeleted",
    "DiscussionUpdated",
    "LicenseChanged",
    "LicenseExpiring",
    "MemberAdded",
    "MemberChanged",
    "MemberRemoved",
    "OrganizationCreated",
    "OrganizationDeleted",
    "PullRequestClosed",
    "PullRequestMerged",
    "PullRequestOpened",
    "RefsUpdated",
    "RepositoryCreated",
    "RepositoryDeleted",
    "RepositoryMoved",
    "RepositoryPurged",
    "RepositoryUndeleted",
    "RepositoryUpdated",
    "UserCreated",
    "UserDeleted",
    "UserRenamed",
    "WebhookDisabled",
    "WorkloadChanged",
    "publish",
]
