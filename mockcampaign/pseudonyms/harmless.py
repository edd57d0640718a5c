"""Which values of an event name no person: the allow-list.

A value stays only if the name of its field says that it is harmless, and it looks as such a value does. Everything else
is replaced.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

Kind = Literal["moment", "code", "device", "agent", "shared id", "count", "identity", "unknown"]
"""Kinds of fields, by what their names say about the values."""

NAME_LENGTH_MAX = 64
"""Longest name of a field or parameter. A longer one may be a value that was put in the wrong place."""

_SMALL = 1_000
"""Whole numbers nearer to 0 are codes and counts, unless the name is that of an id or of something personal."""

_COUNT_MAX = 10_000_000


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHARED_IDS = _words(
    """
    clientid mailingid mailingids userlistid userlistids listid listids recipientlistid recipientlistids campaignid
    smartcampaignid linkid templateid webhookid integrationid segmentid splitid nodeid
    """
)
"""Ids of what many people share: the vendor's customers, their lists, mailings and links."""

_CODES = _words(
    """
    type types status statuses category categories kind kinds channel channels format formats language languages
    locale country currency medium media encoding charset timezone mode phase
    """
)
"""Last words of names whose values are codes."""

_CODE_NAMES = _words(
    """
    event eventname action command countrycode languagecode currencycode statuscode errorcode bouncecode smtpcode
    replycode responsecode httpstatus apiversion schemaversion
    """
)
_DEVICE_NAMES = _words(
    """
    device devicetype devicecategory devicemodel devicevendor devicebrand operatingsystem operatingsystemversion os
    osversion osname osfamily platform browser browserversion browsername browserfamily client clienttype
    clientversion mailclient emailclient engine renderingengine
    """
)
_AGENT_NAMES = frozenset(("useragent", "agent"))
_COUNTS = _words(
    """
    count counts total size length bytes width height duration seconds milliseconds ms index position rank score
    rate ratio percent percentage quantity limit offset page attempt attempts retries retry version port priority
    step
    """
)
_IDENTITIES = _words(
    """
    id ids no nr number numbers key keys token tokens uuid guid code zip plz age pin phone phones sms mobile fax tel
    birth birthday birthdate dob born recipient recipients customer subscriber person latitude longitude lat lon lng
    """
)
"""Last words of names under which even a small number may say who somebody is."""

_BIRTH = _words(
    """
    birth birthday birthdate dob born geburtstag geburtsdatum anniversary age
    """
)

# Each group of digits alone could be a version.
_PHONE = re.compile(r"\+ ?\d|\d{2,}(?:[ ()/-]{1,3}\d{2,}){2,}|\d{3,}[ ()/-]{1,3}\d{5,}")
_MOMENT_NAME = re.compile(r"(?i:created|modified|time|date|moment)(?!.*[iI]d$)|[a-z]At$|_at$|^(?:at|ts)$")
_MOMENTS = range(978_307_200, 4_102_444_800)  # the years 2001 to 2100, in seconds since 1970
_CREATED = range(10**14)  # milliseconds up to the year 5138
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?")
_TIME_OF_DAY = re.compile(r"\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?")

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+:-]{0,31}")
_DIGITS_6 = re.compile(r"[0-9]{6}")
_SHARED_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_DEVICE = re.compile(r"[\w .,;:/()+_'\u2019-]{1,80}")
_AGENT = re.compile(r"[ -?A-~]{1,512}")  # printable ASCII without @
_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")
_LETTERS_OR_DIGITS = re.compile(r"[0-9]+|[^\W_0-9]+")
_NAME = re.compile(r"[\w.:$\[\]-]{1,64}")
_NAME_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


class _Description(NamedTuple):
    """The look of the values of a kind of fields, which consist of words and versions."""

    form: re.Pattern[str]
    digits_max: int
    """Most digits in a row that are a version or a code."""
    mixed_max: int
    """Most characters of a word of letters and digits that is a model or a code."""


_DESCRIPTIONS: Mapping[str, _Description] = {
    "code": _Description(_CODE, 3, 7),
    "device": _Description(_DEVICE, 5, 7),
    "agent": _Description(_AGENT, 8, 11),
}
"""Kinds of fields whose values are described; all others have none."""

