"""Floor 7: pages for people: themes, navigation, panels, errors in HTML."""
