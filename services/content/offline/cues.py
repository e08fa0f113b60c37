"""Signs in a message that it is small talk, an errand, or a question of a subject the catalogue does not have."""

import re
from collections.abc import Iterable, Sequence

from services.content.catalog.words import content_words, tokens, words_of

_FAMILY = r"(?:friends?|bff|mom|mum|dad|mother|father|parents|brother|sister|cousin|teacher|nobody|everyone)"
_SOMEBODY = rf"(?:{_FAMILY}|him|her|she|he|they|them)"
_MEAN = r"(?:mad|mean|angry|jealous|annoy\w*|bother\w*|hates?|grounded|unfair|yell\w*|lied|ignor\w+|dump\w*|teas\w+)"
_TREATS = r"(?:bull(?:y|ies|ying)|fighting|rude|cute|nice|talk to me|failed|likes? me|took my)"
_YOU = r"(?:you|u)"
_CAN_YOU = rf"\b(?:can|could|will|would) (?:{_YOU}|we) (?:please )?"
_BEST = r"\b(?:best|worst|fav\w*|coolest) (?:\w+ )?"
_WHEN = r"\bwhen (?:is|are|does|do|will)\b"

_TO_THE_MACHINE = (
    r"\b(?:ignore|forget|disregard)\b.{0,20}\b(?:instructions|rules|prompt)\b",
    r"\b(?:your|ur) (?:\w+ )?(?:prompt|instructions|name|opinion|age|birthday|number|fav\w*|hobb\w+|gender|boss)\b",
    rf"\bwho (?:made|created|built|programmed) {_YOU}\b|\bhow (?:old )?are {_YOU}\b",
    rf"\b{_YOU} (?:are|r) ?\w*$|^(?:so |hey |hi |hello )?(?:are|were|have|would|will|did) {_YOU}\b",
    rf"^do {_YOU}\b(?! (?:know|remember) (?:how|why|what|about|the|any))",
    rf"{_CAN_YOU}(?:be|play|sing|dance|hack|marry|order|buy|book|call|write|send|draw|turn|open|find|pay|come|meet)\b",
    r"^(?:please )?(?:sing|play|order|book|buy|call|send|turn|add|rate|roast|rap|pretend|recommend|suggest)\b(?! up\b)",
    r"^(?:please )?(?:wake|remind|find me|get me|set an?|give me (?:a n|money)|write (?:me )?an?)",
    r"\b(?:jokes?|lol|lmao|haha\w*|bye|good ?night|good ?morning|happy birthday|whats up|sup|bruh)\b",
    rf"\b{_YOU} (?:think|reckon|prefer|like|love|hate)\b.{{0,40}}\b(?:win|best|better|nice|cute|pretty|cool|me|my)\b",
    r"\bdo i look\b|\bopinion (?:on|about|of)\b|\bguess what\b",
    r"^(?:hi+|he+y+a?|hello+|yo+|hiya|howdy|greetings|sup)(?: (?:there|you|u|bro|everyone|guys|all|buddy|friend|"
    r"\w{1,3}))*$",
    rf"^(?:ok(?:ay)?|thanks?|thank {_YOU}|thx|ty|cool|nice|wow|great)(?: (?:so|very|much|{_YOU}|a|lot|cool|ok|"
    rf"bye|that|is))*$",
    rf"^{_YOU} (?:are|r|gave|suck|never|always|keep|said|must|will|should)\b|^(?:youre|ur)\b|^act (?:as|like)\b",
    rf"\b(?:from now on|system (?:prompt|message)|jailbreak|developer mode|what are {_YOU}|where (?:are|do) {_YOU})\b",
    r"^(?:please )?(?:do|finish|write|complete) (?:all )?(?:my|the|this|our) \w+(?: for me)?(?: please)?$",
    r"^(?:please )?(?:just )?(?:give|tell|send) me (?:all )?(?:the )?(?:answers?|solutions?)\b",
    r"^(?:please )?(?:let me (?:talk|speak|go|play)|make up an?|make me|say|sell|tell me about your|"
    r"give me a (?:compliment|hug))\b",
    r"^happy (?:new year|halloween|easter|holidays)\b|^(?:are we|will we|lets|let us) (?:there|play|go|be|have)\b",
    r"\bkeep a secret\b|\b(?:this|the|your|ur) (?:app|bot|site) (?:is|sucks?|keeps?|wont|doesnt)\b|\brefund\b",
)
_ERRANDS = (
    r"\bcheap(?:er|est)?\b",
    r"\bwhere (?:can|do|could|should) (?:i |we |you )?(?:buy|get|find|watch|download|eat)\b",
    r"\bprice of (?:the|a|an)\b",
    r"\bhow much (?:is|are|for) (?:the|a|an) (?:new )?\w+$|\b(?:does|do|would) .{1,25} cost$",
    r"\b(?:best|good|cheap) \w+ (?:under|below|for under)\b|\brecipe for (?!\d)|\bnear (?:me|here|by)\b",
    r"\b(?:tickets?|flights?|hotels?|restaurants?|delivery|concert)\b.{0,12}\b(?:to|from|for|in|tonight|tomorrow|on)\b",
    r"\b(?:coupon|promo code|haircut|hairstyle|sleepover|nickname|username|outfit|caption|gift|wifi password)\b",
    r"\bwhat time\b.{0,40}\b(?:open|close|closes|opens|starts?|on tv|game|match|show|movie|concert|party|film)\b",
    rf"{_WHEN}.{{0,12}}\b(?:christmas|easter|ramadan|eid|halloween|birthday|recess|lunch|dinner)\b",
    rf"{_WHEN}.{{0,20}}\b(?:holidays?|vacation|party|concert|game|match|show|movie|season|album|iphone)\b",
    r"\bhow many days (?:until|till|to|left)\b|\bfor (?:dinner|lunch|breakfast)$",
    r"\b(?:what|which|who|where) (?:\w+ )?(?:should|shall) (?:i|we) (?:\w+ )?(?:have|eat|wear|watch|buy|cook|name)\b"
    r"(?! (?:before|after|to (?:get|have|be|stay|grow)|so|if)\b)",
    r"\b(?:what|which|where) (?:\w+ ){0,3}(?:should|shall|can|could) (?:i|we) (?:\w+ )?(?:order|pick|choose|"
    r"bring|post)\b",
    r"\b(?:what|which|who|where) (?:\w+ )?(?:should|shall) (?:i|we) (?:\w+ )?(?:call|get|give|play|say|go|ask|date)\b",
    r"\b(?:recommend|suggest) (?:me )?an?\b|\b(?:excuse for|net worth|on tv)\b|\bhow much money does\b",
    r"\b(?:help me )?write (?:me )?(?:a|an|my) (?:\w+ )?(?:text|letter|excuse|caption|speech|poem|story|message|bio)\b",
    r"\bshould i (?:\w+ )?(?:text|ask|tell|wear|cut|dye|buy|get|break|go|forgive|quit|date|join|choose|pick|be)\b",
    r"\b(?:will it|is it (?:going to|gonna)) (?:rain|snow|be)\b(?! (?:more|less)\b)|\bweather (?:today|tomorrow|"
    r"this|for|on)\b",
    r"\bdelete (?:my|the) account\b|\bwhat (?:day|date|month|year) is (?:it|today|tomorrow)\b|\bwhat to wear\b",
    r"\bwhen (?:is|are|will|does) my\b|\bis [\w ]{2,20} open\b|\bhow long (?:until|till|til)\b",
    r"\bis there (?:school|class|homework|practice)\b|\bout of (?:pe|school|class|trouble|detention)\b",
    r"\b(?:good|cool|cute|funny|nice|best) (?:\w+ )?(?:name|names|place|places|present|presents|username)\b|"
    r"\bcopy your\b",
    r"\b(?:what|which) (?:\w+ ){1,5}should (?:i|we) (?:get|have|buy|paint|name|wear|watch|give|play|join|read)\b",
    r"\b(?:i want to|i dont want to|can i) (?:go|have a|stay|leave|get a|eat|watch)\b",
    r"^i (?:really |just |so )?wish\b|\bi (?:need money|want an?|cant (?:sleep|wait)|need an? (?!\w+ (?:for|to)))\b",
    r"\b(?:how (?:can|do|could) (?:i|we)|how to) (?:get|become|be|look|make|earn|win|find) (?:\w+ ){0,2}"
    r"(?:subscribers|followers|views|famous|popular|rich|youtuber|streamer|influencer|model|friends|prettier|"
    r"cool|money|"
    r"over (?:him|her|my|it|a))\b",
    r"\b(?:took|take|takes|taking) (?:away )?my (?:phone|tablet|switch|ipad|xbox|playstation|laptop)\b",
    r"\bskip (?:school|class|lunch|pe|gym)\b|\b(?:can|may) i (?:please )?(?:use|go|leave|have|borrow|come)\b",
    r"\b(?:order|deliver|cook|reserve|book) (?:me |us )?(?:a |an |some |the )?(?:pizza|burger|food|sushi|taxi|"
    r"table|uber)\b",
    r"\b(?:any|some|give me) (?:tips|advice|ideas|suggestions?) (?:for|on|about) (?:making|getting|my|the|a)\b",
    r"\bis it (?:ok(?:ay)?|allowed|legal|rude|cringe) (?:to|if)\b|\bthe best \w+ to (?:buy|get|play|watch|wear)\b",
    r"\b(?:make|cook|bake|draw|style) (?:a |an |some |my )?(?:pancakes?|pizza|sandwich|slime|hair|anime|friends)\b",
    r"\b(?:what|which) (?:colou?r|dress|shoes|shirt|jacket|phone|laptop|bag)\b.{0,20}\b(?:match|goes?|should|buy)\b",
    rf"\b(?:get|make|convince|tell|ask|persuade) my (?:best )?{_FAMILY}\b|\b(?:hang out|come over|invite)\b",
    r"\b(?:level|stage) \d+\b.*\bgame\b",
    r"\bmy (?:phone|tablet|laptop|ipad|console) (?:is|wont|isnt|broke|doesnt)\b",
)
_GOSSIP = (
    r"\bwho (?:won|wins|scored|is winning|will win|lost|should win)\b",
    r"\b(?:did|will) \w+(?: \w+)? (?:win|won|lose)\b",
    r"\b(?:win|won|wins|lost) (?:the|my|our|last|again)\b",
    r"\b(?:the|this|that|my) [\w ]{2,25} (?:is|are|was) (?:the |so |really |way )?(?:cutest|worst|coolest|"
    r"prettiest|ugly)\b",
    r"\bis (?:the |a |an )?[\w ]{2,20} (?:cooler|nicer|prettier|cuter|funnier|more fun|more famous|uglier) than\b",
    r"\b(?:prettiest|ugliest|cutest|hottest|sexiest|funniest|smartest) (?:girl|boy|person|kid|teacher|guy|one|in)\b",
    r"\bwho (?:sings?|sang|stars|acts|acted|plays|played|directed|stole|ate|invented homework)\b|\bpop ?star\b",
    r"\bwho(?:s| is| are) (?:hotter|cuter|cooler|prettier|funnier|nicer|taller|richer|older)\b|\bgood (?:movie|"
    r"song|film)\b",
    r"\b(?:which|what|best) (?:\w+ )?(?:superhero|avenger|pokemon|celebrity|singer|actor|youtuber|princess|"
    r"villain)s?\b",
    r"\b(?:star wars|harry potter|hogwarts|marvel|disney\w*|mcdonalds|kfc|starbucks|frozen \d|plot of)\b",
    r"\bwhat (?:do|are) (?:boys|girls|men|women)\b|\bam i (?:so |too |really )?(?:ugly|pretty|cute|fat|dumb|"
    r"stupid|weird)\b",
    r"\bmeaning of life\b|\bwill i (?:be|get|become|find|marry|have|die)\b|\b(?:pineapple|ketchup) on\b",
    r"\b(?:married|dating|single)$|\bis (?:my|our|the) teacher\b",
    rf"{_BEST}(?:\w+ ){{0,2}}(?:episode|character|player|team|song|movie|show|game|pokemon|skin|youtuber)s?\b",
    r"\b(?:team|club) (?:won|lost|sucks)\b|\bscore of the\b",
    r"\bwho(?:s| is| are)? (?:\w+ )?(?:the )?(?:best|strongest|richest|hottest|coolest|cutest|greatest|better)\b",
    r"\bwho would win\b|\b(?:scary|bedtime|funny|long) story\b",
    r"\btell me a (?:story|secret|poem)\b|\bhave feelings\b",
    r"\bwho(?:s| is| are)? (?:\w+ )?(?:the )?(?:president|king|queen|goat|most (?:famous|popular|beautiful))\b",
    rf"{_BEST}(?:player|team|song|singer|band|rapper|movie|show|series|game|pokemon)s?\b",
    rf"{_BEST}(?:skin|youtuber|character|superhero|club|console|brand|food|colou?r)s?\b",
    r"\b(?:is|are) \w+ better than\b|\bwhich is better\b|\blyrics\b",
    r"\b(?:next|new|last|latest) (?:episode|season|album)\b",
    r"\b(?:robux|v ?-?bucks|cheat ?codes?|aimbot)\b|\bbecome famous\b",
    r"\bget (?:more |free )?(?:followers|likes|views|rich)\b",
    r"\bhow (?:do|can|to) (?:i |you )?(?:beat|unlock|level up|rank up)\b",
    r"\b(?:vote for|horoscope|zodiac sign)\b",
    r"\b(?:which|what) (?:political )?party\b|\b(?:santa|ghosts?|unicorns?|mermaids?) real\b",
    r"\bhow (?:tall|old|rich) is [a-z]+ [a-z]+$|\b(?:kardashian\w*|taylor swift|ronaldo|messi|mrbeast|real madrid)\b",
)
_FEELINGS = (
    rf"\b{_SOMEBODY}\b.{{0,30}}\b(?:{_MEAN}|{_TREATS})\b",
    r"\b(?:mad|angry|jealous|sorry) (?:at|to|with|about) (?:me|my|her|him)\b|\bgrounded\b|\bso cute\b",
    r"\b(?:likes?|loves?|hates?) me\b|\bi (?:\w+ )?(?:hate|love|miss|cant stand) (?:my|you|him|her|school|class|"
    r"mondays?|homework|it)\b|"
    r"^(?:i|we) (?:really |just |so )?(?:hate|love|dont like|dislike|dont want|dont care)\b|\bwhere (?:is|are) my\b",
    r"\b(?:crush|my ex|girlfriend|boyfriend|in love|broke up|break up|be friends|make friends|cheating on|flirt\w*)\b",
    r"\b(?:im|i am|i feel)(?: (?:so|very|really|too|just))* (?:sad|bored|lonely|hungry|angry|happy|tired|upset|"
    r"mad)\b(?! (?:after|when|before))",
    r"\bso (?:boring|annoying|unfair|mean|stupid|lame)\b|\b(?:school|class|homework|maths?|everything) (?:is|"
    r"sucks) (?:so )?"
    r"(?:boring|stupid|dumb|lame|pointless|bad|unfair|useless)?$",
    r"\bmake (?:a |my )?\w+ (?:laugh|like me|love me|jealous)\b",
    r"^(?:i|we|my \w+) (?:got|won|lost|bought) (?!it\b)(?:a |an |my |the )?(?:new )?\w+(?: \w+)?(?: today|"
    r" yesterday)?$",
)
_CHAT = re.compile("|".join((*_TO_THE_MACHINE, *_ERRANDS, *_GOSSIP, *_FEELINGS)))

