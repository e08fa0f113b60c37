"""What must not reach a model, and what must not be answered by one."""

import re
from collections.abc import Callable

# The look-behind lets a match begin only where a word does. Without it 20,000 letters in a row take a second, and
# twice as many four times as long.
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(
    r"""(?<![\w.,+])(?:
        \+\d[\d\s()./-]{7,17}\d                     # +44 20 7946 0958
      | \(\d{2,5}\)[\s-]?\d[\d\s-]{5,10}\d         # (020) 7946 0958
      | (?<!\d\s)\d{3}[-.\s]\d{3,4}[-.\s]\d{4}(?!\s\d)    # 555-010-0199, but not within 128 256 512 1024 2048
      | (?=[01\s./-]{0,31}[2-9])0\d(?:[\s./-]?\d){7,10}   # 06 12 34 56 78, but no binary number
    )(?!\w)""",
    re.VERBOSE,
)
_WEB = re.compile(r"https?://|\bwww\.", re.IGNORECASE)
_SEVEN_DIGITS = re.compile(r"\d(?:\D{0,4}\d){6}")

# With each pattern goes what a text must have for it to match at all: looking for that is far quicker (measured: 30
# against 200 microseconds for a script), and most texts have none of it.
_CONTACTS: dict[str, tuple[Callable[[str], object], re.Pattern[str]]] = {
    "an e-mail address": (lambda text: "@" in text, _EMAIL),
    "a web address": (lambda text: "://" in text or "www." in text.lower(), _WEB),
    "a phone number": (_SEVEN_DIGITS.search, _PHONE),
}

_SCREENED = (
    (
        "self_harm",
        r"\b(?:kill|hurt|cut|harm)(?:ing)?\s+my\s*self\b|\bi\s+(?:want|wanna|wish)\s+(?:to\s+)?(?:die|be dead)\b",
    ),
    ("self_harm", r"\b(?:commit|thinking about|thinking of)\s+suicide\b|\bend\s+my\s+(?:own\s+)?life\b"),
    (
        "violence",
        r"\b(?:make|build|get|buy|assemble)\s+(?:a\s+|an\s+|my\s+own\s+)?(?:pipe\s*)?(?:bombs?|explosives?|guns?|grenades?|molotovs?|poison)\b",
    ),
    (
        "violence",
        r"\b(?:poison|stab|shoot|kill)\s+(?:my|a|the|some)\s+(?:teacher|class\w*|parents?|mom|mum|dad|brother|sister|student|kid)",
    ),
    ("drugs", r"\b(?:make|cook|buy|smoke|get)\s+(?:some\s+)?(?:meth|cocaine|heroin|lsd|weed|drugs)\b"),
    ("sexual", r"\b(?:send|show|get)\s+(?:me\s+)?(?:nudes?|porn)\b"),
)
_PATTERNS = tuple((category, re.compile(pattern, re.IGNORECASE)) for category, pattern in _SCREENED)


def contacts_in(text: str) -> list[str]:
    """The kinds of contact the text has, each as one names it in a sentence, such as "a phone number"."""
    return [
        kind for kind, (may_match, pattern) in _CONTACTS.items() if may_match(text) and pattern.search(text)
    ]


def mask_contacts(text: str) -> str:
    """The text without e-mail addresses and phone numbers.

    Sums and sequences of numbers stay, and so do web addresses: they lead to no person.
    """
    return _PHONE.sub("[phone]", _EMAIL.sub("[email]", text))


def screen(text: str) -> str | None:
    """The category for which a question is blocked before any model is asked, or None.

    A coarse net for what a school service must hand to a person whatever a model would say; models bring their own,
    finer filters. It looks for intent ("how do I make a bomb"), not for words ("how do nuclear bombs work").
    """
    return next((category for category, pattern in _PATTERNS if pattern.search(text)), None)
