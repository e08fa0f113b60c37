"""Words as they are spoken: what a model wrote without the marks of Markdown, LaTeX, HTML and JSON in it.

Marks go and what they hold stays. What only looks like a mark stays, too: `2 * 3 * 4`, `a < b and b > c`, `5 # 3`,
snake_case, `$5 and $10`, a lesson's own `\\n`.
"""

import html
import re
import unicodedata

from services.content.latex import without_latex

_INVISIBLE_CLASS = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
_BREAKS = "\r\x85\u2028\u2029"
_SUSPICIOUS = re.compile(
    rf"[\\`*_#<&$|~^\[\t{_BREAKS}\u200b-\u200d{_INVISIBLE_CLASS}]|^[ ]*(?:[-+•>]\s|[-=]{{3}})", re.MULTILINE
)

# Thai, Lao, Khmer and Burmese part words by spaces of no width.
_INVISIBLE = re.compile(f"[{_INVISIBLE_CLASS}]|(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff])\u200b")
_LINE_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
# Scripts that join or part letters by them (Arabic, those of India and their relatives), and emoji.
_JOINER_AT_WORK = (
    "[\u0590-\u1cff\ua800-\uabff\ufb1d-\ufeff\u2190-\u2bff\U00011000-\U00011fff\U0001f000-\U0001faff]"
)
_IDLE_JOINER = re.compile(f"(?<!{_JOINER_AT_WORK})[\u200c\u200d]+")

_UNICODE_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})")
# One that stands alone is what a lesson about programs shows; those that belong to words are what JSON makes of them.
_ESCAPE_IN_WORD = re.compile(r"(?:[^\W_]|\\u[0-9a-fA-F]{4})\\+u[0-9a-fA-F]{4}|\\u[0-9a-fA-F]{4}[^\W\d_]")
_ANY_BREAK_ESCAPE = re.compile(
    r"\\r?\\n|\\[nrt](?!abla|eq\b|e\b|u\b|ot\b|ewline|imes|heta|ext|an\b|o\b|au\b|ight|ho\b)"
)
_BREAK_ESCAPE = re.compile(
    r"""(?:(?<=[.!?:;,…。！？।\"”’)\]}])|(?<=\\n)|^)[ ]*(?:\\r)?\\[nt]"""
    r"""(?=[ ]*(?:\\[nrt]|[^\Wa-zß-öø-ÿ_]|[-*#•>"“¿¡(\d]|$))""",
    re.MULTILINE,
)
_QUOTE_ESCAPE = re.compile(r'(?<![\w\\])\\"|\\"(?!\w)')

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n`]*\n(.*?)(?:\n[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"(?<!`)(`{1,3})(?!`)([^\n]{1,500}?)(?<!`)\1(?!`)")
_KEPT = re.compile("\ue000(\\d+)\ue001")

_COMMENT = re.compile(
    r"<!--.{0,500}?-->|<(script|style)\b[^>]{0,200}>.{0,1000}?</\1\s*>", re.DOTALL | re.IGNORECASE
)
_BLOCKS = "p|br|hr|div|h[1-6]|ul|ol|li|table|thead|tbody|tr|blockquote|pre|section|article|dl|dt|dd"
_INLINE = (
    "b|i|u|s|em|strong|span|a|code|sub|sup|small|mark|del|ins|q|cite|kbd|var|font|center|img|td|th|abbr|ruby|rt|rp|"
    "speak|break|prosody|emphasis|say-as|phoneme|voice"
)
_ATTRIBUTES = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s"'<>]+))*\s*/?"""
_TAG = re.compile(rf"<(/?)({_BLOCKS}|{_INLINE}){_ATTRIBUTES}>", re.IGNORECASE)
_VOID = frozenset({"br", "hr", "img", "break", "li", "p", "td", "th", "tr", "dt", "dd"})
_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")

_LINE_MARKS = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+(?=\S)|>[ \t]+(?=[^\W\d]))", re.MULTILINE)
_LIST_MARK = re.compile(r"^[ \t]*[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?(?=\S)", re.MULTILINE)
_RULE = re.compile(r"^[ \t]*(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|={3,})$\n?", re.MULTILINE)
_LINK = re.compile(
    r"(?<![0-9A-Za-z_\]])!?\[([^\[\]\n]*)\]"
    r'\((?:<[^<>\n]*>|[^()\s]*(?:\([^()\s]*\)[^()\s]*)?)(?:\s+"[^"\n]*")?\)'
)
_FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,20}\]")
_STRONG = re.compile(r"(?<![0-9A-Za-z*\\])(\*{2,3})(?=[^\s*])([^\n]{0,500}?[^\s*\\])\1(?!\*)")
_EMPHASIS = re.compile(r"(?<![0-9A-Za-zÀ-ӿ*\\])\*(?=[^\s*])([^*\n]*[^\s*\\])\*(?![0-9A-Za-zÀ-ӿ*])")
_UNDERLINED = re.compile(r"(?<![\w\\])(_{1,3})(?=[^\s_])([^\n]{0,500}?[^\s\\])\1(?!\w)")
_STRUCK = re.compile(r"~~(?=\S)([^\n~]*?\S)~~")
_TABLE_ROW = re.compile(r"^[ \t]*\|(?:[ \t].*[ \t]|[ \t:]*-.*-[ \t:]*)\|[ \t]*$", re.MULTILINE)
_TABLE_LINE = re.compile(r"[\s|:-]*-[\s|:-]*")
_ESCAPED_MARK = re.compile(r"\\([*_#`~|])")

