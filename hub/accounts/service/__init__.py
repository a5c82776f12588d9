"""What can be done with accounts. Each function takes the unit of work first, then the actor by keyword."""

from __future__ import annotations

from hub.accounts.service.departures import close_account, delete_organization, delete_user
from hub.accounts.service.directory import UserFilter, list_users
from hub.accounts.service.grants import list_grants, remove_all_grants, remove_grant, set_grant
from hub.accounts.service.keys import add_ssh_key, list_ssh_keys, remove_ssh_key
from hub.accounts.service.namespaces import find_namespace, find_namespace_by_uuid, get_namespace
from hub.accounts.service.organizations import (
    OrganizationFilter,
    add_member,
    change_member,
    count_members,
    create_organization,
    find_member,
    find_organization,
    get_member_role,
    get_organization,
    get_person,
    list_members,
    list_organizations,
    list_user_organizations,
    remove_member,
    update_organization,
)
from hub.accounts.service.renaming import rename_user
from hub.accounts.service.sessions import (
    close_all_sessions,
    close_session,
    delete_expired_sessions,
    find_session,
    open_session,
)
from hub.accounts.service.tokens import create_token, find_token, list_tokens, refresh_token, revoke_token
from hub.accounts.service.users import (
    create_user,
    deactivate_user,
    find_user,
    find_user_by_uuid,
    get_own_user,
    get_user,
    get_visible_user,
    reactivate_user,
    set_labels,
    set_password,
    update_user,
)

__all__ = [
    "OrganizationFilter",
    "UserFilter",
    "add_member",
    "add_ssh_key",
    "change_member",
    "close_account",
    "close_all_sessions",
    "close_session",
    "count_members",
    "create_organization",
    "create_token",
    "create_user",
    "deactivate_user",
    "delete_expired_sessions",
    "delete_organization",
    "delete_user",
    "find_member",
    "find_namespace",
    "find_namespace_by_uuid",
    "find_organization",
    "find_session",
    "find_token",
    "find_user",
    "find_user_by_uuid",
    "get_member_role",
    "get_namespace",
    "get_organization",
    "get_own_user",
    "get_person",
    "get_user",
    "get_visible_user",
    "list_grants",
    "list_members",
    "list_organizations",
    "list_ssh_keys",
    "list_tokens",
    "list_user_organizations",
    "list_users",
    "open_session",
    "reactivate_user",
    "refresh_token",
    "remove_all_grants",
    "remove_grant",
    "remove_member",
    "remove_ssh_key",
    "rename_user",
    "revoke_token",
    "set_grant",
    "set_labels",
    "set_password",
    "update_organization",
    "update_user",
]
