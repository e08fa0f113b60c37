"""Words that students use for one another, so that any of them finds the same topics."""

_GROUPS = """
    colour color coloured colored
    metre meter metres meters
    litre liter
    fibre fiber
    tyre tire tyres
    plane airplane aeroplane jet airliner
    mould mold mouldy moldy
    rubbish trash garbage litter junk waste
    sweets sweet candy candies lolly lollipop gummy toffee jelly
    spectacles glasses eyeglasses specs
    movie film cinema
    tap faucet
    fast quick quickly rapid speedy quicker faster fastest quickest
    begin start begun began started
    lorry truck lorries trucks
    stone rock pebble boulder
    soil dirt earthy mud muddy
    huge enormous gigantic giant massive
    tiny little teeny minuscule small smallest
    ill sick unwell poorly
    tummy belly stomach abdomen
    poo poop faeces feces
    wee pee urine urinate peeing
    phone mobile cellphone smartphone iphone telephone
    picture photo photograph image pic selfie
    doctor doc physician nurse hospital
    petrol gasoline
    lift elevator
    jumper sweater pullover hoodie
    trousers pants jeans
    torch flashlight lamp
    fridge refrigerator freezer
    cooker stove oven hob
    biscuit cookie
    crisps chips
    football soccer
    holiday vacation
    car automobile vehicle
    boat ship ferry yacht vessel canoe
    infant baby babies newborn
    puppy dog dogs doggy hound
    kitten cat kitty
    bunny rabbit
    pig piglet
    hot warm warmth
    cold chilly
    smell scent odour odor stink stinky smelly
    noise sound noisy
    bulb lightbulb
    shine glow gleam shiny
    wire cable cord
    injection jab vaccine vaccination vaccinated
    pill medicine medication
    germ microbe
    wifi wireless
    pc computer laptop
    website webpage homepage site
    email mail
    app application
    maths math mathematics
    sum addition add adding added
    minus subtract subtraction deduct
    multiply multiplication multiplied timesing timesed
    divide division divided dividing
    guess estimate roughly approximate approximately
    corner vertex vertices
    edge border rim
    bike bicycle bicycles
    freeze froze frozen freezing
    shake shook shaken shaking tremble tremor
    spin spun spinning rotate rotation rotating twirl whirl
    throw threw thrown toss tossed chuck
    push shove pushed
    pull tug drag dragged
    break broke broken snap
    melt melted molten
    burn burnt burned
    grow grew grown growth
    fly flew flown flight
    sink sank sunk
    swim swam swum
    breathe breath breathing
    blow blew blown
    eat ate eaten eating
    drink drank drunk
    bend bent bending
    stick stuck
    stop halt
    die died dead death dying
    born birth
    shadow shade
    mist fog foggy misty
    storm stormy
    ocean sea
    beach shore seaside coast
    river stream
    hill mountain mountains
    forest woods jungle rainforest
    tooth teeth
    foot feet
    goose geese
    mouse mice
    leaf leaves
    wolf wolves
    half halves
    scared afraid frightened fear
    pimple acne zit
    explode explosion blast exploded
    fizz fizzy bubbly sparkling
    clean cleaning
    wash washing
    fake false
    internet online
    teenager teen
    country nation
    money cash dollars dollar euros euro pounds rupees pesos cents pennies
    shop store supermarket
    price cost
    rich wealthy
    quarter fourth
"""
"""One group a line: British and American spellings, irregular forms that stemming does not join, children's words.
The first word stands for all of them, in the index and in questions alike."""


def synonyms() -> dict[str, str]:
    """Each word of a group with the word that stands for it."""
    groups = (line.split() for line in _GROUPS.strip().splitlines())
    return {word: group[0] for group in groups for word in group}