PLAIN_WORDS = _words(
    """
    a about accepted again already an and api app archive archived article articles asp aspx at bad basket be been
    blocklist blog body bounce browser by campaign campaigns can cannot cart cat category checkout click clicks
    confirm confirmed confirmedoptin consumer contact could css de delivered detail details doubleoptin duplicate
    email en endpoint episerver error errors event events expired export failed faq filteredbyblocklist for found fr
    from gateway go had has have hello help home hook hooks htm html http https id image images imprint in inbound
    index info internal invalid is it item items its jpeg jpg js json landing later legal link links list login logo
    mail mailing mailings many method missing modified new news newsletter no not now of offer offers ok old open
    opens optimizely optin optout or order orders page pages password permanently php pixel please png preferences
    privacy processed product products received redirect register rejected request requests required rest retry sale
    search sent server service session shop singleoptin sms spamcomplaint spring stats store stored subscribe
    success summer svg tag terms test thank thanks the this timeout to token too track tracking type unauthorized
    unavailable unsubscribe upload user v v1 v2 v3 version view was web webhook webhooks welcome were winter with
    www xml yes
    """
)
"""Words that name no person, and stay in the paths of links and in a consumer's own sentences."""

KNOWN_WORDS = PLAIN_WORDS | _words(
    """
    abbestellt abgemeldet abmeldung abuse activated active africa america android angeklickt angemeldet anmeldung
    antarctica aol apple applewebkit application archiviert arctic arm ascii asia asus atlantic aud audio australia
    automatic avm aws bada batch bcc beschwerde beta bing black blackberry blink blocked bot bots bounced bouncehard
    bouncesoft brave brl build button cad cest cet charset chf chrome chromebook chromecast chromeos chromium city
    class clicked closed cny coi com common compatible complained complaint completed confirmedsubscription
    conversion cpu crawler create created crios cros csv czech czk danish darwin deactivated debian default deferred
    deleted deliver delivery desktop deutsch dev disabled dispatched dkk doi double draft dropped duckduckgo dutch
    edga edge edgios edition emailclick emailopen eng engagement engine englisch english enus epiphany etc eur
    europe explorer facebook fail fallback false fatal fax fbav fbl fedora feedbackloop filtered final fire firefox
    first firstopen fitbit flagged form forward forwarded free freebsd french froyo fxios galaxy gapple gbp gecko
    geckodriver gefiltert geklickt gelesen general generic geoeffnet german gesendet gesperrt geöffnet gif global
    gmail gmt gmx google googlebot googleimageproxy gsa gzip handheld hard hardbounce hardbounced harmony harmonyos
    hbo headless high honor hop hotmail hour htc huawei huf icab iceweasel imac impression inactive indian input inr
    intel internet ios ipad ipados iphone ipod iron iso italian jpy kaios kde khtml kindle klick konqueror krw
    laptop large latin lenovo letter level like linkclick linkclicked linux listunsubscribe live local localized
    loop lotus low lumia lynx mac macbook macintosh macos mailable mailbird mailbox major maker manual marked
    markedasspam marketing medium meego message messenger micromessenger microsoft midori minor mixed mobi mobile
    model moto motorola mozilla mpsa msie msoffice multipart mxn mymail mysql native navigator netfront netscape
    never nexus nintendo nok nokia none normal norwegian note notebook notes notification notified null nzd octet
    oculus office offline oneplus online openbsd opened opening opera operating oppo optedin optedout optional other
    out outbound outlook overdue pacific package palm panasonic partial paused pdf pending permanent permanentfail
    personal phone phones plain play playstation pln poco podcast polish portuguese presto preview print private pro
    processing promo promotion promotional proxy pseudo public publish push quest queue queued quota read ready
    realme redmi regular release relevant reminder removed report requested reset resubscribe resumed retried
    returned ron rss safari sailfish samsung samsungbrowser scheduled scheme screen seamonkey sec segment sek send
    sending series set sharp signup silk single site small smart smartphone smarttv smartwatch smtp soft softbounce
    softbounced softwareupdate soi solaris sony spam spamreport spanish sparrow speaker spider started state static
    status stopped stream studio sub subscribed subscriber subscription sunos suppressed surface survey swedish
    switch symbian system tab tablet tablets tcl tcp technical temporary text thunderbird tizen tls toshiba touch
    transactional transient trident trigger triggered true try turbo ubuntu ucbrowser udp ultra undeliverable
    undelivered undetermined unique unix unknown unread unspecified unsub unsubscribed unsubscription unzustellbar
    updated urgent url urlencoded usd utc utf validated value verified versandt versendet video viewed vista vivaldi
    vivo voice wap warning watch watchos wearable webde webkit weblink webmail webos webpush webview wechat weekly
    whatsapp wii win windows winnt workflow wow xbox xcode xhtml xiaomi xperia yahoo yandex zar zte zugestellt
    """
)
"""Words for events, devices, systems, browsers and categories, which stay under names of such."""

