"""What repositories are as assets: labels, likes, relations, collections, what is recommended."""
