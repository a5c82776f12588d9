"""What can be done with labels, likes, relations, collections and prompts. Import the functions from here."""

from hub.assets.service.catalogue import (
    create_category,
    create_label,
    delete_category,
    delete_label,
    get_label,
    list_categories,
    list_labels,
    update_category,
    update_label,
)
from hub.assets.service.collections import (
    collection_access_of,
    create_collection,
    delete_collection,
    get_collection,
    list_collections,
    update_collection,
)
from hub.assets.service.items import add_items, items_of, remove_items, update_item
from hub.assets.service.labels import Label, labels_of, set_card_labels, set_labels, with_labels
from hub.assets.service.likes import (
    collections_liked_by,
    is_liked_by,
    like_collection,
    like_repository,
    liked_by,
    recount_likes,
    unlike_collection,
    unlike_repository,
)
from hub.assets.service.prompts import Prompt, parse_prompt, read_prompts
from hub.assets.service.relations import (
    add_relation,
    list_related,
    remove_relation,
    set_card_relations,
    set_relations,
)
from hub.assets.service.trends import set_weight, update_trends, weights_of

__all__ = [
    "Label",
    "Prompt",
    "add_items",
    "add_relation",
    "collection_access_of",
    "collections_liked_by",
    "create_category",
    "create_collection",
    "create_label",
    "delete_category",
    "delete_collection",
    "delete_label",
    "get_collection",
    "get_label",
    "is_liked_by",
    "items_of",
    "labels_of",
    "like_collection",
    "like_repository",
    "liked_by",
    "list_categories",
    "list_collections",
    "list_labels",
    "list_related",
    "parse_prompt",
    "read_prompts",
    "recount_likes",
    "remove_items",
    "remove_relation",
    "set_card_labels",
    "set_card_relations",
    "set_labels",
    "set_relations",
    "set_weight",
    "unlike_collection",
    "unlike_repository",
    "update_category",
    "update_collection",
    "update_item",
    "update_label",
    "update_trends",
    "weights_of",
    "with_labels",
]