_ASKS_TO_KNOW = re.compile(
    r"\b(?:why|how come|explain|difference|help|understand|kn[eo]w (?:how|why|what)|how do (?:you|u|we|they)|"
    r"what (?:happens|makes|causes)"
    r"|how (?:does|is|are|did|far|fast|long|many|big|deep))\b"
)
"""Forms in which one asks for knowledge; small talk rarely has them."""

_ASKS_FOR_HELP = re.compile(r"\b(?:help|explain|understand)\b")

_LEISURE_WORDS = words_of(
    """
    account actor actress adidas anime annoying awesome band birthday boring boyfriend boys brand breakfast bts burger
    celebrity champion champions christmas clothes coach concert cool cup cute date dating diwali dinner disney dress
    easter eid episode famous favourite favorite followers fortnite funny game gift girlfriend girls goals hair
    hairstyle halloween holidays hungry influencer instagram kpop league likes lose lost lunch makeup mall manga marvel
    match minecraft movie music netflix nike nintendo outfit party pizza player playlist playstation pokemon pretty prom
    ps5 rapper recess restaurant roblox score selfie series shoes shop shopping show singer sleepover snack snapchat
    sneakers song songs spotify store streamer subscribe sucks team tiktok tournament ugly unfair vacation videos
    weekend whatsapp win winner won xbox
    """
)
"""Words of free time. Questions about school topics have them too, so a fitting topic outweighs them."""

