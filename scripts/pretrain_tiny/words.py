"""Word lists for the pre-training stories: everyday English of grade-school problems.

`COMMON` is not used in stories: it only teaches the tokenizer whole words that a reader's own
questions are likely to hold.
"""


def _words(text: str) -> list[str]:
    return text.split()


SHE = _words(
    """
    Anna Maria Emma Olivia Ava Sophia Isabella Mia Charlotte Amelia Harper Evelyn Abigail Emily Ella
    Lily Grace Chloe Zoe Hannah Nora Lucy Alice Sarah Laura Julia Kate Rachel Megan Tina Linda Susan
    Karen Lisa Betty Helen Sandra Carol Ruth Sharon Michelle Jennifer Mary Patricia Elizabeth
    Barbara Jessica Nancy Margaret Priya Aisha Fatima Mei Yuki Carla Rosa Ingrid Wendy
    """
)
HE = _words(
    """
    James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew
    Anthony Mark Donald Steven Paul Andrew Joshua Kenneth Kevin Brian George Edward Henry Liam Noah
    Oliver Elijah Lucas Mason Logan Ethan Jacob Jack Luke Ryan Nathan Sam Tom Tim Ben Peter Carlos
    Diego Omar Ali Raj Ivan Hugo Oscar Leo Max Bobby Jim Frank Alex Adam Eric Gary
    """
)
SURNAMES = _words(
    """
    Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Lee Wilson Lopez
    Gonzalez Anderson Taylor Thomas Moore Jackson Martin Clark Lewis Walker Hall Young King Wright
    """
)
ROLES = _words(
    """
    teacher farmer baker chef driver nurse doctor painter coach librarian gardener student clerk
    carpenter tailor plumber writer builder waiter mechanic singer pilot sailor dentist
    """
)
KIN = _words(
    """
    brother sister cousin mother father mom dad uncle aunt friend neighbor grandmother grandfather
    son daughter partner classmate roommate
    """
)

