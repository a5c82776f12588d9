"""Floor 7: Git smart HTTP, LFS and SSH, and the internal endpoint of the git hooks."""