LONGEST_CHAT = 25
"""Words; in a longer message people and shopping are usually the story around a question."""

_POINTING = re.compile(
    r"\b(?:question|number|task|problem|exercise|page|part|no)s? ?\d+ ?[a-z]?\b"
    r"|\b(?:the|this|that|these) (?:first|second|third|next|last|other|same|previous|whole|two|three) ?"
    r"(?:one|ones|question|part|problem|task|step|thing|topic|chapter|unit|exercise)s?\b"
    r"|\b(?:the|that|this) (?:thing|one|stuff|part|bit|sheet) (?:with|from|about|we|where|on|at)\b"
    r"|\b(?:formula|method|rule|equation|button) (?:do|should|must|can) (?:i|we) (?:use|need|take)\b"
    r"|\b(?:do|did|done|solve|answer|explain|check|finish|is|about) (?:it|this|that|these)\b"
)
"""Pointing at something the student sees and the worker does not."""

_TASK_WORDS = words_of(
    """
    calculate calculation conclusion correct definition diagram easier equation experiment figure formula graph howlong
    howmany howmuch lab law letter line method miss missed negative order part problem problems result results rule
    second side sign solve start starts step steps symbol table task term theory third time type unit value work working
    word grade grades level lecture module paragraph column row box blank gap option choice multiple true false
    incorrect big small long short high low fast slow good bad nice full empty real whole extra ideas idea thing facts
    fact report remember forget science final finals video notes mess quiz failed sick unit arrows
    attention exercise chapters topics formulas marks study studied studying ready due deadline ideas begin
    slides handout packet assessment midterm midterms
    """
)
"""Words of many topics: by themselves they do not tell which one is meant."""