# Countable things, as (singular, plural).
_THINGS = """
apple orange banana pear plum lemon carrot potato onion pepper egg cookie cupcake muffin bagel
pie cake candy/candies donut sandwich/sandwiches pizza taco burger pancake grape melon
tomato/tomatoes peach/peaches strawberry/strawberries cherry/cherries pen pencil crayon marker
book notebook folder eraser ruler card stamp sticker coin button bead shell rock marble ball
balloon kite puzzle toy doll robot block brick plate bowl cup mug spoon fork knife/knives
bottle jar can box/boxes bag basket shirt sock hat scarf/scarves glove shoe coat dress/dresses
belt ring necklace bracelet flower rose tulip orchid sunflower plant tree seed leaf/leaves
bird duck chicken cow goat horse sheep/sheep pig dog cat fish/fish rabbit frog bug
butterfly/butterflies ant bee car truck bike boat train plane ticket poster photo picture
letter email magazine newspaper game movie song chair table desk lamp candle pillow blanket
towel brush/brushes key phone battery/batteries nail screw tool rope ribbon spool medal
trophy/trophies token badge toy- car snack pretzel chip nut walnut olive bean pumpkin cracker
lollipop
"""
THINGS = [
    (w.split("/")[0], w.split("/")[1] if "/" in w else w + "s")
    for w in _THINGS.replace("toy-car", "wheel").split()
]
COLORS = _words(
    """
    red blue green yellow white black purple orange pink brown gray silver gold
    """
)
FLAVORS = _words(
    """
    vanilla chocolate lemon cherry mint plain sweet spicy salted large small
    """
)
GROUPS = _words(
    """
    student/students child/children kid/kids adult/adults player/players member/members guest/guests
    worker/workers visitor/visitors girl/girls boy/boys passenger/passengers fan/fans
    customer/customers soldier/soldiers tourist/tourists swimmer/swimmers dancer/dancers
    """
)
PLACES = _words(
    """
    school park library museum store market farm garden zoo factory bakery hotel hospital theater
    gym beach office restaurant camp stadium club warehouse shop village town kitchen yard
    """
)
HOLDERS = _words(
    """
    box/boxes bag/bags basket/baskets jar/jars crate/crates pack/packs shelf/shelves drawer/drawers
    bin/bins tray/trays carton/cartons bucket/buckets row/rows table/tables bundle/bundles
    package/packages case/cases stack/stacks container/containers bottle/bottles truck/trucks
    """
)
DAYS = _words(
    """
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday
    """
)
MONTHS = _words(
    """
    January February March April May June July August September October November December
    """
)
SUBJECTS = _words(
    """
    math science history art music English geography chemistry biology economics
    """
)
SPORTS = _words(
    """
    soccer tennis basketball volleyball baseball hockey swimming running chess golf
    """
)
# (verb phrase in the third person, past tense, base form, thing counted)
JOBS = [
    ("paints", "painted", "paint", "pictures"),
    ("reads", "read", "read", "pages"),
    ("writes", "wrote", "write", "letters"),
    ("bakes", "baked", "bake", "loaves"),
    ("plants", "planted", "plant", "trees"),
    ("washes", "washed", "wash", "cars"),
    ("packs", "packed", "pack", "boxes"),
    ("makes", "made", "make", "toys"),
    ("types", "typed", "type", "words"),
    ("solves", "solved", "solve", "puzzles"),
    ("picks", "picked", "pick", "berries"),
    ("builds", "built", "build", "chairs"),
    ("sews", "sewed", "sew", "shirts"),
    ("cleans", "cleaned", "clean", "rooms"),
    ("delivers", "delivered", "deliver", "packages"),
    ("fixes", "fixed", "fix", "bikes"),
    ("sells", "sold", "sell", "tickets"),
    ("answers", "answered", "answer", "calls"),
    ("peels", "peeled", "peel", "potatoes"),
    ("folds", "folded", "fold", "towels"),
]
MEASURES = _words(
    """
    liters gallons pounds ounces grams kilograms kg cups meters feet miles yards inches kilometers
    acres calories points pages minutes hours days weeks months years degrees
    """
)
NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
COMMON = _words(
    """
    a about above account accident across activity actually add added adding additional admit after
    afternoon again against age ago ahead air album all almost along already also altogether always
    am among amount amounts an and animal animals another answer any anyone apart apartment
    apartments apple are area around arrive as ask at ate attend autograph average away baby back
    bacon bake baked bananas band bank bar bath be beach bean beans because become bed beds been
    beetle before began begin behind being below between big bigger biggest bill bills birthday
    block bloom blocks blueberries board boil bond both bought bounce bowling boxes break breakfast
    bring brings broke broken brought brother budget build building buildings bulb bulbs bumper bus
    buses but buy buying buys by calculate called came can candle cannot capacity car care carry
    carton cat catch cause celebrate cent cents certain change charge charges cheaper check cheese
    children choir church city class classes clean climb close cloth clothes clothing club coach
    cold collect collected collecting collection college color colored colors combined come comes
    commission community company compare compared complete completed complex condo consist consume
    consumed contain contains contract cook cooking cool cost costs could country county couple
    coupon course court cover covers cream crew cross cut cutting daily dance dark day days deal
    decide decided decides decorate decrease deposit depth desk destroyed did die difference
    different dinner dirt discount distance divide divided do does doesn dog dollar dollars done
    door double down dozen dozens drank drawing drew drink drinks drive drives drop dropped drove
    during each ear earlier early earn earned earns easier east eat eaten eating eats eight either
    eleven else empty end ended ends enemy energy enough enter entire equal equally equivalent even
    evening event every everyone everything exactly except exchange exercise expensive expressed
    extra fabric face failed fair family far farther fast faster favorite fee feed feeding feet fell
    fence few fewer field fifth fill filled fills final finally find finds fine finish finished
    first fish fit five flat flew floor flour fly following food foot football for forest forgot
    found four fourth freezer fresh friends from front fruit fruits full fun fundraiser furniture
    gain gallon game garbage garden gas gathered gave get gets getting gift gifts girls give given
    gives giving glass glasses go goal goes going gone good got grade grandchildren grass great
    greater ground group groups grow grows guess had hair half hand hands happens has hat have
    having he head health heard heart heat heavy height held help helped helps her here herself hid
    hidden high higher hike hikes hill him himself hire hired his hold holds hole home homework
    honey hope hot hour hours house houses household how however hundred hunt hungry hurry ice
    identical if in inch include included includes including income increase increased increases
    infected inside instead insurance interest into invest invite invited is island it item items
    its itself job jog joined journey juice jump just keep keeps kept kids kilogram kilometers kind
    kinds knit know lake land large larger last lasts late later laundry lawn lay lead league learn
    least leave leaves leaving left legs lemonade length less let lets letters level library life
    lift light like likely likes limit line list liter little live lives load loan local long longer
    look looking lose losing loss lost lot lots loves low lower lunch machine machines made mail
    main majority make makes making male man many map march mass match math may meal meals mean
    means meat medium meet men met metal middle might mile milk million mine minimum minute miss
    missed missing mix mixture model money month monthly more morning most mother mountain mouse
    move moved movie mow mows much multiple muscle music must my name natural near nearest need
    needed needs nephew net never new next nice niece night nine no none noon normal normally north
    not notes nothing now number numbers occupied ocean of off offer office often oil old older
    oldest on once one ones only open opened or order ordered ordinary original originally other
    others otherwise ounce our out outside oven over overall own owner owns pack package packet
    packs page paid paint pair pairs paper paperback parents park parking part participate
    particular party pass passed past pay paying payment pays pen penny people per percent
    percentage perimeter person pet pick picked picnic piece pieces pile pint pitcher place placed
    places plan planning plans plant play played player playing plays please plus pocket points pond
    pool population portion possible pot pound pour preparing present presents price priced prices
    prize probably problem produce produces production profit program project property pull purchase
    purchased puppies puppy push put quarter quarters question questions quickly quite race rain
    raise raised ran ranch ranges rate ratio rather reach read reading ready receive received
    receives recipe record recover reduced refund regular remain remained remaining remains remove
    rent repair replace rest result results return returned rice rich ride rides riding right ring
    river road roll room rooms rose round rows run running runs sale salary sales same sand
    sandwiches sauce save saved saves saving savings saw say says scarf scene school score scored
    scores sea season seat seats second seconds section sell selling sells send sent serve served
    serves serving servings set seven several share shared shares sharing she shed sheet shelf ship
    shirts shoes shoot shop shopping short shorter shots should show shower side sign simple since
    sister sisters sit six size skip sleep sleeps slice sliced slices slide slow slower slowly small
    smaller snow so soda sold some someone something sometimes son soon sorted soup south space
    speed spend spending spends spent split spot spots spread square stack stand standing start
    started starting starts state stay stayed steps still stock stop stopped store stores story
    straight street strength string study sugar sum summer sun supplies supply support sure surface
    swim swims system take taken takes taking talk tall taller tank tape task tax taxes tea team
    teams tell ten test than that the their them then there therefore these they thing things think
    third thirds this those thousand three through throughout throws ticket tickets time times tip
    tips to today together told tomorrow too took top total totals tour toward towards town toys
    track trail train training travel traveled traveling travels treat tree trees trip trips truck
    try trying turn turns twelve twenty twice twins two type types under unit units unknown unless
    until up upon use used uses using usual usually vacation value van variety various vegetable
    vegetables very video village visit visited volume vote waist wait walk walked walking walks
    wall want wanted wants warm was wash washing waste watch watched watches water way wear week
    weekend weekends weekly weeks weigh weighs weight well went were west what when where which
    while white who whole why wide width wife wild will win wind window windows winter with within
    without woman women won wood word wore work worked workers working works worth would write
    writes writing wrote yard year yearly years yesterday yet you younger youngest your yourself
    zero tablespoon teaspoon diameter rectangular triangle circle juggler hatch insects grasshoppers
    grandmother hours-long seventh sixth eighth tenth ninth weekday weekdays Christmas Halloween
    Easter Thanksgiving dishes laundry gasoline mileage bookstore supermarket cafeteria classroom
    playground assignment semester tournament championship basketball scoreboard touchdown marathon
    subscription electricity monthly mortgage installment brokerage wholesale retail quantity
    inventory customer recycled collectible adventure treasure castle dragon wizard pirate rocket
    satellite comet planet
    """
)
