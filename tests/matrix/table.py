"""The table: every route of the hub under the rule by which it is allowed.

A route that stands in no group fails the test, and so does a row without a route.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.matrix.rules import (
    ACCOUNT,
    ACCOUNT_READ,
    BROADCAST,
    CLOSE,
    COLLECTION_ADMIN,
    COLLECTION_FOLLOW,
    COLLECTION_READ,
    COLLECTION_WRITE,
    COLUMNS,
    COMMENT_OWN,
    CREDENTIALS,
    DISCUSSION_EDIT,
    DISCUSSION_END,
    DISCUSSION_OWN,
    DISCUSSION_READ,
    DISCUSSION_SAY,
    GIT_PUSH,
    GIT_READ,
    GIT_WRITE,
    LIKES,
    MEMBER,
    NAMESPACE_CREATE,
    ORGANIZATION_ADMIN,
    ORGANIZATION_OWN,
    PUBLIC,
    PULL_EDIT,
    REGISTER,
    REPOSITORY_ADMIN,
    REPOSITORY_ASKED,
    REPOSITORY_READ,
    REPOSITORY_SAY,
    REPOSITORY_WRITE,
    RUN_ADMIN,
    RUN_READ,
    RUN_WRITE,
    SIGNED,
    SIGNED_IN,
    SIGNED_IN_WRITE,
    SITE,
    UNDELETE,
    USAGE,
    WATCHING,
    WEBHOOK,
    WORKLOAD_LOGS,
    WORKLOAD_READ,
    WORKLOAD_WRITE,
    Rule,
    Sample,
)

# What the words in braces stand for: a row with one is a row for each.
_PLACE = "/<repository_namespace>/<repository_name>"
_WORDS: Mapping[str, tuple[str, ...]] = {
    "{repo}": ("/api/v1/<collection:kind>/<namespace>/<name>",),
    "{pages}": ("/<pages:kind>/<namespace>/<name>",),
    "{git}": tuple(f"{hub}{head}{_PLACE}" for hub in ("", "/<hub_prefix:hub>") for head in ("/<collection>", "")),
    "{lfs}": tuple(
        f"{prefix}{collection}{_PLACE}/info/lfs"
        for prefix in ("", "/csg", "/hf", "/ms")
        for collection in ("/<collection>", "")
    ),
    "{wire}": tuple(f"{prefix}/api/<collection:kind>/<namespace>/<name>" for prefix in ("/<hub_prefix:hub>", "")),
    "{any}": ("", "/csg", "/hf", "/ms"),
    "{hub}": ("/<hub_prefix:hub>", ""),
    "{claw}": ("/claw/api/v1",),
    "{skill}": ("/api/v1/skills/<namespace>/<name>",),
    "{prompt}": ("/api/v1/prompts/<namespace>/<name>/prompt",),
    "{prefix}": ("/<hub_prefix:hub>",),
}

_GROUPS: Mapping[Rule, str] = {
    PUBLIC: """
        GET /-/diagram
        POST /api/v1/setup/administrator
        GET /login
        POST /login
        GET /login/code
        POST /login/code
        GET /login/back
        GET /login/reset
        POST /logout
        GET /signup
        GET /<pages:kind>
        GET /models
        GET /datasets
        GET /codes
        GET /spaces
        GET /prompts/library
        GET /skills
        GET /mcp/servers
        GET /mcp/tools
        GET /prompts/all
        GET /collections
        GET /explore
        GET /search
        GET /search/quick
        GET /issues
        GET /pulls
        GET /<owner:namespace>
        GET /<owner:namespace>/<name>
        GET /<apart_pages:kind>/<namespace>/<name>/<any("raw", "resolve"):page>/<path:rest>
        GET /profile/<username>
        GET /organizations/<namespace>
        GET /organizations/<namespace>/members
        GET /setup
        POST /setup
        POST /setup/address
        GET /setup/environment/checks
        GET /setup/address/server
        GET /setup/content/progress
        GET /setup/hub.toml
        GET /setup/<step>
        POST /api/v1/password_resets
        PUT /api/v1/password_resets
        GET /api/v1/runs
        GET /api/v1/runs/types
        GET {hub}/api/<collection:kind>
        GET {hub}/uploads/<uuid:uuid>
        GET /-/pictures/<name>
        GET /-/pictures/<name>/small
        GET {hub}/api/collections
        GET {hub}/api/spaces/hardware
        GET {hub}/api/spaces/templates
        GET {hub}/api/spaces/semantic-search
        GET {hub}/api/models-tags-by-type
        GET {hub}/api/users/<username>/overview
        GET {hub}/api/users/<username>/followers
        GET {hub}/api/users/<username>/following
        GET {hub}/api/organizations/<namespace>/overview
        GET {hub}/api/organizations/<namespace>/members
        GET {hub}/api/organizations/<namespace>/followers
        GET {hub}/api/datasets-tags-by-type
        GET {prefix}/<path:rest>
        PUT {prefix}/<path:rest>
        POST {prefix}/<path:rest>
        PATCH {prefix}/<path:rest>
        DELETE {prefix}/<path:rest>
        GET /api/v1/namespaces/<uuid>
        GET /api/v1/version
        GET /api/v1/space_resources
        GET /api/v1/space_resources/scenarios
        GET /api/v1/workloads
        GET /api/v1/space_resources/hardware_types
        GET /api/v1/cluster/public
        GET /
        GET /-/health
        GET /-/ready
        GET /-/status
        POST /-/choices
        GET /-/static/<path:name>
        GET /api/docs
        GET /api/docs/<name>
        GET /api/openapi.json
        GET /api/v1/swagger/
        GET /api/v1/swagger/index.html
        GET /api/v1/<collection:kind>
        GET /api/v1/user/<namespace>/<collection:kind>
        GET /api/v1/organization/<namespace>/<collection:kind>
        GET /api/v1/organizations
        GET /api/v1/users/<username>/follow
        GET /api/v1/users/<username>/followers
        GET /api/v1/users/<username>/following
        GET /api/v1/users/<username>/activities
        GET /api/v1/users/<username>/activity_map
        GET /api/v1/organizations/<namespace>/follow
        GET /api/v1/organizations/<namespace>/followers
        GET /api/v1/organization/<namespace>
        GET /api/v1/organization/<namespace>/members
        GET /api/v1/user/<username>
        GET /api/v1/user/<username>/organizations
        GET /api/v1/token/<value>
        POST /api/v1/session
        DELETE /api/v1/session
        GET /api/v1/<collection:kind>/v2
        GET /api/v1/broadcasts/active
        GET /api/v1/broadcasts/<int:broadcast_id>
        GET /api/v1/collections
        GET /api/v1/search
        GET /api/v1/search/quick
        GET /api/v1/<collection:kind>/facets
        GET /api/v1/organization/<namespace>/collections
        GET /api/v1/user/<username>/collections
        GET /api/v1/tags
        GET /api/v1/prompts/records
        GET /api/v1/skills/records
        GET /api/v1/skills/categories
        GET {claw}/search
        GET {claw}/skills/<slug>
        GET {claw}/skills/<slug>/versions/<version>
        GET {claw}/download
        GET {claw}/download/<slug>
        GET {claw}/resolve
        GET {claw}/resolve/<slug>
        GET /api/v1/mcps/tools
        GET /api/v1/kinds
        POST /api/v1/validate-card
        GET /api/v1/tags/<int:label_id>
        GET /api/v1/tags/categories
        GET /api/v1/webhooks/topics
        POST {hub}/api/validate-yaml
        POST {hub}/oauth/device
        POST {hub}/oauth/token
        POST /api/v1/list/<collection:kind>_by_path
        POST /api/v1/repos/extra
    """,
    REGISTER: """
        POST /api/v1/users
    """,
    BROADCAST: """
        GET /api/v1/broadcasts/<int:broadcast_id> | not active
    """,
    SIGNED_IN: """
        GET /api/v1/cluster
        GET /api/v1/cluster/<cluster_id>
        POST /-/preview
        GET /<pages:kind>/new
        GET /collections/new
        GET /settings
        GET /settings/<section>
        GET /login/second-factor
        GET /notifications
        GET /organizations/new
        GET /profile/likes/<username>
        GET /api/v1/discussions/mine
        GET {claw}/whoami
        GET {hub}/api/whoami-v2
        GET {hub}/api/settings/repositories
        GET {hub}/api/users/<username>/likes
        GET /api/v1/whoami
        GET /api/v1/feed
        GET /api/v1/users
        GET /api/v1/licenses/status
        GET /api/v1/notifications
        GET /api/v1/notifications/message-types
        POST /api/v1/events
        GET /api/v1/notifications/count
        GET /api/v1/notifications/poll/<int:limit>
        GET /api/v1/notifications/setting
        GET /api/v1/notifications/watches
        GET /api/v1/user/<username>/likes/<collection:kind>
        GET /api/v1/user/<username>/likes/collections
    """,
    SIGNED_IN_WRITE: """
        POST /api/v1/users/<username>/follow
        DELETE /api/v1/users/<username>/follow
        POST /api/v1/organizations/<namespace>/follow
        DELETE /api/v1/organizations/<namespace>/follow
        DELETE /api/v1/collections/<int:collection_id>/follow
        POST {claw}/skills
        POST /api/v1/skills/upload_url
        POST /api/v1/codes/upload_url
        GET {hub}/api/settings/webhooks
        POST {hub}/api/settings/webhooks
        POST /api/v1/user/verify
        POST {hub}/uploads
        POST /api/v1/organizations
        DELETE /api/v1/notifications
        POST /api/v1/user/email-verification-code/<email>
        PUT /api/v1/notifications/read
        PUT /api/v1/notifications/archive
        PUT /api/v1/notifications/unarchive
        PUT /api/v1/notifications/unread
        PUT /api/v1/notifications/setting
    """,
    CREDENTIALS: """
        POST /api/v1/setup/samples
        GET /api/v1/account/copy
        POST /api/v1/account/copy
        GET /api/v1/account/copy.zip
        POST /api/v1/token/<app>/<name>
        PUT /api/v1/token/<app>/<name>
        DELETE /api/v1/token/<app>/<name>
    """,
    REPOSITORY_READ: """
        GET {pages}
        GET {pages}/card
        GET {pages}/tree
        GET {pages}/tree/<path:rest>
        GET {pages}/files
        GET {pages}/files/<path:rest>
        GET {pages}/blob/<path:rest>
        GET {pages}/blame/<path:rest>
        GET {pages}/commits
        GET {pages}/commits/<path:rest>
        GET {pages}/commit/<commit_id>
        GET {pages}/compare
        GET {pages}/compare/<path:rest>
        GET {pages}/branches
        GET {pages}/tags
        GET {pages}/community
        GET {pages}/community/labels
        GET {pages}/community/new
        GET {pages}/community/<int:thread_number>
        GET {pages}/community/<int:pull_number>/commits
        GET {pages}/community/<int:pull_number>/files
        GET {pages}/community/<int:pull_number>/merge
        GET {pages}/community/<int:pull_number>/reviewers
        GET {pages}/discussions
        GET {pages}/discussions/<int:thread_number>
        GET {pages}/discussions/<int:thread_number>/files
        GET {wire}/variables
        GET {wire}/runtime
        GET {wire}/leaderboard
        GET {wire}
        GET {wire}/auth-check
        GET {wire}/commits/<path:revision>
        GET {wire}/safetensors-metadata/<path:path>
        GET {wire}/refs
        GET {wire}/resolve/<revision>/<path:path>
        GET {wire}/raw/<revision>/<path:path>
        GET {wire}/parquet
        GET {wire}/parquet/<config>
        GET {wire}/parquet/<config>/<split>
        GET {wire}/parquet/<config>/<split>/<int:number>.parquet
        GET /-/datasets-server/is-valid
        GET /-/datasets-server/splits
        GET /-/datasets-server/info
        GET /-/datasets-server/parquet
        GET /-/datasets-server/rows
        GET /-/datasets-server/first-rows
        GET /-/datasets-server/size
        GET /-/datasets-server/search
        GET /-/datasets-server/filter
        GET /-/datasets-server/statistics
        GET {hub}/<namespace>/<name>/raw/<revision>/<path:path>
        GET {hub}/<collection:kind>/<namespace>/<name>/raw/<revision>/<path:path>
        GET {wire}/revision/<path:revision>
        GET {wire}/tree/<revision>
        GET {wire}/tree/<revision>/<path:path>
        GET {wire}/xet-read-token/<path:revision>
        GET {hub}/<namespace>/<name>/xet-read-token/<path:revision>
        GET {hub}/<collection:kind>/<namespace>/<name>/xet-read-token/<path:revision>
        GET {hub}/<namespace>/<name>/resolve/<revision>/<path:path>
        GET {hub}/<collection:kind>/<namespace>/<name>/resolve/<revision>/<path:path>
        POST {wire}/paths-info/<path:revision>
        GET {repo}
        GET {repo}/all_files
        GET {repo}/archive/<path:ref>.<any("tar.gz", "zip"):format>
        GET {repo}/blame/<path:path>
        GET {repo}/blob/<path:path>
        GET {repo}/branches
        GET {repo}/commit/<commit_id>
        GET {repo}/commits
        GET {repo}/compare
        GET {repo}/diff
        GET {repo}/download/<path:path>
        GET {repo}/download_archive/refs/<path:ref>
        GET {repo}/git_tags
        GET {repo}/last_commit
        GET {repo}/pushes
        GET {repo}/selection/<path:ref>.zip
        GET {repo}/raw/<path:path>
        GET {repo}/refs/<path:ref>/logs_tree/
        GET {repo}/refs/<path:ref>/logs_tree/<path:path>
        GET {repo}/refs/<path:ref>/tree/
        GET {repo}/refs/<path:ref>/tree/<path:path>
        GET {repo}/resolve/<path:path>
        GET {repo}/size/<path:branch>
        GET {repo}/tree
        GET {repo}/discussions
        GET {repo}/pulls
        GET {repo}/pulls/<int:pull_number>
        GET {repo}/pulls/<int:pull_number>/files
        GET {repo}/community
        GET {repo}/watch
        GET {repo}/community/<int:thread_number>
        GET {repo}/community/labels
        GET {repo}/community/people
        GET {repo}/community/references
        GET {repo}/community/settings
        GET {repo}/community/templates
        GET {repo}/pulls/<int:pull_number>/mergeability
        GET {repo}/pulls/<int:pull_number>/reviews
        GET {repo}/pulls/<int:pull_number>/reviewers
        GET {repo}/pulls/<int:pull_number>/threads
        GET {repo}/pulls/<int:pull_number>/threads/<int:thread_id>
        GET {repo}/merge_settings
        GET {repo}/commit/<commit_id>/files
        GET {repo}/compare/<path:base>...<path:head>/files
        GET {wire}/discussions
        GET {wire}/discussions/<int:num>
        GET {repo}/relations
        GET {pages}/viewer
        GET {pages}/viewer/<config>/<path:split>
        GET {pages}/lineage
        GET {pages}/security
        GET {pages}/schema
        GET {pages}/prompt/<path:path>
        GET {repo}/dataviewer/catalog
        GET {repo}/dataviewer/rows
        GET {repo}/dataviewer/cell
        GET {repo}/dataviewer/media
        GET {repo}/dataviewer/statistics
        GET {repo}/dataviewer/export
        GET {repo}/dataviewer/compare
        GET {repo}/viewer/<path:file>
        GET {repo}/lineage
        GET {repo}/runs
        GET {repo}/index
        GET {repo}/security
        GET {repo}/downloads
        GET {repo}/card
        GET {repo}/header/<path:path>
        GET /api/v1/models/<namespace>/<name>/quantizations
        GET /api/v1/models/<namespace>/<name>/metadata
        GET {repo}/tags
        GET /api/v1/prompts/<namespace>/<name>
        GET /api/v1/prompts_info/<namespace>/<name>
        GET /api/v1/mcps/<namespace>/<name>/launch
        GET /api/v1/mcps/<namespace>/<name>/properties
        GET {skill}/manifest
        GET {skill}/versions
        GET {skill}/versions/<version>
        GET {skill}/versions/<version>/download
        GET {prompt}/view/<path:path>
        GET {prompt}/versions/<path:path>
        GET {prompt}/compare/<path:path>
        GET {prompt}/export
        POST {prompt}/preview
    """,
    REPOSITORY_ASKED: """
        GET {pages}/likers
        GET {pages}/card/edit
        GET {pages}/prompt
        GET {pages}/<path:revision>/new
        GET {pages}/<path:revision>/upload
        GET {pages}/edit/<path:rest>
        GET {pages}/delete/<path:rest>
        GET {wire}/likers
        GET {repo}/access_request
    """,
    REPOSITORY_SAY: """
        POST {wire}/like
        DELETE {wire}/like
        POST {wire}/user-access-request
        POST {wire}/lfs-files/duplicate
        GET {wire}/xet-write-token/<path:revision> | create_pr
        POST {repo}/access_request
        PUT {repo}/watch
        PUT {prompt}/like/<path:path>
        DELETE {prompt}/like/<path:path>
        POST {repo}/discussions
        POST {repo}/community
        POST {repo}/community/<int:thread_number>/comments
        POST {repo}/community/<int:thread_number>/comments/<int:comment_id>/reactions/<sign>
        DELETE {repo}/community/<int:thread_number>/comments/<int:comment_id>/reactions/<sign>
        PUT {repo}/community/<int:thread_number>/subscription
        DELETE {repo}/community/<int:thread_number>/subscription
        POST {repo}/pulls
        POST {repo}/pulls/<int:pull_number>/revert
        POST {repo}/pulls/<int:pull_number>/reviews
        POST {repo}/pulls/<int:pull_number>/threads/<int:thread_id>/comments
        POST {wire}/discussions
        POST {wire}/discussions/<int:num>/comment
        POST {wire}/preupload/<path:revision> | create_pr
        POST {wire}/commit/<path:revision> | create_pr
        POST {repo}/changes | as a pull request
        POST {repo}/uploads/check | for a pull request
        POST {repo}/uploads/objects | for a pull request
        POST {repo}/uploads/objects/finish | for a pull request
        POST {repo}/uploads/commit/<path:branch> | as a pull request
    """,
    DISCUSSION_READ: """
        GET /api/v1/discussions/<int:discussion_id>
        GET /api/v1/discussions/<int:discussion_id>/comments
    """,
    DISCUSSION_SAY: """
        POST /api/v1/discussions/<int:discussion_id>/comments
    """,
    DISCUSSION_EDIT: """
        PUT /api/v1/discussions/<int:discussion_id>
    """,
    PULL_EDIT: """
        PUT {repo}/pulls/<int:pull_number>
        PUT {repo}/community/<int:thread_number>
        POST {repo}/community/<int:thread_number>/comments/<int:comment_id>/hide
        POST {repo}/pulls/<int:pull_number>/update_branch
        POST {repo}/pulls/<int:pull_number>/review_requests
        DELETE {repo}/pulls/<int:pull_number>/review_requests/<username>
        PUT {repo}/pulls/<int:pull_number>/threads/<int:thread_id>
        POST {repo}/pulls/<int:pull_number>/threads/<int:thread_id>/apply
        POST {wire}/discussions/<int:num>/title
        POST {wire}/discussions/<int:num>/status
        POST {wire}/discussions/<int:num>/comment/<comment>/hide
        POST {wire}/commit/<path:revision> | to a pull request
    """,
    COMMENT_OWN: """
        POST {wire}/discussions/<int:num>/comment/<comment>/edit
    """,
    DISCUSSION_OWN: """
        PUT /api/v1/discussions/<int:discussion_id>/comments/<int:comment_id>
    """,
    DISCUSSION_END: """
        DELETE /api/v1/discussions/<int:discussion_id>
        DELETE /api/v1/discussions/<int:discussion_id>/comments/<int:comment_id>
    """,
    WORKLOAD_READ: """
        GET /api/v1/workloads/<int:workload_id>
        GET /api/v1/workloads/<int:workload_id>/status
    """,
    WORKLOAD_LOGS: """
        GET /api/v1/workloads/<int:workload_id>/logs
    """,
    WORKLOAD_WRITE: """
        PUT /api/v1/workloads/<int:workload_id>/start
        PUT /api/v1/workloads/<int:workload_id>/stop
        DELETE /api/v1/workloads/<int:workload_id>
    """,
    RUN_READ: """
        GET /api/v1/runs/<uuid:uuid>
    """,
    RUN_WRITE: """
        PATCH /api/v1/runs/<uuid:uuid>
    """,
    RUN_ADMIN: """
        DELETE /api/v1/runs/<uuid:uuid>
    """,
    COLLECTION_FOLLOW: """
        POST /api/v1/collections/<int:collection_id>/follow
    """,
    COLLECTION_READ: """
        GET /api/v1/collections/<int:collection_id>/follow
        GET /api/v1/collections/<int:collection_id>/followers
        GET {hub}/api/collections/<namespace>/<slug>
        GET /api/v1/collections/<int:collection_id>
        GET /collections/<int:collection_id>
    """,
    COLLECTION_WRITE: """
        PATCH {hub}/api/collections/<namespace>/<slug>
        POST {hub}/api/collections/<namespace>/<slug>/resource-group
        POST {hub}/api/collections/<namespace>/<slug>/items
        PATCH {hub}/api/collections/<namespace>/<slug>/items/<item_id>
        DELETE {hub}/api/collections/<namespace>/<slug>/items/<item_id>
        PUT /api/v1/collections/<int:collection_id>
        POST /api/v1/collections/<int:collection_id>/repos
        DELETE /api/v1/collections/<int:collection_id>/repos
        PUT /api/v1/collections/<int:collection_id>/repos/<int:repository_id>
    """,
    COLLECTION_ADMIN: """
        DELETE {hub}/api/collections/<namespace>/<slug>
        DELETE /api/v1/collections/<int:collection_id>
    """,
    CLOSE: """
        POST /api/v1/user/<username>/second_factor
        PUT /api/v1/user/<username>/second_factor
        DELETE /api/v1/user/<username>/second_factor
        POST /api/v1/user/<username>/second_factor/recovery_codes
        DELETE /api/v1/user/<username>/close_account
    """,
    LIKES: """
        PUT /api/v1/user/<username>/likes/<int:repository_id>
        DELETE /api/v1/user/<username>/likes/<int:repository_id>
        PUT /api/v1/user/<username>/likes/collections/<int:collection_id>
        DELETE /api/v1/user/<username>/likes/collections/<int:collection_id>
    """,
    WATCHING: """
        GET {hub}/api/settings/webhooks/<uuid>
        POST {hub}/api/settings/webhooks/<uuid>
        DELETE {hub}/api/settings/webhooks/<uuid>
        POST {hub}/api/settings/webhooks/<uuid>/enable
        POST {hub}/api/settings/webhooks/<uuid>/disable
    """,
    WEBHOOK: """
        GET /api/v1/webhooks/<uuid:uuid>
        PUT /api/v1/webhooks/<uuid:uuid>
        DELETE /api/v1/webhooks/<uuid:uuid>
        GET /api/v1/webhooks/<uuid:uuid>/deliveries
        GET /api/v1/webhooks/<uuid:uuid>/deliveries/<uuid:delivery>
        POST /api/v1/webhooks/<uuid:uuid>/deliveries/<uuid:delivery>/redeliver
        POST /api/v1/webhooks/<uuid:uuid>/ping
    """,
    REPOSITORY_WRITE: """
        GET {repo}/protected_branches
        GET {repo}/deleted_branches
        POST {wire}/branch/<path:branch>
        DELETE {wire}/branch/<path:branch>
        POST {wire}/commit/<path:revision>
        POST {wire}/preupload/<path:revision>
        POST {wire}/discussions/<int:num>/merge
        POST {wire}/super-squash/<path:branch>
        POST {repo}/pulls/<int:pull_number>/merge
        POST {repo}/community/bulk
        POST {repo}/community/labels
        PUT {repo}/community/labels/<int:discussion_label_id>
        DELETE {repo}/community/labels/<int:discussion_label_id>
        POST {repo}/community/<int:thread_number>/labels
        DELETE {repo}/community/<int:thread_number>/labels
        POST {repo}/community/<int:thread_number>/assignees
        DELETE {repo}/community/<int:thread_number>/assignees/<username>
        POST {repo}/community/<int:thread_number>/lock
        DELETE {repo}/community/<int:thread_number>/lock
        POST {repo}/community/<int:thread_number>/pin
        DELETE {repo}/community/<int:thread_number>/pin
        POST {repo}/pulls/<int:pull_number>/reviews/<int:review_id>/dismiss
        POST {wire}/variables
        DELETE {wire}/variables
        POST {wire}/hardware
        POST {wire}/sleeptime
        POST {wire}/pause
        POST {wire}/restart
        POST {wire}/dev-mode
        GET {wire}/logs/run
        GET {wire}/logs/build
        PUT {wire}/volumes
        DELETE {wire}/volumes
        GET {wire}/auth-check/write
        GET {wire}/lfs-files
        GET {wire}/xet-write-token/<path:revision>
        GET {hub}/<namespace>/<name>/xet-write-token/<path:revision>
        GET {hub}/<collection:kind>/<namespace>/<name>/xet-write-token/<path:revision>
        POST {wire}/tag/<path:revision>
        DELETE {wire}/tag/<path:revision>
        PUT {repo}/branches/<path:branch>
        PUT {repo}
        PUT {repo}/relations
        POST {repo}/dataviewer/retry
        GET {repo}/lineage/relations
        POST {repo}/lineage/relations
        PATCH {repo}/lineage/relations/<int:relation_id>
        DELETE {repo}/lineage/relations/<int:relation_id>
        POST {repo}/index
        POST {repo}/security
        POST {repo}/relations/<target>
        DELETE {repo}/relations/<target>
        POST {repo}/tags/<category>
        POST {repo}/branches
        DELETE {repo}/branches/<path:branch>
        POST {repo}/deleted_branches/<uuid:uuid>
        POST {repo}/reverts
        POST {repo}/cherry_picks
        POST {repo}/commit/<path:branch>
        POST {repo}/git_tags
        DELETE {repo}/git_tags/<path:tag>
        POST {repo}/preupload/<path:revision>
        POST {repo}/raw/<path:path>
        PUT {repo}/raw/<path:path>
        DELETE {repo}/raw/<path:path>
        POST {repo}/upload_file
        POST {repo}/changes
        POST {repo}/uploads/check
        POST {repo}/uploads/objects
        POST {repo}/uploads/objects/finish
        POST {repo}/uploads/commit/<path:branch>
        POST {skill}/publish
        POST {prompt}/record
        PUT {prompt}/record/<path:path>
        DELETE {prompt}/record/<path:path>
        POST {prompt}/versions/<path:path>
        POST {prompt}/import
    """,
    REPOSITORY_ADMIN: """
        GET {pages}/settings
        GET {pages}/settings/<section>
        GET {pages}/settings/webhooks/<uuid>
        PUT {wire}/settings
        POST {wire}/lfs-files/batch
        GET {wire}/secrets
        POST {wire}/secrets
        DELETE {wire}/secrets
        GET {wire}/user-access-request/<any("pending", "accepted", "rejected"):status>
        POST {wire}/user-access-request/handle
        POST {wire}/user-access-request/grant
        PUT {repo}/gate
        GET {repo}/storage
        GET {repo}/storage/files
        DELETE {repo}/storage/files
        POST {repo}/storage/survey
        POST {repo}/storage/collect
        GET {repo}/check
        POST {repo}/check
        GET {repo}/export
        POST {repo}/export
        GET {repo}/export/bundle
        GET {repo}/deploy_tokens
        POST {repo}/deploy_tokens
        DELETE {repo}/deploy_tokens/<int:token_id>
        GET {repo}/access_requests
        POST {repo}/access_requests
        PUT {repo}/access_requests/<username>
        DELETE {hub}/api/repos/delete
        POST {hub}/api/repos/move
        PUT {repo} | visibility
        DELETE {repo}
        POST {repo}/archive
        DELETE {repo}/archive
        GET {repo}/collaborators
        PUT {repo}/collaborators/<username>
        DELETE {repo}/collaborators/<username>
        GET {repo}/jobs
        PUT {repo}/protected_branches/<path:pattern>
        PUT {repo}/merge_settings
        PUT {repo}/community/settings
        DELETE {repo}/protected_branches/<path:pattern>
        GET {repo}/webhooks
        POST {repo}/webhooks
        POST {repo}/transfer
    """,
    UNDELETE: """
        POST {repo}/undelete
    """,
    NAMESPACE_CREATE: """
        POST {hub}/api/repos/create
        POST {wire}/duplicate
        POST {hub}/api/collections
        POST /api/v1/<collection:kind>
        GET /api/v1/<collection:kind>/check_name
        POST {repo}/fork
        POST /api/v1/collections
        POST /api/v1/runs
    """,
    ORGANIZATION_ADMIN: """
        GET /organizations/<namespace>/edit
        POST /api/v1/organization/verify
        GET /api/v1/organization/verify/<namespace>
        GET /api/v1/organization/<namespace>/webhooks
        POST /api/v1/organization/<namespace>/webhooks
        PUT /api/v1/organization/<namespace>
        PUT /api/v1/organization/<namespace>/logo
        DELETE /api/v1/organization/<namespace>/logo
        POST /api/v1/organization/<namespace>/members
        PUT /api/v1/organization/<namespace>/members/<username>
        DELETE /api/v1/organization/<namespace>/members/<username>
    """,
    MEMBER: """
        GET {hub}/api/organizations/<namespace>/settings/repositories
        GET /api/v1/organization/<namespace>/members/<username>
    """,
    ORGANIZATION_OWN: """
        DELETE /api/v1/organization/<namespace>
    """,
    ACCOUNT: """
        DELETE /api/v1/user/<username>/second_factor/devices
        DELETE /api/v1/user/<username>/second_factor/devices/<int:device_id>
        GET /api/v1/user/verify/<reference>
        POST /api/v1/user/<username>/ssh_keys
        DELETE /api/v1/user/<username>/avatar
        PUT /api/v1/user/<username>/avatar
        DELETE /api/v1/user/<username>/sessions
        DELETE /api/v1/user/<username>/sessions/<int:session_id>
        DELETE /api/v1/user/<username>/ssh_key/<name>
        PUT /api/v1/user/<username>/password
        PUT /api/v1/user/<uuid>
        GET /api/v1/user/<username>/webhooks
        POST /api/v1/user/<username>/webhooks
    """,
    USAGE: """
        GET /api/v1/accounting/metering/<string(maxlength=36):uuid>/statements
        GET /api/v1/accounting/metering/<string(maxlength=36):uuid>/statements.csv
        GET /api/v1/usage
    """,
    ACCOUNT_READ: """
        GET /api/v1/user/<username>/second_factor
        GET /api/v1/user/<username>/second_factor/devices
        GET /api/v1/user/<username>/ssh_keys
        GET /api/v1/user/<username>/sessions
        GET /api/v1/user/<username>/tokens
    """,
    SITE: """
        GET /api/v1/admin/space_resources
        POST /api/v1/space_resources
        PUT /api/v1/space_resources/<int:resource_id>
        DELETE /api/v1/space_resources/<int:resource_id>
        GET /api/v1/cluster/usage
        GET /api/v1/accounting/metering/stat
        GET /api/v1/admin/organizations
        POST /api/v1/admin/mail/test
        GET /api/v1/admin/queues
        GET /api/v1/admin/schedules
        GET /api/v1/admin/settings
        GET /api/v1/admin/users
        POST /api/v1/admin/users/<username>/deactivate
        POST /api/v1/admin/users/<username>/reactivate
        DELETE /api/v1/admin/users/<username>/sessions
        DELETE /api/v1/admin/users/<username>/second_factor
        GET /api/v1/admin/repos
        GET /api/v1/admin/repositories
        POST /api/v1/admin/schedules/<name>/run
        PUT /api/v1/admin/schedules/<name>/pause
        DELETE /api/v1/admin/schedules/<name>/pause
        GET /api/v1/admin/workers
        GET /api/v1/admin/invitations
        POST /api/v1/admin/invitations
        DELETE /api/v1/admin/invitations/<uuid:uuid>
        POST /api/v1/admin/users/import
        POST /api/v1/admin/users/<username>/password_link
        PUT /api/v1/admin/namespaces/<namespace>/quota
        DELETE /api/v1/admin/broadcasts/<int:broadcast_id>
        GET /admin_panel
        GET /admin_panel/dashboard
        GET /admin_panel/storage
        GET /admin_panel/workloads
        GET /admin_panel/workloads/<int:workload_id>
        GET /admin_panel/resources
        GET /admin_panel/settings/address
        GET /admin_panel/system
        GET /admin_panel/system/diagnostics.json
        GET /admin_panel/users
        GET /admin_panel/users/<username>
        GET /admin_panel/organizations
        GET /admin_panel/verifications
        GET /admin_panel/repositories
        GET /admin_panel/tags
        GET /admin_panel/security
        GET /admin_panel/broadcasts
        GET /admin_panel/mail
        GET /admin_panel/jobs
        GET /admin_panel/jobs/<uuid>
        GET /admin_panel/schedules
        GET /admin_panel/license
        GET /admin_panel/plugins
        GET /admin_panel/settings
        POST /api/v1/admin/<type>/<namespace>/<name>/change_path
        PUT {repo}/incr_downloads
        POST {repo}/update_downloads
        PUT /api/v1/organization/verify/<int:verification_id>
        PUT /api/v1/user/verify/<int:verification_id>
        DELETE /api/v1/user/<username>
        PUT /api/v1/user/labels
        GET /api/v1/users/stream-export
        GET /-/plugins
        GET /api/v1/admin/jobs
        GET /api/v1/admin/jobs/<uuid>
        POST /api/v1/admin/jobs/<uuid>/cancel
        POST /api/v1/admin/jobs/<uuid>/retry
        GET /api/v1/admin/plugins
        GET /api/v1/admin/broadcasts
        POST /api/v1/admin/broadcasts
        GET /api/v1/admin/broadcasts/<int:broadcast_id>
        PUT /api/v1/admin/broadcasts/<int:broadcast_id>
        GET /api/v1/admin/webhooks
        POST /api/v1/admin/webhooks
        POST /api/v1/notifications
        POST /api/v1/recom/opweight
        POST /api/v1/tags
        PUT /api/v1/tags/<int:label_id>
        DELETE /api/v1/tags/<int:label_id>
        POST /api/v1/tags/categories
        PUT /api/v1/tags/categories/<int:category_id>
        DELETE /api/v1/tags/categories/<int:category_id>
        GET /api/v1/jwt/<token>
        POST /api/v1/jwt/token
        GET /api/v1/licenses
        DELETE /api/v1/licenses/<int:license_id>
        PUT /api/v1/licenses/import
        GET /api/v1/licenses/management/<int:license_id>
        GET /api/v1/licenses/request
        POST /api/v1/licenses/verify
    """,
    SIGNED: """
        POST /api/v1/packages
        POST /-/internal/pre-receive
        POST /-/internal/post-receive
        POST {any}/api/v1/complete_multipart
        PUT {lfs}/objects/<oid>/<int:size_bytes>/parts/<int:number>
    """,
    GIT_READ: """
        GET {git}/info/refs
        POST {git}/git-upload-pack
        GET {lfs}/<oid>
        GET {lfs}/locks
        GET {lfs}/objects/<oid>
        POST {lfs}/objects/batch
    """,
    GIT_PUSH: """
        POST {git}/git-receive-pack
    """,
    GIT_WRITE: """
        POST {lfs}/locks
        POST {lfs}/locks/<lock_id>/unlock
        POST {lfs}/locks/verify
        PUT {lfs}/objects/<oid>/<int:size_bytes>
        POST {lfs}/verify
    """,
}

_WEBHOOK = Sample(values={"uuid": "$webhook", "delivery": "3f0c8a52-6c0e-4b7e-9c55-0a1d2e3f4a5b"})

_RUN = Sample(values={"uuid": "$run"})
_WATCHING = Sample(values={"uuid": "$watching"})
_SLUG = Sample(values={"slug": "$collection_slug", "item_id": "$item_id"})

_DAYS = "from=2026-01-01&to=2026-01-31"

_SAMPLES: Mapping[str, Sample] = {
    "GET /api/v1/usage": Sample(query=f"owner=$organization_uuid&{_DAYS}"),
    "GET /api/v1/accounting/metering/stat": Sample(query="start_date=2026-01-01&end_date=2026-01-31"),
    "GET /api/v1/accounting/metering/<string(maxlength=36):uuid>/statements": Sample(
        values={"uuid": "$organization_uuid"}, query="start_time=2026-01-01 00:00:00&end_time=2026-01-31 00:00:00"
    ),
    "GET /api/v1/accounting/metering/<string(maxlength=36):uuid>/statements.csv": Sample(
        values={"uuid": "$organization_uuid"}, query=_DAYS
    ),
    "GET {pages}/settings/<section>": Sample(values={"section": "general"}),
    "GET {pages}/settings/webhooks/<uuid>": Sample(values={"uuid": "$webhook"}),
    "POST /-/preview": Sample(data={"text": "x"}),
    "GET {pages}/viewer": Sample(values={"kind": "datasets"}),
    "GET {pages}/schema": Sample(values={"kind": "mcp/servers"}),
    "GET {pages}/prompt": Sample(values={"kind": "prompts/library"}),
    "GET {pages}/prompt/<path:path>": Sample(values={"kind": "prompts/library"}),
    "GET {pages}/viewer/<config>/<path:split>": Sample(
        values={"kind": "datasets", "config": "default", "split": "train"}
    ),
    "GET /-/datasets-server/is-valid": Sample(query="dataset=$path_of_repository"),
    "GET /-/datasets-server/splits": Sample(query="dataset=$path_of_repository"),
    "GET /-/datasets-server/info": Sample(query="dataset=$path_of_repository"),
    "GET /-/datasets-server/parquet": Sample(query="dataset=$path_of_repository"),
    "GET /-/datasets-server/rows": Sample(query="dataset=$path_of_repository&config=default&split=train"),
    "GET /-/datasets-server/first-rows": Sample(query="dataset=$path_of_repository&config=default&split=train"),
    "GET /-/datasets-server/size": Sample(query="dataset=$path_of_repository"),
    "GET /-/datasets-server/search": Sample(query="dataset=$path_of_repository&config=default&split=train&query=a"),
    "GET /-/datasets-server/filter": Sample(query="dataset=$path_of_repository&config=default&split=train"),
    "GET /-/datasets-server/statistics": Sample(query="dataset=$path_of_repository&config=default&split=train"),
    "GET {repo}/dataviewer/rows": Sample(query="config=default&split=train"),
    "GET {repo}/dataviewer/cell": Sample(query="config=default&split=train&row=0&column=0"),
    "GET {repo}/dataviewer/media": Sample(query="config=default&split=train&row=0&column=0"),
    "POST {repo}/dataviewer/retry": Sample(query="config=default&split=train"),
    "GET {repo}/viewer/<path:file>": Sample(values={"file": "table.csv"}),
    "GET {repo}/dataviewer/statistics": Sample(query="config=default&split=train"),
    "GET {repo}/dataviewer/export": Sample(query="config=default&split=train"),
    "GET {repo}/dataviewer/compare": Sample(query="config=default&split=train&base=main"),
    "GET {hub}/api/settings/webhooks/<uuid>": _WATCHING,
    "POST {hub}/api/settings/webhooks/<uuid>": _WATCHING,
    "DELETE {hub}/api/settings/webhooks/<uuid>": _WATCHING,
    "POST {hub}/api/settings/webhooks/<uuid>/enable": _WATCHING,
    "POST {hub}/api/settings/webhooks/<uuid>/disable": _WATCHING,
    "GET {hub}/api/collections/<namespace>/<slug>": _SLUG,
    "PATCH {hub}/api/collections/<namespace>/<slug>": _SLUG,
    "DELETE {hub}/api/collections/<namespace>/<slug>": _SLUG,
    "POST {hub}/api/collections/<namespace>/<slug>/resource-group": _SLUG,
    "POST {hub}/api/collections/<namespace>/<slug>/items": Sample(
        values={"slug": "$collection_slug"}, body={"item": {"id": "acme/open", "type": "model"}}
    ),
    "PATCH {hub}/api/collections/<namespace>/<slug>/items/<item_id>": _SLUG,
    "DELETE {hub}/api/collections/<namespace>/<slug>/items/<item_id>": _SLUG,
    "POST {hub}/api/collections": Sample(body={"namespace": "acme", "title": "Fresh"}),
    'GET {wire}/user-access-request/<any("pending", "accepted", "rejected"):status>': Sample(
        values={"status": "pending"}
    ),
    "POST {wire}/user-access-request/handle": Sample(body={"user": "reader", "status": "accepted"}),
    "POST {wire}/duplicate": Sample(body={"repository": "acme/fresh"}),
    "PUT {repo}/access_requests/<username>": Sample(body={"state": "accepted"}),
    "GET /api/v1/webhooks/<uuid:uuid>": _WEBHOOK,
    "PUT /api/v1/webhooks/<uuid:uuid>": _WEBHOOK,
    "DELETE /api/v1/webhooks/<uuid:uuid>": _WEBHOOK,
    "GET /api/v1/webhooks/<uuid:uuid>/deliveries": _WEBHOOK,
    "GET /api/v1/webhooks/<uuid:uuid>/deliveries/<uuid:delivery>": _WEBHOOK,
    "POST /api/v1/webhooks/<uuid:uuid>/deliveries/<uuid:delivery>/redeliver": _WEBHOOK,
    "POST /api/v1/webhooks/<uuid:uuid>/ping": _WEBHOOK,
    "POST /api/v1/collections": Sample(body={"namespace": "acme", "name": "Fresh"}),
    "POST {repo}/tags/<category>": Sample(values={"category": "task"}, body=["text-generation"]),
    "POST {repo}/relations/<target>": Sample(values={"target": "dataset"}, body={"dataset": "acme/data"}),
    "DELETE {repo}/relations/<target>": Sample(values={"target": "dataset"}, body={"dataset": "acme/data"}),
    "PATCH {repo}/lineage/relations/<int:relation_id>": Sample(body={"note": "Checked."}),
    "POST {repo}/lineage/relations": Sample(body={"type": "uses", "kind": "dataset", "path": "acme/data"}),
    "POST /api/v1/runs": Sample(body={"type": "training", "namespace": "acme"}),
    "GET /api/v1/runs/<uuid:uuid>": _RUN,
    "PATCH /api/v1/runs/<uuid:uuid>": _RUN,
    "DELETE /api/v1/runs/<uuid:uuid>": _RUN,
    "GET /settings/<section>": Sample(values={"section": "profile"}),
    "POST /login": Sample(data={"username": "person", "password": "correct-horse-battery"}),
    "POST /api/v1/admin/schedules/<name>/run": Sample(values={"name": "jobs.prune"}),
    "PUT /api/v1/admin/namespaces/<namespace>/quota": Sample(body={"quota_bytes": None}),
    "POST /api/v1/admin/mail/test": Sample(body={"address": "ada@example.org"}),
    "POST /api/v1/session": Sample(body={"username": "person", "password": "correct-horse-battery"}),
    "POST /api/v1/users": Sample(body={"username": "fresh", "email": "f@example.org", "password": "correct-horse"}),
    "DELETE /api/v1/notifications": Sample(body={"mark_all": True}),
    "PUT /api/v1/notifications/archive": Sample(body={"mark_all": True}),
    "PUT /api/v1/notifications/unarchive": Sample(body={"mark_all": True}),
    "PUT /api/v1/notifications/read": Sample(body={"mark_all": True}),
    "PUT /api/v1/notifications/unread": Sample(body={"mark_all": True}),
    "GET /api/v1/broadcasts/<int:broadcast_id> | not active": Sample(values={"broadcast_id": "$silent_broadcast_id"}),
    "POST /api/v1/admin/<type>/<namespace>/<name>/change_path": Sample(values={"type": "model"}),
    "PUT /api/v1/user/labels": Sample(body={"id": "$uuid", "labels": []}),
    "POST {hub}/api/repos/create": Sample(body={"name": "fresh", "organization": "acme"}),
    "DELETE {hub}/api/repos/delete": Sample(body={"name": "$path_of_repository", "type": "model"}),
    "POST {hub}/api/repos/move": Sample(
        body={"fromRepo": "$path_of_repository", "toRepo": "acme/moved", "type": "model"}
    ),
    "POST {repo}/pulls/<int:pull_number>/review_requests": Sample(body={"users": ["manager"]}),
    "DELETE {repo}/pulls/<int:pull_number>/review_requests/<username>": Sample(values={"username": "manager"}),
    "POST {wire}/discussions/<int:num>/merge": Sample(values={"num": "$pull_number"}),
    "PUT {repo}/community/<int:thread_number>": Sample(body={"title": "Better"}),
    "POST {repo}/community/bulk": Sample(body={"numbers": [1], "action": "close"}),
    "POST {repo}/community/<int:thread_number>/labels": Sample(body={"labels": ["bug"]}),
    "DELETE {repo}/community/<int:thread_number>/labels": Sample(body={"labels": ["bug"]}),
    "POST {repo}/community/<int:thread_number>/assignees": Sample(body={"users": ["reader"]}),
    "PUT {repo}/community/<int:thread_number>/subscription": Sample(body={"is_wanted": True}),
    "POST {repo}/community/<int:thread_number>/comments/<int:comment_id>/reactions/<sign>": Sample(
        values={"sign": "heart"}
    ),
    "DELETE {repo}/community/<int:thread_number>/comments/<int:comment_id>/reactions/<sign>": Sample(
        values={"sign": "heart"}
    ),
    "POST {wire}/commit/<path:revision> | create_pr": Sample(
        query="create_pr=1",
        data='{"key": "header", "value": {"summary": "Nothing"}}\n',
        headers={"Content-Type": "application/x-ndjson"},
    ),
    "POST {wire}/commit/<path:revision> | to a pull request": Sample(
        values={"revision": "refs%2Fpr%2F2"},
        data='{"key": "header", "value": {"summary": "Nothing"}}\n',
        headers={"Content-Type": "application/x-ndjson"},
    ),
    "POST {repo}/changes": Sample(body={"message": "Nothing", "files": [{"path": "x.md", "content": "x"}]}),
    "POST {repo}/changes | as a pull request": Sample(
        body={"message": "Nothing", "files": [{"path": "x.md", "content": "x"}], "create_pr": True}
    ),
    "POST {repo}/uploads/check": Sample(body={"files": [{"path": "x.md"}]}),
    "POST {repo}/uploads/check | for a pull request": Sample(body={"files": [{"path": "x.md"}], "for_proposal": True}),
    "POST {repo}/uploads/objects": Sample(body={"objects": [{"oid": "0" * 64, "size": 1}]}),
    "POST {repo}/uploads/objects | for a pull request": Sample(
        body={"objects": [{"oid": "0" * 64, "size": 1}], "for_proposal": True}
    ),
    "POST {repo}/uploads/objects/finish": Sample(body={"oid": "0" * 64, "size": 1}),
    "POST {repo}/uploads/objects/finish | for a pull request": Sample(
        body={"oid": "0" * 64, "size": 1, "for_proposal": True}
    ),
    "POST {repo}/uploads/commit/<path:branch>": Sample(
        data='{"key": "header", "value": {"summary": "Nothing"}}\n', headers={"Content-Type": "application/x-ndjson"}
    ),
    "POST {repo}/uploads/commit/<path:branch> | as a pull request": Sample(
        query="create_pr=1",
        data='{"key": "header", "value": {"summary": "Nothing"}}\n',
        headers={"Content-Type": "application/x-ndjson"},
    ),
    "POST {wire}/preupload/<path:revision> | create_pr": Sample(query="create_pr=1"),
    "GET {wire}/xet-write-token/<path:revision> | create_pr": Sample(query="create_pr=1"),
    "POST {wire}/lfs-files/duplicate": Sample(
        body={"target": {"type": "model", "name": "$path_of_repository"}, "files": []}
    ),
    "POST {wire}/lfs-files/batch": Sample(body={"deletions": {"sha": [], "rewriteHistory": False}}),
    "POST {wire}/tag/<path:revision>": Sample(body={"tag": "v1"}),
    "DELETE {wire}/branch/<path:branch>": Sample(values={"branch": "trial"}),
    "POST {wire}/commit/<path:revision>": Sample(
        data='{"key": "header", "value": {"summary": "Nothing"}}\n', headers={"Content-Type": "application/x-ndjson"}
    ),
    "POST /api/v1/organization/verify": Sample(
        body={
            "path": "acme",
            "company_name": "Acme",
            "unified_credit_code": "1",
            "contact_name": "Ada",
            "contact_email": "ada@example.org",
            "business_license_img": "https://example.org/licence.png",
        }
    ),
    "GET {repo}/compare/<path:base>...<path:head>/files": Sample(values={"base": "main", "head": "main"}),
    **{
        f"GET {{pages}}/{page}/<path:rest>": Sample(values={"rest": rest})
        for page, rest in {
            **dict.fromkeys(("tree", "files", "commits"), "main"),
            **dict.fromkeys(("blob", "blame", "edit", "delete"), "main/README.md"),
            "compare": "main...main",
        }.items()
    },
    'GET /<apart_pages:kind>/<namespace>/<name>/<any("raw", "resolve"):page>/<path:rest>': Sample(
        values={"kind": "mcp/servers", "page": "raw", "rest": "main/README.md"}
    ),
    "GET {pages}/<path:revision>/new": Sample(values={"revision": "main"}),
    "GET {pages}/<path:revision>/upload": Sample(values={"revision": "main"}),
    "GET {repo}/diff": Sample(query="left_commit_id=main"),
    "GET {git}/info/refs": Sample(query="service=git-upload-pack"),
    "PUT {repo} | visibility": Sample(body={"private": True}),
    "PUT {repo}/branches/<path:branch>": Sample(values={"branch": "trial"}),
    "POST {repo}/undelete": Sample(suffix="-gone"),
    "DELETE {repo}/raw/<path:path>": Sample(values={"path": "gone.md"}),
    "POST {repo}/reverts": Sample(body={"commit_id": "0" * 40}),
    "POST {repo}/cherry_picks": Sample(body={"commit_id": "0" * 40}),
    "POST {repo}/deleted_branches/<uuid:uuid>": Sample(values={"uuid": "00000000-0000-4000-8000-000000000000"}),
    "DELETE {repo}/branches/<path:branch>": Sample(values={"branch": "trial"}),
    "PUT {repo}/collaborators/<username>": Sample(values={"username": "guest"}),
    "DELETE {repo}/collaborators/<username>": Sample(values={"username": "guest"}),
    "POST {lfs}/verify": Sample(body={"oid": "0" * 64, "size": 1}),
    "POST {lfs}/locks": Sample(body={"path": "README.md"}),
    "POST /api/v1/organization/<namespace>/members": Sample(body={"users": "stranger", "role": "read"}),
    "PUT /api/v1/organization/<namespace>/members/<username>": Sample(values={"username": "guest"}),
    "DELETE /api/v1/organization/<namespace>/members/<username>": Sample(values={"username": "guest"}),
    "POST /api/v1/<collection:kind>": Sample(body={"namespace": "acme", "name": "fresh"}),
    "GET /api/v1/<collection:kind>/check_name": Sample(query="namespace=acme&name=fresh"),
    "POST {repo}/fork": Sample(body={"namespace": "acme", "name": "fresh"}),
}


def _expand(row: str) -> list[str]:
    word = next((word for word in _WORDS if word in row), None)
    return [row] if word is None else [each for text in _WORDS[word] for each in _expand(row.replace(word, text))]


def _rows() -> Mapping[str, Rule]:
    table: dict[str, Rule] = {}
    for rule, text in _GROUPS.items():
        for line in text.split("\n"):
            for row in _expand(line.strip()) if line.strip() else ():
                assert row not in table, f"{row} stands in two groups"
                table[row] = rule
    return table


# "METHOD rule" -> by which rule it is allowed. A route that asks for more when it is asked for more has two rows, the
# second with a word behind a bar.
TABLE = _rows()
_PATHS = frozenset(row.split(" ")[1] for row in TABLE)
SAMPLES: Mapping[str, Sample] = {row: sample for key, sample in _SAMPLES.items() for row in _expand(key)}


def columns_of(row: str) -> list[int]:
    """The columns that are tried. The same views under another prefix: three people see that it is so."""
    path = row.split(" ")[1]
    is_copy = path.startswith(("/hf/", "/ms/")) or (path.startswith("/csg/") and "/info/lfs/" in path)
    is_copy = is_copy or f"/<hub_prefix:hub>{path}" in _PATHS
    return [0, 1, 3] if is_copy else list(range(len(COLUMNS)))