_EXERCISE = re.compile(r"\d+[a-ce-h]")
"""A part of an exercise, such as 7b; 2d and 3d are shapes."""

_DEFINITION = re.compile(
    r"\bwhat(?:s| is| are) (?!(?:the|this|that|these|it|my|your|our)\b)(?:an? )?\w+(?: \w+)?$"
    r"|\bwhat does (?:an? )?\w+ mean\b"
)
"""Asking what a word means; then even a word of every exercise is the topic."""

SUBJECT_WORDS = {
    "mathematics": words_of("math maths mathematics algebra geometry calculus arithmetic statistics"),
    "physics": words_of("physics physic"),
    "chemistry": words_of("chemistry chem"),
    "biology": words_of("biology bio"),
    "earth_space": words_of("geography geology astronomy geoscience"),
    "computing": words_of("computing informatics coding programming ict"),
}
"""How students name a whole subject of the catalogue."""

_SUBJECT_PHRASES = tuple(
    (re.compile(rf"\b{phrase} (?:science|studies)\b", re.IGNORECASE), subject)
    for phrase, subject in (
        ("earth(?: and space)?", "geoscience"),
        ("computer", "computing"),
        ("life", "biology"),
    )
)
"""Subjects whose names have a word of many topics in them."""

_OTHER_SUBJECTS = {
    "history": words_of(
        """
        history ancient medieval war wars empire roman romans egypt egyptian pharaoh pyramids king kings queen emperor
        revolution revolutionary president presidents slavery slaves colonial colony crusades viking vikings knights
                castle pharaohs crusade crusader samurai gladiator columbus lincoln washington archduke nazi hitler
        napoleon independence treaty civilization century dynasty berlin soviet
        """
    ),
    "languages": words_of(
        """
        spanish french german english latin grammar verb verbs noun nouns adjective adverb tense tenses conjugate
        spelling spell comma apostrophe vocabulary translate pronunciation plural preposition ser estar dialect idiom
        pronoun
        """
    ),
    "literature": words_of(
        """
        poem poems poetry novel shakespeare romeo juliet hamlet macbeth metaphor simile theme author rhyme sonnet
                gatsby odyssey homer dickens orwell tolkien playwright wrote narrator protagonist character characters
        chapter plot essay paragraph thesis mockingbird haiku
        """
    ),
    "civics and economics": words_of(
        """
                electoral college mortgage parliament government law laws bill congress constitution democracy
        election senate minister citizen citizens
        economy economics demand supply market inflation tax taxes gdp tariff capitalism communism court judge jury
        rights amendment
        """
    ),
    "music and art": words_of(
        """
        chord chords melody minor major scale signature treble clef composer beethoven mozart bach painting painter
        painted mona lisa cubism vinci gogh picasso monet renaissance perspective sculpture impressionism baroque
        """
    ),
    "religion and philosophy": words_of(
        "zeus mythology myth thor odin hercules church pope mosque temple religion religious god gods bible "
        "islam quran buddhism hinduism christianity jesus philosophy philosopher socrates plato ethics prayer"
    ),
    "peoples and places": words_of("capital capitals continents flag border culture tradition festival"),
}
"""Words of subjects that the catalogue does not have; they only count where no topic fits well."""


