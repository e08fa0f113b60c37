"""A text in another language than the one asked for is noticed where that is clear, and only there."""

import pytest

from services.content.language import other_language, primary

# The first article of the Universal Declaration of Human Rights, by its official translations.
TEXTS = {
    "en": (
        "All human beings are born free and equal in dignity and rights. They are endowed with reason "
        "and conscience and should act towards one another in a spirit of brotherhood."
    ),
    "es": (
        "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de "
        "razón y conciencia, deben comportarse fraternalmente los unos con los otros."
    ),
    "fr": (
        "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de "
        "raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité."
    ),
    "de": (
        "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und "
        "Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen."
    ),
    "it": (
        "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di "
        "ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza."
    ),
    "pt": (
        "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de"
        " consciência, devem agir uns para com os outros em espírito de fraternidade."
    ),
    "gl": (
        "Tódolos seres humanos nacen libres e iguais en dignidade e dereitos e, dotados como están de "
        "razón e conciencia, débense comportar fraternalmente uns cos outros."
    ),
    "ca": (
        "Tots els éssers humans neixen lliures i iguals en dignitat i en drets. Són dotats de raó i de "
        "consciència, i han de comportar-se fraternalment els uns amb els altres."
    ),
    "ro": (
        "Toate ființele umane se nasc libere și egale în demnitate și în drepturi. Ele sunt înzestrate "
        "cu rațiune și conștiință și trebuie să se comporte unele față de altele în spiritul "
        "fraternității."
    ),
    "nl": (
        "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met "
        "verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen."
    ),
    "da": (
        "Alle mennesker er født frie og lige i værdighed og rettigheder. De er udstyret med fornuft og "
        "samvittighed, og de bør handle mod hverandre i en broderskabets ånd."
    ),
    "nb": (
        "Alle mennesker er født frie og med samme menneskeverd og menneskerettigheter. De er utstyrt med"
        " fornuft og samvittighet og bør handle mot hverandre i brorskapets ånd."
    ),
    "sv": (
        "Alla människor är födda fria och lika i värde och rättigheter. De är utrustade med förnuft och "
        "samvete och bör handla gentemot varandra i en anda av broderskap."
    ),
    "fi": (
        "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. Heille on annettu"
        " järki ja omatunto, ja heidän on toimittava toisiaan kohtaan veljeyden hengessä."
    ),
    "hu": (
        "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és "
        "lelkiismerettel bírván, egymással szemben testvéri szellemben kell hogy viseltessenek."
    ),
    "tr": (
        "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve"
        " birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler."
    ),
    "pl": (
        "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni "
        "obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa."
    ),
    "cs": (
        "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a "
        "svědomím a mají spolu jednat v duchu bratrství."
    ),
    "sk": (
        "Všetci ľudia sa rodia slobodní a sebe rovní, čo sa týka ich dôstojnosti a práv. Sú obdarení "
        "rozumom a majú navzájom jednať v bratskom duchu."
    ),
    "hr": (
        "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima. Ona su obdarena razumom"
        " i sviješću i trebaju jedna prema drugima postupati u duhu bratstva."
    ),
    "sl": (
        "Vsi ljudje se rodijo svobodni in imajo enako dostojanstvo in enake pravice. Obdarjeni so z "
        "razumom in vestjo in bi morali ravnati drug z drugim kakor bratje."
    ),
    "id": (
        "Semua orang dilahirkan merdeka dan mempunyai martabat dan hak-hak yang sama. Mereka dikaruniai "
        "akal dan hati nurani dan hendaknya bergaul satu sama lain dalam semangat persaudaraan."
    ),
    "ms": (
        "Semua manusia dilahirkan bebas dan samarata dari segi kemuliaan dan hak-hak. Mereka mempunyai "
        "pemikiran dan perasaan hati dan hendaklah bertindak di antara satu sama lain dengan semangat "
        "persaudaraan."
    ),
    "vi": (
        "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền lợi. Mọi con người "
        "đều được tạo hoá ban cho lý trí và lương tâm và cần phải đối xử với nhau trong tình anh em."
    ),
    "sw": (
        "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa. Wote wamejaliwa akili na dhamiri, hivyo "
        "yapasa watendeane kindugu."
    ),
    "tl": (
        "Ang lahat ng tao'y isinilang na malaya at pantay-pantay sa karangalan at mga karapatan. Sila'y "
        "pinagkalooban ng katwiran at budhi at dapat magpalagayan ang isa't isa sa diwa ng "
        "pagkakapatiran."
    ),
    "ru": (
        "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и "
        "совестью и должны поступать в отношении друг друга в духе братства."
    ),
    "uk": (
        "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і "
        "совістю і повинні діяти у відношенні один до одного в дусі братерства."
    ),
    "bg": (
        "Всички хора се раждат свободни и равни по достойнство и права. Те са надарени с разум и съвест "
        "и следва да се отнасят помежду си в дух на братство."
    ),
    "sr": (
        "Сва људска бића рађају се слободна и једнака у достојанству и правима. Она су обдарена разумом "
        "и свешћу и треба једни према другима да поступају у духу братства."
    ),
    "sr-Latn": (
        "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima. Ona su obdarena razumom"
        " i svešću i treba jedni prema drugima da postupaju u duhu bratstva."
    ),
    "el": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "ar": (
        "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق. وقد وهبوا عقلاً وضميرًا وعليهم أن يعامل "
        "بعضهم بعضًا بروح الإخاء."
    ),
    "fa": (
        "تمام افراد بشر آزاد به دنیا می‌آیند و از لحاظ حیثیت و حقوق با هم برابرند. همه دارای عقل و وجدان"
        " هستند و باید نسبت به یکدیگر با روح برادری رفتار کنند."
    ),
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון.",
    "hi": (
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें "
        "बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।"
    ),
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられている。",
    "zh": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았다.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม",
    "ta": ("மனிதப் பிறிவியினர் சகலரும் சுதந்திரமாகவே பிறக்கின்றனர்; அவர்கள் மதிப்பிலும், உரிமைகளிலும் சமமானவர்கள்"),
    "eu": (
        "Gizon-emakume guztiak aske jaiotzen dira, duintasun eta eskubide berberak dituztela; eta "
        "ezaguera eta kontzientzia dutenez gero, elkarren artean senide legez jokatu beharra dute."
    ),
    "cy": (
        "Genir pawb yn rhydd ac yn gydradd â'i gilydd mewn urddas a hawliau. Fe'u cynysgaeddir â rheswm "
        "a chydwybod, a dylai pawb ymddwyn y naill at y llall mewn ysbryd cymodlon."
    ),
    "is": (
        "Hver maður er borinn frjáls og jafn öðrum að virðingu og réttindum. Menn eru gæddir vitsmunum "
        "og samvisku, og ber þeim að breyta bróðurlega hverjum við annan."
    ),
    "lt": (
        "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis. Jiems suteiktas protas ir sąžinė ir "
        "jie turi elgtis vienas kito atžvilgiu kaip broliai."
    ),
    "et": (
        "Kõik inimesed sünnivad vabadena ja võrdsetena oma väärikuselt ja õigustelt. Neile on antud "
        "mõistus ja südametunnistus ja nende suhtumist üksteisesse peab kandma vendluse vaim."
    ),
}

