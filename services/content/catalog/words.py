"""A student's message as the words that matter for finding a topic."""

import re
import unicodedata
from collections.abc import Iterable


def words_of(text: str) -> frozenset[str]:
    """The words of a list that is written as running text."""
    return frozenset(text.split())


TEXT_SPEAK = {
    "u": "you", "ur": "your", "r": "are", "y": "why", "n": "and", "w": "with", "wat": "what", "wot": "what",
    "wats": "whats", "wut": "what", "wen": "when", "wher": "where", "hw": "how", "hwo": "how", "teh": "the",
    "da": "the", "dis": "this", "dat": "that", "dem": "them", "de": "the", "ar": "are", "iz": "is", "cuz": "because",
    "coz": "because", "bc": "because", "bcuz": "because", "becuz": "because", "becos": "because", "pls": "please",
    "plz": "please", "plss": "please", "thx": "thanks", "ty": "thanks", "idk": "dontknow", "dunno": "dontknow",
    "b4": "before", "gr8": "great", "l8r": "later", "2day": "today", "2moro": "tomorrow", "sum1": "someone",
    "any1": "anyone", "every1": "everyone", "ppl": "people", "abt": "about", "rlly": "really", "thru": "through",
    "tho": "though", "wanna": "want", "gonna": "going", "gotta": "must", "kinda": "kind", "lemme": "let",
    "gimme": "give", "hav": "have", "dos": "does", "doin": "doing", "evry": "every", "mak": "make", "werk": "work",
    "wuz": "was", "woz": "was", "wud": "would", "cud": "could", "shud": "should", "dont": "not", "doesnt": "not",
    "cant": "not", "wont": "not", "isnt": "not", "mums": "mother", "math": "maths", "rite": "right",
    "wich": "which", "thay": "they", "thier": "their", "ther": "there", "becaus": "because", "bekos": "because",
    "bekause": "because", "cos": "because", "alot": "lot", "realy": "really", "allways": "always", "alwas": "always",
    "dosent": "not", "dosnt": "not", "doesent": "not", "happin": "happen", "hapen": "happen", "hapens": "happens",
    "hapend": "happened", "peple": "people", "peeple": "people", "skool": "school", "skul": "school",
    "techer": "teacher", "teecher": "teacher", "homwork": "homework", "kwestion": "question", "plees": "please",
    "pleez": "please", "plis": "please", "explane": "explain", "xplain": "explain", "hlp": "help", "halp": "help",
    "sumthing": "something", "somthing": "something", "sumone": "someone", "sumtimes": "sometimes", "enuf": "enough",
    "enuff": "enough", "wuld": "would", "culd": "could", "shoud": "should", "coud": "could", "gud": "good",
    "evrything": "everything", "evryone": "everyone", "frend": "friend", "freind": "friend", "wy": "why", "whi": "why",
    "dey": "they", "dere": "there", "doez": "does", "duz": "does", "yu": "you", "ov": "of", "uv": "of", "frum": "from",
    "cald": "called", "tings": "things", "fings": "things", "thingz": "things", "kno": "know", "nead": "need",
    "liek": "like", "tiem": "time", "thot": "thought", "beleve": "believe", "diffrent": "different",
    "diferent": "different", "diffrence": "difference", "diference": "difference", "betwen": "between",
    "alredy": "already", "agen": "again", "untill": "until",
    "du": "do", "dus": "does", "yuo": "you", "yoo": "you", "rember": "remember", "remeber": "remember",
    "becose": "because", "cozes": "causes", "coses": "causes",
}  # fmt: skip
"""How people type quickly, and how the ear spells small words. The digits 2 and 4 are left alone: they are numbers
more often than words."""

STOP_WORDS = words_of(
    """
    a about actual after again all almost also although always am an and another any anybody anyone anything
    anyways are arent around as at away back basically be became because become been before being below
    beside best better between both bring btw bunch but by call called came can cannot come comes coming
    could couldnt did didnt difference differences different do does doing done dontknow down during each
    either else end enough especially even ever every everybody everyone everything exactly far few find
    finding finds first for found from full further gave get gets getting give given go goes going gone
    gonna good got had hadnt happen happened happening happens has hasnt have havent having he hello her
    here hers herself hes hey hi him himself his hmm how however hows i id if ill im in instead into is isnt
    it itll its itself ive just keep kept kind kinds know known last later least less let lets like likely
    literally little loads lot lots made make makes making many may maybe me might mine more most much must
    my myself near nearly need needs never new next no nobody none nope nor not nothing now of off often oh
    ok okay old on once one ones only onto or other others our ours out over own part per perhaps please put
    quite rather really right said same saw say says see seen she shes should shouldnt show shows since so
    some somebody somehow someone something sometimes soon sort sorts spend spent still stuff such sure take
    taken takes than thank thanks that thats the their theirs them themselves then there theres these they
    theyll theyre theyve thing things think this those though through thus to together tons too took totally
    toward truly try trying two uh um under until up upon us use used uses using usually very via want
    wanted wants was wasnt way ways we well went were weren werent weve what whatever whats when whenever
    where wheres wherever whether which while who whole whom whos whose why will with within without wont
    work works would wouldnt yeah yep yes yet you youll your youre yours yourself youve
    able absolutely afaik aint already anymore anyway apparently asap atm believe believes completely decided elsewhere
    entire entirely eventually except figured finally fr gotten guys hello honestly hope imo imagine keeps lately
    luckily managed mentioned might naturally ngl noticed nowhere obviously omg otherwise perfectly personally possible
    possibly probably realise realised realize realized reason recently seemed seems seriously showed simply smh
    somewhat somewhere started starting suddenly suppose supposed surely surprised surprisingly tbh thingy thought
    tried trust unless weirdly wherever whichever whoever wondered wonders worried
    """
)
"""Words that say nothing about a topic by themselves."""