HEADERS = _words(
    """
    accept accept-charset accept-encoding accept-language accept-ranges age allow cache-control connection
    content-encoding content-language content-length content-security-policy content-type cross-origin-opener-policy
    cross-origin-resource-policy date expect expires keep-alive pragma ratelimit-limit ratelimit-remaining
    ratelimit-reset referrer-policy retry-after server strict-transport-security te trailer transfer-encoding
    upgrade user-agent vary x-content-type-options x-frame-options x-powered-by x-xss-protection
    """
)
"""Headers whose values say nothing about a person, in lower case."""


@functools.lru_cache(maxsize=4_096)
def kind_of(name: str) -> Kind:
    """Return what the name of a field says about its values."""
    if not name or len(name) > NAME_LENGTH_MAX:
        return "unknown"
    words = [word.lower() for word in _NAME_WORDS.findall(name)]
    whole, last = "".join(words), words[-1] if words else ""
    table: tuple[tuple[Kind, bool], ...] = (
        ("identity", not _BIRTH.isdisjoint(words)),
        ("shared id", whole in _SHARED_IDS),
        ("agent", whole in _AGENT_NAMES),
        ("device", whole in _DEVICE_NAMES),
        ("code", whole in _CODE_NAMES or last in _CODES),
        ("moment", bool(_MOMENT_NAME.search(name))),
        ("count", last in _COUNTS),
        ("identity", last in _IDENTITIES),
    )
    return next((kind for kind, holds in table if holds), "unknown")


def text_stays(name: str, text: str) -> bool:
    """Return whether a text under this name names no person as a whole."""
    if len(text) > 512:
        return False
    kind = kind_of(name)
    if kind in _DESCRIPTIONS:
        words = _LETTERS_AND_DIGITS.findall(text)
        return is_description(name, text) and all(word_stays(name, word) for word in words)
    if kind == "shared id":
        return bool(_SHARED_ID.fullmatch(text))
    return kind != "identity" and _is_moment_text(kind == "moment", text)


def is_description(name: str, text: str) -> bool:
    """Return whether a field with this name contains words that stay, if they are known (`word_stays`)."""
    described = _DESCRIPTIONS.get(kind_of(name))
    if described is None or len(text) > 512 or _PHONE.search(text):
        return False
    return bool(described.form.fullmatch(text))


def word_stays(name: str, word: str) -> bool:
    """Return whether a word of a description is a known one, or a code that is too short for a name."""
    described = _DESCRIPTIONS.get(kind_of(name))
    if described is None:
        return False
    parts = _LETTERS_OR_DIGITS.findall(word)
    if len(parts) > 1 and len(word) > described.mixed_max:
        return False
    return all(len(part) <= described.digits_max if part.isdecimal() else _is_known(part) for part in parts)


def _is_known(letters: str) -> bool:
    """Return whether letters are a known word, several in camel case, or an abbreviation of two letters."""
    if len(letters) <= 2:
        # Wu is a name, and de or DE a country.
        return letters.isascii() and (letters.islower() or letters.isupper())
    if letters.lower() in KNOWN_WORDS:
        return True
    words = _NAME_WORDS.findall(letters)
    return "".join(words) == letters and all(word.lower() in KNOWN_WORDS for word in words)


def _is_moment_text(named: bool, text: str) -> bool:
    if not text.isascii():
        return False
    if (iso := _ISO.fullmatch(text)) is not None:
        try:
            year = datetime.fromisoformat(text.replace(",", ".")).year
        except ValueError:
            return False
        # A day without a time of day may be somebody's birthday, unless the name says that it is not.
        return 2001 <= year <= 2100 and (named or iso[1] is not None)
    if not named:
        return False
    return bool(_TIME_OF_DAY.fullmatch(text)) or (text.isdigit() and len(text) < 16 and _is_moment(int(text)))


def number_stays(name: str, value: int | float) -> bool:
    """Return whether a number under this name names no person."""
    match kind_of(name):
        case "shared id":
            return isinstance(value, int)
        case "identity":
            return False
        case "moment":
            return (
                abs(value) in _SMALL_NUMBERS or _is_moment(int(value)) or (name == "created" and int(value) in _CREATED)
            )
        case "count":
            return abs(value) < _COUNT_MAX
        case "code" | "device" | "agent" | "unknown":
            return isinstance(value, int) and abs(value) in _SMALL_NUMBERS


def _is_moment(value: int) -> bool:
    return value in _MOMENTS or value // 1_000 in _MOMENTS


_SMALL_NUMBERS = range(_SMALL)


def name_stays(name: str) -> bool:
    """Return whether this is the name of a field or parameter, and no value in the place of one."""
    return bool(_NAME.fullmatch(name)) and not _DIGITS_6.search(name)


def is_plain(segment: str) -> bool:
    """Return whether a segment of a path consists of words that name no person."""
    return all(word in PLAIN_WORDS for word in re.split(r"[._-]", segment.lower()))