_STATEMENT = re.compile(r"^(?:i|my|we|our|he|she|they|im|ive|id) ")
_QUESTION_OR_TASK = re.compile(
    r"\b(?:wh\w+|how\w*|does|do|did|can|could|will|explain|understand|learn\w*|help|know|tests?|exam|quiz|"
    r"homework|about|"
    r"because|project|question|report|need|stuck|problem|wonder\w*|lesson|class|chapter|get it)\b"
)
LONGEST_STATEMENT = 8
"""Words; who only tells something in so few asks for nothing, unless it has the words of a topic."""


def chat_signs(message: str) -> int:
    """How much the message sounds like chat, an errand or gossip: 0 not at all, 1 perhaps, 2 clearly."""
    text = _plain(message)
    asks = bool(_ASKS_TO_KNOW.search(text)) or len(text.split()) > LONGEST_CHAT
    if _CHAT.search(text):
        return 1 if asks and (telling_words(message) or _ASKS_FOR_HELP.search(text)) else 2
    return int(not asks and (_only_tells(text) or not _LEISURE_WORDS.isdisjoint(text.split())))


def _only_tells(text: str) -> bool:
    is_short = len(text.split()) <= LONGEST_STATEMENT
    return is_short and bool(_STATEMENT.search(text)) and not _QUESTION_OR_TASK.search(text)