CHATTER = words_of(
    """
    absent actually annoying answer answers ask asked asking asks assignment aunt auntie basically book
    boring boy boys brother care chapter check class classes classmate classroom clue concept confused
    confusing cousin dad daddy daughter describe detail difficult dumb easy essay everytime exam example
    examples exams exercise explain explained explaining explains explanation fair father favourite final
    finish follow forgot friday friend friends fun girl grade grades gran granddad grandma grandpa
    grandparents granny guess guy hard hear heard help helps homework homeworks husband idea important info
    information instructions interesting kid kids learn learning lecture lesson lessons listen look lost
    mama mark maths meant missed mom mommy monday mother mum mummy nan nana nani neighbor neighbour nephew
    niece notes page papa parents pass please point poster prepare presentation pretty prof professor
    project promise question questions quick quickly quiz read report revise revision saturday
    school science scientist scientists sense sentence simple sir sister son sorry step struggling stuck
    student students study stuffs stupid subject sudden summarise summarize summary sunday talk teach
    teacher teachers teaches tell test tests textbook thursday today tomorrow tonight topic trick trouble
    tuesday tutor uncle understand understanding wednesday week weekend weird wife wonder wondering words
    worksheet write wrong yesterday
    aunts bestie bro brothers buddy classmates coach coaches cousins dads daddys dude fathers grandads grandfather
    grandfathers grandmas grandmother grandmothers grandpas grannys listening mamas moms mothers mummys neighbors
    neighbours nephews nieces papas pupil pupils schools sisters sons uncles
    """
)
"""What students say around their question: school, family, politeness, despair."""

_SYMBOLS = {
    "²": "2", "³": "3", "₂": "2", "₃": "3", "π": " pi ", "√": " root ", "%": " percent ", "°": " degrees ",
    "×": " times ", "÷": " divided by ", "=": " equals ", "€": " money ", "$": " money ", "£": " money ",
    "₹": " money ",
}  # fmt: skip
_SPELLED = str.maketrans(_SYMBOLS)
_TOKEN = re.compile(r"[a-z0-9]+")
_APOSTROPHE = re.compile("['’`\\u00b4]")
_NOTATION = (
    (":", re.compile(r"(?<!\d)\d{1,2}:\d\d(?!\d)"), " clock time "),
    ("/", re.compile(r"(?<![\d/])\d{1,2}/\d{1,2}(?![\d/])"), " fraction "),
    ("+", re.compile(r"(\d) ?\+ ?(?=\d)"), r"\1 plus "),
    ("", re.compile(r"(\d) ?(?:x|\*|times) ?(?=\d)"), r"\1 multiply "),
    ("how ", re.compile(r"how (?<=\bhow )(many|much|long|far|old|fast|tall|big|deep|heavy|hot|high)\b"), r" how\1 "),
)  # fmt: skip
"""What is written in signs or in two words but means one thing: 7:45 is a time of day. Each is looked for only where
its sign occurs, as the whole catalogue passes here when a process starts."""

_MEANS = re.compile(r"\b(?:do|does|did|dos)\b([^.?!]{0,60}?)(?<!\bthe )\bmean\b")
"""The asking "what does it mean", as opposed to the mean of some numbers."""


def tokens(text: str) -> list[str]:
    """Lower-case words and numbers without accents; "what's" is one word, "x²" is "x2"."""
    text = text.translate(_SPELLED).casefold()
    if not text.isascii():
        text = "".join(
            char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)
        )
    text = _APOSTROPHE.sub("", text)
    for sign, written, meant in _NOTATION:
        if sign in text:
            text = written.sub(meant, text)
    return _TOKEN.findall(text)


def spelled_out(words: Iterable[str]) -> list[str]:
    """The words with text-speak replaced."""
    return [TEXT_SPEAK.get(word, word) for word in words]


def is_content(word: str) -> bool:
    """Whether the word may say what the student wants to know."""
    return not (word in STOP_WORDS or word in CHATTER or word.isdigit() or len(word) == 1)


def content_words(text: str) -> list[str]:
    """The words that may say what the student wants to know, in order."""
    text = _MEANS.sub(r"\1", text.casefold())
    return [word for word in spelled_out(tokens(text)) if is_content(word)]
