"""Short names of emoji, as people type them between colons."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Where the short name is not Unicode's own.
_NAMES = (
    "+1=👍 -1=👎 thumbsup=👍 thumbsdown=👎 tada=🎉 heart=❤️ smile=😄 smiley=😃 laughing=😆 joy=😂 wink=😉 blush=😊 "
    "sunglasses=😎 thinking=🤔 cry=😢 sob=😭 confused=😕 eyes=👀 clap=👏 pray=🙏 muscle=💪 wave=👋 raised_hands=🙌 "
    "ok_hand=👌 point_right=👉 point_down=👇 hugs=🤗 100=💯 boom=💥 zap=⚡ star=⭐ star2=🌟 sparkles=✨ fire=🔥 "
    "warning=⚠️ white_check_mark=✅ heavy_check_mark=✔️ x=❌ heavy_plus_sign=➕ question=❓ exclamation=❗ "
    "bulb=💡 bell=🔔 book=📖 books=📚 bookmark=🔖 memo=📝 pencil=📝 pencil2=✏️ mag=🔍 link=🔗 pushpin=📌 paperclip=📎 "
    "lock=🔒 unlock=🔓 key=🔑 gear=⚙️ wrench=🔧 hammer=🔨 construction=🚧 computer=💻 floppy_disk=💾 cd=💿 "
    "chart_with_upwards_trend=📈 chart_with_downwards_trend=📉 bar_chart=📊 calendar=📅 hourglass=⌛ stopwatch=⏱️ "
    "art=🎨 trophy=🏆 medal=🏅 gem=💎 gift=🎁 email=📧 mailbox=📫 speech_balloon=💬 loudspeaker=📢 mega=📣 "
    "robot=🤖 brain=🧠 bug=🐛 llama=🦙 whale=🐳 penguin=🐧 snake=🐍 dog=🐶 cat=🐱 panda_face=🐼 unicorn=🦄 "
    "earth_africa=🌍 earth_americas=🌎 earth_asia=🌏 globe_with_meridians=🌐 sunny=☀️ cloud=☁️ rainbow=🌈 "
    "house=🏠 office=🏢 car=🚗 airplane=✈️ coffee=☕ beer=🍺 pizza=🍕 apple=🍎 cn=🇨🇳 us=🇺🇸 gb=🇬🇧 fr=🇫🇷 de=🇩🇪 jp=🇯🇵 "
    "arrow_right=➡️ arrow_left=⬅️ arrow_up=⬆️ arrow_down=⬇️ arrows_counterclockwise=🔄 recycle=♻️ "
    "one=1️⃣ two=2️⃣ three=3️⃣ four=4️⃣ five=5️⃣ six=6️⃣ seven=7️⃣ eight=8️⃣ nine=9️⃣ copyright=©️ tm=™️"
)
_SHORT = dict(pair.split("=") for pair in _NAMES.split())


@lru_cache(maxsize=1000)
def find_emoji(name: str) -> str | None:
    """The emoji of a short name ("rocket"): a common one, or one that Unicode calls so; None where there is none."""
    if name in _SHORT:
        return _SHORT[name]
    try:
        found = unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return None
    return found if len(found) == 1 and "\U0001f300" <= found <= "\U0001faff" else None
