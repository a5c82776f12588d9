"""What can be done with repositories. The modules are its chapters; import the functions from here."""

from hub.repos.lookup import (
    find_redirect,
    find_repository,
    get_for,
    get_readable,
    get_shown,
    is_live,
    list_by_ids,
    list_by_paths,
    path_of_uuid,
    repository_path,
)
from hub.repos.service.changes import (
    archive_repository,
    change_path,
    rename_repository,
    set_visibility,
    transfer_repository,
    unarchive_repository,
    update_repository,
    update_settings,
)
from hub.repos.service.creation import create_repository, fork_repository, reconcile_creating
from hub.repos.service.listing import SORTS, Access, access_of, list_repositories
from hub.repos.service.removal import (
    PURGE_JOB,
    PURGE_MANY_JOB,
    collect_garbage,
    delete_repository,
    purge_repository,
    undelete_repository,
)
from hub.repos.service.requests import decide_request, get_own_request, grant_access, list_requests, request_access

__all__ = [
    "PURGE_JOB",
    "PURGE_MANY_JOB",
    "SORTS",
    "Access",
    "access_of",
    "archive_repository",
    "change_path",
    "collect_garbage",
    "create_repository",
    "decide_request",
    "delete_repository",
    "find_redirect",
    "find_repository",
    "fork_repository",
    "get_for",
    "get_own_request",
    "get_readable",
    "get_shown",
    "grant_access",
    "is_live",
    "list_by_ids",
    "list_by_paths",
    "list_repositories",
    "list_requests",
    "path_of_uuid",
    "purge_repository",
    "reconcile_creating",
    "rename_repository",
    "repository_path",
    "request_access",
    "set_visibility",
    "transfer_repository",
    "unarchive_repository",
    "undelete_repository",
    "update_repository",
    "update_settings",
]
