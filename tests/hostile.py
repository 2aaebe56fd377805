"""Hostile texts. A payload that takes effect calls hit('n') or requests /hit/n."""

SCRIPTS = r"""
<script>hit('@')</script>
<SCRIPT>hit('@')</SCRIPT>
<script src="/hit/@"></script>
<script src=//127.0.0.1:1/hit/@></script>
<script/x>hit('@')</script>
<script\n>hit('@')</script\n>
<scr<script>ipt>hit('@')</scr</script>ipt>
<<script>hit('@');//<</script>
<script type=module>import '/hit/@'</script>
<script>\n\nhit('@')\n\n</script>
*a* <script>hit('@')</script> *b*
> <script>hit('@')</script>
- <script>hit('@')</script>
| <script>hit('@')</script> |\n|---|\n| <img src=x onerror=hit('@')> |
# <script>hit('@')</script>
</code></pre><script>hit('@')</script>
</div></div><script>hit('@')</script>
</textarea><script>hit('@')</script>
</title><script>hit('@')</script>
]]><script>hit('@')</script>
-->\n<script>hit('@')</script>
<!--><script>hit('@')</script>-->
<!-- --!><script>hit('@')</script>
<!--\n<script>hit('@')</script>
<?php <script>hit('@')</script> ?>
<![CDATA[<script>hit('@')</script>]]>
<!DOCTYPE html><script>hit('@')</script>
&lt;script&gt;hit('@')&lt;/script&gt;
&#60;script&#62;hit('@')&#60;/script&#62;
&#x3c;script&#x3e;hit('@')&#x3c;/script&#x3e;
\<script>hit('@')\</script>
＜script＞hit('@')＜/script＞
"""

HANDLERS = r'''
<img src=x onerror=hit('@')>
<img src="/hit/@">
<img srcset="/hit/@ 1x">
<img/src=x/onerror=hit('@')>
<img src=x onerror="hit('@')"
<img """><script>hit('@')</script>">
<IMG SRC=x OnErRoR=hit('@')>
<img src=x one\rrror=hit('@')>
<image src=x onerror=hit('@')>
<body onload=hit('@')>
<svg onload=hit('@')>
<svg/onload=hit('@')>
<svg><script>hit('@')</script></svg>
<svg><animate onbegin=hit('@') attributeName=x dur=1s></svg>
<svg><a xlink:href="javascript:hit('@')"><text x=20 y=20>a</text></a></svg>
<svg><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg' onload='hit(@)'/>#x"/></svg>
<svg><foreignObject><iframe src="/hit/@"></iframe></foreignObject></svg>
<svg><style><img src=x onerror=hit('@')></style></svg>
<details open ontoggle=hit('@')>x</details>
<video src=x onerror=hit('@')></video>
<video poster="/hit/@"></video>
<audio src="/hit/@" autoplay></audio>
<input autofocus onfocus=hit('@')>
<input type=image src="/hit/@">
<select autofocus onfocus=hit('@')></select>
<textarea autofocus onfocus=hit('@')></textarea>
<button autofocus onfocus=hit('@')>x</button>
<marquee onstart=hit('@')>x</marquee>
<div onmouseover=hit('@') style="position:fixed;inset:0">x</div>
<div contenteditable autofocus onfocus=hit('@')>x</div>
<p style="background:url(/hit/@)">x</p>
<style>body{background:url(/hit/@)}</style>
<style>@import '/hit/@';</style>
<link rel=stylesheet href="/hit/@">
<link rel=prefetch href="/hit/@">
<iframe src="/hit/@"></iframe>
<iframe srcdoc="<script>parent.hit('@')</script>"></iframe>
<frameset><frame src="/hit/@"></frameset>
<object data="/hit/@"></object>
<embed src="/hit/@">
<meta http-equiv=refresh content="0;url=/hit/@">
<base href="http://127.0.0.1:1/hit/@/">
<form action="/hit/@"><input type=submit autofocus></form>
<form id=f action="/hit/@"></form><button form=f formaction="/hit/@">x</button>
<table background="/hit/@"><tr><td>x</table>
<portal src="/hit/@"></portal>
<a href="#" onclick=hit('@')>x</a>
<a href=x ping="/hit/@">x</a>
<x onclick=hit('@') tabindex=0 autofocus onfocus=hit('@')>x</x>
'''

