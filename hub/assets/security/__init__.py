"""What could harm whoever uses a repository's files: programs in pickles, secrets in texts, executables.

Nothing is refused because of it: it is reported. What was found in a content is kept by the content's own id, so that
a file that stays as it is is never looked through again.
"""
