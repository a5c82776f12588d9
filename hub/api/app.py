"""The REST API as a part of the application: its blueprints, its description, its errors."""

from __future__ import annotations

from flask import Flask, request

from hub import __version__
from hub.api import (
    accounts,
    activities,
    admin,
    administration,
    branches,
    broadcasts,
    cards,
    claw,
    clusters,
    collections,
    community,
    contents,
    deploy_tokens,
    differences,
    discussion_labels,
    discussion_people,
    discussions,
    documentation,
    edits,
    gates,
    indexing,
    invitations,
    jwts,
    kinds,
    labels,
    licenses,
    likes,
    lineage,
    mcps,
    merges,
    metering,
    models,
    notifications,
    organizations,
    own_data,
    pictures,
    prompts,
    pulls,
    reactions,
    recommendations,
    relations,
    repositories,
    resources,
    reviews,
    runs,
    search,
    second_factors,
    security,
    sessions,
    setting_up,
    skills,
    storage,
    uploads,
    users,
    verifications,
    viewer,
    viewer_statistics,
    watches,
    webhooks,
    workloads,
)
from hub.base.context import Context
from hub.http.rest import HubApi, serves_api
from hub.http.routing import CollectionConverter, collection_converter, describe_collection

# Every module here that has a ``blp``.
MODULES = (
    *(
        repositories,
        branches,
        contents,
        edits,
        uploads,
        gates,
        storage,
        deploy_tokens,
        resources,
        clusters,
        workloads,
        security,
        viewer,
        viewer_statistics,
    ),
    *(labels, likes, relations, collections, recommendations, indexing, kinds, cards, models, lineage, runs),
    *(discussions, pulls, merges, reviews, differences, notifications, broadcasts, webhooks),
    *(community, discussion_labels, discussion_people, reactions, watches),
    search,
    activities,
    *(accounts, sessions, second_factors, setting_up, users, jwts, verifications, organizations, invitations),
    *(pictures, own_data),
    *(admin, administration, licenses, metering),
    *(prompts, mcps, skills, claw),
)


def install(app: Flask, context: Context) -> HubApi:
    """Mount the REST API; done once, by ``create_app``, when all kinds of asset are registered."""
    app.config.update(
        API_TITLE="Hub",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX=None,  # the documentation serves it
        API_SPEC_OPTIONS={"servers": [{"url": context.settings.effective_base_url}]},
    )
    app.url_map.converters["collection"] = collection_converter(context)
    api = HubApi(app)
    api.register_converter(CollectionConverter, describe_collection)
    for module in MODULES:
        api.register_blueprint(module.blp)
    documentation.install(app, api)
    _bound_bodies(app, context)
    return api


def _bound_bodies(app: Flask, context: Context) -> None:
    limit = context.settings.request_body_limit_bytes

    @app.before_request
    def bound_body() -> None:
        # A file that is streamed to disk has limits of its own, which its view sets.
        if serves_api():
            request.max_content_length = limit