HTMX = r"""
<hx-partial hx-target="body" hx-swap="innerHTML"><script>hit('@')</script></hx-partial>
</hx-partial><hx-partial hx-target="body"><img src=x onerror=hit('@')></hx-partial>
<div hx-get="/hit/@" hx-trigger="load">x</div>
<div data-hx-get="/hit/@" data-hx-trigger="load">x</div>
<div hx-on:htmx:load="hit('@')">x</div>
<div hx-ws:connect="/hit/@">x</div>
<main data-socket="/hit/@">x</main>
<template><script>hit('@')</script></template>
</template><script>hit('@')</script>
<template hx type="partial" hx-target="body"><img src="/hit/@"></template>
<hx-oob id="messages"><img src="/hit/@"></hx-oob>
<div hx-swap-oob="true" id="messages">@</div>
<head><title>@</title></head>
<button type="button" data-copy-code onclick=hit('@')>Copy</button>
<button type="button" data-copy-code formaction="javascript:hit('@')">Copy</button>
<div class="tail"><img src=x onerror=hit('@')></div>
<div class="code"><pre><code><img src=x onerror=hit('@')></code></pre></div>
[x](# "<hx-partial hx-target='body'><img src='/hit/@'></hx-partial>")
"""

MUTATING = r"""
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=hit('@')&gt;">
<svg></p><style><a id="</style><img src=1 onerror=hit('@')>">
<math><mi><style><img src=x onerror=hit('@')></style></mi></math>
<math><annotation-xml encoding="text/html"><img src=x onerror=hit('@')></annotation-xml></math>
<math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img onerror=hit('@') src>">
<noscript><p title="</noscript><img src=x onerror=hit('@')>">
<xmp><p title="</xmp><img src=x onerror=hit('@')>">
<noembed><img title="</noembed><img src onerror=hit('@')>"></noembed>
<plaintext><img src=x onerror=hit('@')>
<select><template><style><!--</style><a rel="--></style></template></select><img id=x src onerror=hit('@')>">
<table><td><a><table><td></a><img src=x onerror=hit('@')></table>
<a><b><a><i><img src=x onerror=hit('@')>
<p><svg><desc><p><style></style><img src=x onerror=hit('@')>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=hit('@')>
<listing>&lt;img src=x onerror=hit('@')&gt;</listing>
\u00a0<img\u2028src=x\u2029onerror=hit('@')>
<\u200bscript>hit('@')</\u200bscript>
<scr\u0000ipt>hit('@')</scr\u0000ipt>
\ufdd00\ufdd0 &#xfdd0;0&#xfdd0; <img src=x onerror=hit('@')>
\u202e<script>hit('@')</script>\u202c
\ud800<script>hit('@')</script>\udfff
"""