CLOSE = [
    ("da", "nb"), ("da", "sv"), ("nb", "sv"), ("cs", "sk"), ("hr", "sr-Latn"), ("hr", "sl"), ("id", "ms"), ("pt", "gl"),
    ("uk", "ru"), ("ru", "bg"), ("bg", "sr"),
]  # fmt: skip


@pytest.mark.parametrize("language", TEXTS)
def test_a_text_is_in_the_language_it_is_in(language: str) -> None:
    # Given / When / Then
    assert other_language(TEXTS[language], language) is None


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("pt-BR", "pt"), ("PT-br", "pt"), ("en-GB", "en"), ("es-419", "es"), ("zh-Hant", "zh"), ("zh-Hans-CN", "zh"), ("yue", "zh"),
        ("sr-Cyrl", "sr"), ("sr-Latn-RS", "sr-Latn"), ("sr", "sr-Latn"), ("no", "nb"), ("nn-NO", "nb"), ("bs", "hr"), ("iw", "he"),
        ("de-CH-1996", "de"), ("en-x-kids", "en"), ("hi-Deva", "hi"),
    ],
)  # fmt: skip
def test_tags_of_regions_scripts_and_old_names_are_understood(tag: str, language: str) -> None:
    # Given / When / Then
    assert other_language(TEXTS[language], tag) is None


