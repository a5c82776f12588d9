"""What can be done with labels, likes, relations and collections. Import the functions from here."""

from hub.assets.service.labels import labels_of, with_labels
from hub.assets.service.likes import liked_by

__all__ = ["labels_of", "liked_by", "with_labels"]
