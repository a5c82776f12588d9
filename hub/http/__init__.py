"""Floor 6: what pages, REST, compatible APIs and transports share: actor, errors, byte ranges, paging."""
