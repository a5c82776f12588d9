"""What can be done with repositories. The modules are its chapters; import the functions from here."""

from hub.repos.lookup import (
    find_redirect,
    find_repository,
    get_for,
    get_readable,
    is_live,
    path_of_uuid,
    repository_path,
)

__all__ = [
    "find_redirect",
    "find_repository",
    "get_for",
    "get_readable",
    "is_live",
    "path_of_uuid",
    "repository_path",
]
