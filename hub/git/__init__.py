"""Floor 2: Git repositories. Paths and ids in, frozen dataclasses out; it knows no database and no user.

Reads and commits go through libgit2 and may be sent to a native thread (``hub.base.offload``); packs, ref
transactions, long walks and upkeep go through the git program and are called directly, because a program's end can
only be watched from the event loop's own thread. Each module says at its top which of the two it is.
"""