ADDRESSES = r"""
[x](javascript:hit('@'))
[x](JaVaScRiPt:hit('@'))
[x](javascript&colon;hit('@'))
[x](javascript&#58;hit('@'))
[x](&#106;avascript:hit('@'))
[x](&#x6A&#x61&#x76&#x61script:hit('@'))
[x](java&Tab;script:hit('@'))
[x](java&NewLine;script:hit('@'))
[x](java\u0000script:hit('@'))
[x](<java\tscript:hit('@')>)
[x](<\x01javascript:hit('@')>)
[x](<&#1; javascript:hit('@')>)
[x](<  javascript:hit('@')>)
[x](javascript://%0ahit('@'))
[x](javascript:/*--></title></style></textarea></script><svg/onload=hit('@')>*/)
[x](%6Aavascript:hit('@'))
[x](jav\u0430script:hit('@'))
[x](vbscript:hit('@'))
[x](data:text/html,<script>hit('@')</script>)
[x](data:text/html;base64,PHNjcmlwdD5oaXQoJ0AnKTwvc2NyaXB0Pg==)
[x](blob:http://127.0.0.1:1/hit/@)
[x](file:///hit/@)
[x](view-source:javascript:hit('@'))
[x](filesystem:http://127.0.0.1:1/hit/@)
[x](//127.0.0.1:1/hit/@)
[x](/hit/@)
[x](\\127.0.0.1\hit\@)
[x](https:javascript:hit('@'))
[x](http://a"onmouseover="hit('@'))
[x](http://a'onmouseover='hit('@'))
[x](<http://a" onmouseover="hit('@')>)
[x](http://a "x\" onmouseover=\"hit('@')")
[x](http://a '"><img src=x onerror=hit(1)>')
[x](http://a (x" onfocus="hit('@')" autofocus="))
[x](http://a "&quot; onfocus=&quot;hit('@')&quot;")
["><img src=x onerror=hit('@')>](http://a)
[<img src=x onerror=hit('@')>](http://a)
[x](mailto:a@b.c?body="><script>hit('@')</script>)
<javascript:hit('@')>
<JAVASCRIPT:hit('@')>
<data:text/html,hit('@')>
<vbscript:hit('@')>
<http://a"onmouseover=hit('@')>
https://a"onmouseover="hit('@')
https://a/<img src=x onerror=hit('@')>
javascript:hit('@')
[x]: javascript:hit('@')\n\n[x]
[x][y]\n\n[y]: data:text/html,<script>hit('@')</script>
[x]\n\n[x]: http://a "\" onmouseover=\"hit('@')"
[a]: <javascript:hit('@')> 'x'\n\n[a] ![a]
[x](http://a){onclick=hit('@')}
"""

PICTURES = r"""
![x](http://127.0.0.1:1/hit/@)
![x](/hit/@)
![x](//127.0.0.1:1/hit/@)
![x](data:image/svg+xml,<svg/onload=hit('@')>)
![x](data:image/png;base64,iVBORw0KGgo=)
![x](javascript:hit('@'))
!["onerror="hit('@')](http://127.0.0.1:1/hit/@)
![x](http://127.0.0.1:1/hit/@"onload="hit('@'))
![x](http://127.0.0.1:1/hit/@ "x\" onload=\"hit('@')")
![<img src=x onerror=hit('@')>](http://127.0.0.1:1/hit/@)
[![x](http://127.0.0.1:1/hit/@)](javascript:hit('@'))
![[x](javascript:hit('@'))](http://127.0.0.1:1/hit/@)
![x](http://[::1/hit/@)
![x][i]\n\n[i]: http://127.0.0.1:1/hit/@
"""

CODE_AND_MATH = r"""
```"><img src=x onerror=hit('@')>\nx\n```
```html\n<script>hit('@')</script>\n```
~~~js' onclick='hit(1)\nx\n~~~
```<script>hit('@')</script>\nx
``` x"onfocus="hit('@')" autofocus tabindex="0\nx\n```
```&quot;&gt;&lt;img src=x onerror=hit('@')&gt;\nx\n```
```diff\n+<img src=x onerror=hit('@')>\n-</code></pre><script>hit('@')</script>\n```
`</code><img src=x onerror=hit('@')>`
    </code></pre><img src=x onerror=hit('@')>
$\href{javascript:hit('@')}{x}$
$\href{/hit/@}{x}$
$\url{javascript:hit('@')}$
$\class{x" onmouseover="hit('@')}{x}$
$\style{background:url(/hit/@)}{x}$
$\color{"><img src=x onerror=hit('@')>}{x}$
$\text{<img src=x onerror=hit('@')>}$
$\text{</mtext></math><script>hit('@')</script>}$
$\text{&lt;img src=x onerror=hit('@')&gt;}$
$$<img src=x onerror=hit('@')>$$
$$\unicode{<script>hit('@')</script>}$$
\(\href{javascript:hit('@')}{x}\)
\[\text{<script>hit('@')</script>}\]
\( </math><img src=x onerror=hit('@')> \)
$\includegraphics{http://127.0.0.1:1/hit/@}$
$\hspace{1em" onfocus="hit('@')}$
$\begin{array}{c"onfocus="hit('@')} x \end{array}$
> [!NOTE"><img src=x onerror=hit('@')>]\n> x
> [!NOTE]\n> <img src=x onerror=hit('@')>
- [x] <img src=x onerror=hit('@')>
1. <script>hit('@')\n2. </script>
| `<img src=x onerror=hit('@')>` | $\href{javascript:hit(1)}{x}$ |\n|:-:|-:|\n| [x](javascript:hit('@')) | ![x](/hit/@)
# x {#id .class onclick=hit('@')}
"""