def is_pointing(message: str) -> bool:
    """Whether the message points at a task that only the student can see."""
    return bool(_POINTING.search(_plain(message)))


def named_subject(message: str) -> str | None:
    """The catalogue's subject that the message names, if any."""
    words = set(tokens(_with_subjects(message)))
    return next((subject for subject, names in SUBJECT_WORDS.items() if words & names), None)


def other_subject(message: str) -> tuple[str, int]:
    """The subject outside the catalogue with the most signs in the message, and how many; ("", 0) for none."""
    words = set(tokens(message))
    signs = {subject: len(words & names) for subject, names in _OTHER_SUBJECTS.items()}
    best = max(signs, key=signs.__getitem__)
    return (best, signs[best]) if signs[best] else ("", 0)


def telling_words(message: str) -> Sequence[str]:
    """The content words that can tell a topic: neither a subject's name nor a word of every exercise."""
    words = [word for word in content_words(_with_subjects(message)) if not _names_subject(word)]
    return words if _DEFINITION.search(_plain(message)) else list(_without_task_words(words))


def _with_subjects(message: str) -> str:
    for phrase, subject in _SUBJECT_PHRASES:
        message = phrase.sub(subject, message)
    return message


def _names_subject(word: str) -> bool:
    return any(word in names for names in SUBJECT_WORDS.values())


def _without_task_words(words: Iterable[str]) -> Iterable[str]:
    return (word for word in words if word not in _TASK_WORDS and not _EXERCISE.fullmatch(word))


def _plain(text: str) -> str:
    text = re.sub(r"['’]", "", text.casefold())
    return re.sub(r"[^\w\s-]+", " ", text).strip()
