"""Floor 2: the object store: drivers for plain files and S3."""