_BLANKS = re.compile(r"(?<=\S)[ \t]{2,}")
_BLANKS_AT_ENDS = re.compile(r"[ \t]+$|^[ \t]+", re.MULTILINE)
_EMPTY_LINES = re.compile(r"\n{3,}")


def plain(text: str) -> str:
    """The text as it is spoken or shown, in Unicode's form NFC."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not _SUSPICIOUS.search(text):
        return text
    text = _unescaped(text)
    kept: list[str] = []
    text = _without_code_marks(text, kept)
    text = _without_markdown(_without_html(without_latex(text)))
    text = _KEPT.sub(lambda found: kept[int(found[1])], text)
    text = _without_invisible(text)
    text = _BLANKS_AT_ENDS.sub("", _BLANKS.sub(" ", text))
    # Once more: a letter and its accent may have become neighbours only now.
    return unicodedata.normalize("NFC", _EMPTY_LINES.sub("\n\n", text).strip())


def cut(text: str, longest: int) -> str:
    """The text up to so many characters, ended behind a sentence or, where there is none, behind a word."""
    if len(text) <= longest:
        return text
    part = text[:longest]
    ends = [found.end() for found in re.finditer(r"[.!?…](?=\s)|[。！？।]", part)]
    if ends and ends[-1] >= longest / 2:
        return part[: ends[-1]]
    part = part[:-1]
    space = part.rfind(" ")
    return (part[:space] if space >= longest / 2 else part).rstrip() + "…"


def _unescaped(text: str) -> str:
    """Text that went into JSON twice has `\\u00fa` and `\\n` as letters."""
    if "\\" not in text:
        return text
    if _ESCAPE_IN_WORD.search(text):
        text = _UNICODE_ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        # Two halves make one character.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\ufffd", "")
        text = _ANY_BREAK_ESCAPE.sub("\n", text).replace("\\/", "/")
        text = unicodedata.normalize("NFC", text)
    text = _BREAK_ESCAPE.sub("\n", text)
    return _QUOTE_ESCAPE.sub('"', text)


def _without_invisible(text: str) -> str:
    text = _LINE_BREAK.sub("\n", text)
    return _IDLE_JOINER.sub("", _INVISIBLE.sub("", text)).replace("\t", " ")


def _without_code_marks(text: str, kept: list[str]) -> str:
    """Backticks go; what stood between them is put aside, because no mark in it is one."""
    if "`" not in text and "~~~" not in text:
        return text

    def put_aside(found: re.Match[str]) -> str:
        kept.append(found[2].strip())
        return f"\ue000{len(kept) - 1}\ue001"

    return _CODE.sub(put_aside, _FENCE.sub(put_aside, text))


def _without_html(text: str) -> str:
    if "<" in text:
        text = _COMMENT.sub(" ", text)
        tags = [(found[2].lower(), bool(found[1])) for found in _TAG.finditer(text)]
        opened, closed = {name for name, end in tags if not end}, {name for name, end in tags if end}
        # A tag without its other half is what a lesson about tags names.
        marks = (opened & closed) | (opened & _VOID if len(tags) > 1 or "br" in opened else set())
        text = _TAG.sub(lambda found: _instead_of(found, marks), text)
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def _instead_of(tag: re.Match[str], marks: set[str]) -> str:
    name = tag[2].lower()
    if name not in marks:
        return tag[0]
    return "\n" if re.fullmatch(_BLOCKS, name) else " " if name in ("td", "th", "break", "img") else ""


def _without_markdown(text: str) -> str:
    text = _RULE.sub("", text)
    text = _TABLE_ROW.sub(_told_row, text)
    text = _LINE_MARKS.sub("", text)
    text = _without_list_marks(text)
    text = _FOOTNOTE.sub("", _LINK.sub(r"\1", text))
    text = _STRONG.sub(r"\2", text)
    text = _EMPHASIS.sub(r"\1", text)
    text = _UNDERLINED.sub(r"\2", text)
    return _ESCAPED_MARK.sub(r"\1", _STRUCK.sub(r"\1", text))


def _without_list_marks(text: str) -> str:
    marks = list(_LIST_MARK.finditer(text))
    if len(marks) == 1 and text[marks[0].end()].isdigit():
        return text  # a number with its sign
    return _LIST_MARK.sub("", text)


def _told_row(found: re.Match[str]) -> str:
    row = found[0].strip()
    if _TABLE_LINE.fullmatch(row):
        return ""
    return ", ".join(filter(None, (cell.strip() for cell in row.strip("|").split("|"))))
