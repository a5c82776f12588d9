"""What the edition and the licence of a moment make of each plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hub.base.context import Context
from hub.base.errors import FeatureLocked
from hub.base.settings import split_names
from hub.licensing.judge import LicenseState
from hub.licensing.service import LICENSING
from hub.plugin.manifest import Plugin, WhenExpired
from hub.plugin.states import HostedPlugin, PluginState


@dataclass(frozen=True)
class Judgement:
    """A state and its reason.

    feature: what the licence would have to carry; None: no particular word. is_licensable: whether a licence can open
    what is locked.
    """

    state: PluginState
    reason: str = ""
    feature: str | None = None
    is_licensable: bool = True


def judge_plugins(context: Context, plugins: Mapping[str, Plugin]) -> dict[str, Judgement]:
    """For each plugin, by name, what becomes of it now. What requires a locked one is locked with it."""
    found = {name: _judge_one(context, plugin) for name, plugin in plugins.items()}
    # As often as there are plugins: the longest way from one to another through what they require.
    for _ in plugins:
        for name, plugin in plugins.items():
            for needed in plugin.requires:
                judgement = found.get(needed)
                if judgement and judgement.state == PluginState.LOCKED and found[name].state.is_active:
                    reason = f"it requires the plugin {needed!r}: {judgement.reason}"
                    found[name] = replace(judgement, reason=reason)
    return found


def _judge_one(context: Context, plugin: Plugin) -> Judgement:
    licensing, feature = context[LICENSING], plugin.feature
    edition = licensing.edition
    is_asked = plugin.name in split_names(context.settings.plugins)
    if (is_asked or plugin.name in edition.plugins) and (feature is None or licensing.has(feature)):
        return Judgement(PluginState.ENABLED)
    has_expired = licensing.standing().state is LicenseState.EXPIRED
    if has_expired and feature is not None and licensing.was_granted(feature):
        if plugin.when_expired == WhenExpired.READ_ONLY:
            return Judgement(PluginState.READ_ONLY, "the licence has expired: nothing new can be begun", feature)
        return Judgement(PluginState.LOCKED, f"the licence that carried {feature!r} has expired", feature)
    if is_asked or plugin.name in edition.plugins:
        return Judgement(PluginState.LOCKED, f"no licence in force carries {feature!r}", feature)
    # Lite stays Lite, whatever licence is imported; any other edition becomes the one that has the plugin.
    is_licensable = edition.name != "lite" and plugin.name in licensing.editions["ee"].plugins
    return Judgement(PluginState.LOCKED, f"it is not in the edition {edition.title}", feature, is_licensable)


def locked_error(context: Context, hosted: HostedPlugin, now: Judgement) -> FeatureLocked:
    """How a request to a locked plugin, or a write to a read-only one, is refused. now: what becomes of it now."""
    if now.state == PluginState.ENABLED:
        # The licence has just come; this process is about to be replaced by one that knows it.
        return FeatureLocked("The hub is taking up a new licence; try again in a few seconds.", code="LICENSE-ERR-0")
    if not now.is_licensable:
        return FeatureLocked(f"{hosted.title} is not part of this hub: {now.reason}.", code="LICENSE-ERR-0")
    return context[LICENSING].locked_error(now.feature)
