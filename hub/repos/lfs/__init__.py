"""Git LFS: what a repository holds of it, transfers, locks and the removal of what nobody holds any more."""
