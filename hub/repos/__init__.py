"""Floor 4: repositories, the one path of every write, commits, files, LFS objects and quotas."""