@pytest.mark.parametrize("pair", CLOSE)
def test_close_languages_are_not_told_apart(pair: tuple[str, str]) -> None:
    # Given / When / Then
    one, other = pair
    assert other_language(TEXTS[one], other) is None
    assert other_language(TEXTS[other], one) is None


@pytest.mark.parametrize(
    "asked", ["es", "de", "fr", "pt-BR", "it", "pl", "fi", "tr", "id", "hi", "ar", "zh", "ja", "ru", "th"]
)
def test_english_instead_of_the_language_asked_for_is_noticed(asked: str) -> None:
    # Given / When / Then
    assert other_language(TEXTS["en"], asked) == "en"


@pytest.mark.parametrize(
    ("asked", "written", "found"),
    [
        ("en", "es", "es"), ("en", "de", "de"), ("en", "fr", "fr"), ("en", "hi", "hi"), ("en", "ru", "ru"), ("en", "ar", "ar"),
        ("en", "fa", "fa"), ("en", "zh", "zh"), ("en", "ja", "ja"), ("en", "ko", "ko"), ("en", "th", "th"), ("en", "ta", "ta"),
        ("en", "el", "el"), ("en", "he", "und-Hebr"), ("en", "vi", "vi"), ("en", "id", "id"), ("es", "pt", "pt"), ("es", "it", "it"),
        ("fr", "it", "it"), ("de", "nl", "nl"), ("hi", "ta", "ta"), ("zh", "ja", "ja"), ("ja", "zh", "zh"), ("ko", "zh", "zh"),
        ("sr-Latn", "sr", "sr"), ("sr-Cyrl", "sr-Latn", "hr"), ("hi-Latn", "hi", "hi"), ("ru", "hr", "hr"),
    ],
)  # fmt: skip
def test_another_language_is_named(asked: str, written: str, found: str) -> None:
    # Given / When / Then
    assert other_language(TEXTS[written], asked) == found


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("", "es"),
        ("The cat is on the bed.", "es"),
        ("H2O, CO2, 3.14 = π!", "hi"),
        (TEXTS["en"], "zu"),
        (TEXTS["hi"], "xx"),
        (TEXTS["en"], "x-klingon"),
        (TEXTS["hi"] + " " + TEXTS["en"], "hi"),
        ("Photosynthesis transforms electromagnetic radiation.", "en"),
    ],
)
def test_without_a_clear_case_there_is_no_verdict(text: str, asked: str) -> None:
    # Given too little text, a language nobody knows here, or a mixture
    # When / Then
    assert other_language(text, asked) is None


def test_a_script_of_unknown_language_is_named_by_its_script() -> None:
    # Given a text in a script of several languages, with none of their common words
    # When / Then
    assert other_language("кккк тттт пппп рррр сссс лллл", "en") == "und-Cyrl"


def test_a_tag_has_a_language() -> None:
    # Given / When / Then
    assert [primary(tag) for tag in ("en", "pt-BR", "SR-Latn")] == ["en", "pt", "sr"]