_GROUPS = (SCRIPTS, HANDLERS, HTMX, MUTATING, ADDRESSES, PICTURES, CODE_AND_MATH)
_ESCAPES = ("\\n", "\\t", "\\r", "\\x01")


def _unescape(line: str) -> str:
    for spelled in _ESCAPES:
        line = line.replace(spelled, spelled.encode().decode("unicode_escape"))
    for code in ("0000", "00a0", "0430", "200b", "2028", "2029", "202c", "202e", "d800", "dfff", "fdd0"):
        line = line.replace(f"\\u{code}", chr(int(code, 16)))
    return line


PAYLOADS = [
    _unescape(line).replace("@import", "\0import").replace("@", str(number)).replace("\0import", "@import")
    for number, line in enumerate(line for group in _GROUPS for line in group.strip("\n").split("\n"))
]
"""The payloads. The number that each one reports is its index in the list."""

EXHAUSTING = {
    "quotes": ">" * 20_000,
    "nested items": "- " * 5_000 + "x",
    "indented items": "".join(f"{'  ' * depth}- x\n" for depth in range(400)),
    "brackets": "[" * 50_000,
    "closed brackets": "[" * 20_000 + "]" * 20_000,
    "links": "[a](" * 20_000,
    "images": "![a](" * 10_000,
    "nested images": "![" * 500 + "](http://a)" * 500,
    "stars": "*a " * 20_000,
    "mixed emphasis": "_*" * 20_000,
    "nested emphasis": "*a **b " * 3_000 + "c** d*" * 3_000,
    "backticks": " ".join("`" * length for length in range(400)),
    "less-than": "<" * 50_000,
    "open tags": "<a " * 20_000,
    "open comments": "<!--" * 20_000,
    "open comments on lines": "<!--\n\na\n\n" * 5_000,
    "dollars": "$a " * 20_000,
    "braces": "${" * 10_000,
    "round formulas": "\\(" * 10_000 + "\\)" * 10_000,
    "square formulas": "\\[\n" * 5_000 + "\\]\n" * 5_000,
    "many formulas": "\\(a\\) " * 30_000,
    "many formulas of dollars": "$x^2$ " * 30_000,
    "many formulas in a table": "|a|b|\n|-|-|\n" + "|\\(x\\)|y|\n" * 20_000,
    "different formulas": "".join(f"$x_{{{number}}}$ " for number in range(6_000)),
    "deep formula": "$" + "{" * 900 + "}" * 900 + "$",
    "long formula": "$" + "x_1" * 10_000 + "$",
    "wide table": "|" * 2_000 + "\n" + "|-" * 2_000 + "|\n" + "|\n" * 20,
    "addresses": "https://a" * 10_000,
    "bracketed address": "https://a" + "(" * 20_000 + ")" * 20_000,
    "dotted address": "https://a" + "." * 50_000,
    "references": "".join(f"[a{number}]: /x\n" for number in range(3_000)) + "[b][c]" * 3_000,
    "rules": "---\n" * 10_000,
    "dashes": "-" * 50_000,
    "blank lines": "a" + "\n" * 50_000,
    "spaces": "a" + " " * 50_000 + "b",
    "fence marks": "```\n~~~\n" * 5_000,
    "code that colours slowly": "```make\n" + "a." * 9_000 + "\n```\n```java\n" + "\n" * 9_000 + "```\n",
    "lines that colour slowly": "```make\n" + ("a." * 200 + "\n") * 40 + "```\n",
    "entities": "&#" * 20_000,
    "underscores": "_" * 50_000,
    "tildes": "~a" * 20_000,
}
"""Texts that take a careless renderer a long time."""
