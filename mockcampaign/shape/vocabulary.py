"""Vocabulary of events: names of fields and words for types in many conventions, in English and German.

Names are compared without case, accents and separators: `mailing_id`, `MailingID` and `mailing-id` are one name here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from mockcampaign.model import EventType
from mockcampaign.shape.field import Role
from mockcampaign.tables import complete

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
_WORDS_MAX = 40
"""Words of a name that are looked at. A longer text is no name."""
_TYPE_LENGTH_MAX = 60


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


EVENT_WORDS: Mapping[EventType, str] = complete(
    "words for each event type",
    EventType,
    {
        EventType.OPEN: """
            open opens opened opening view viewed read firstopen uniqueopen impression
            geoeffnet oeffnung oeffnen gelesen
        """,
        EventType.CLICK: "click clicks clicked clicking clickthrough linkclick linkclicked klick geklickt angeklickt",
        EventType.SENT: """
            sent send sends sending deliver delivers delivered delivery dispatch dispatched
            versand versandt versendet gesendet zugestellt zustellung
        """,
        EventType.BOUNCE: """
            bounce bounces bounced bouncing hardbounce hardbounced softbounce softbounced undelivered undeliverable
            failed permanentfail permanentfailure temporaryfail temporaryfailure deliveryfailed deliveryfailure
            notdelivered unzustellbar ruecklaeufer
        """,
        EventType.UNSUBSCRIBE: """
            unsubscribe unsubscribes unsubscribed unsubscription unsub optout optedout listunsubscribe groupunsubscribe
            abmeldung abgemeldet abbestellt abbestellung
        """,
        EventType.SPAMCOMPLAINT: """
            spamcomplaint spamcomplaints spamreport spam complaint complaints complained abuse abusereport markedasspam
            feedbackloop fbl beschwerde spambeschwerde
        """,
        EventType.SINGLEOPTIN: """
            singleoptin soi optin optedin subscribe subscribed subscription signup signedup anmeldung angemeldet
        """,
        EventType.CONFIRMEDOPTIN: "confirmedoptin coi optinconfirmed confirmedsubscription subscriptionconfirmed",
        EventType.DOUBLEOPTIN: "doubleoptin doi",
        EventType.BLOCKLIST: """
            blocklist blocklisted blacklist blacklisted denylist denylisted suppressed suppression sperrliste gesperrt
        """,
        EventType.ARCHIVE: "archive archives archived archiviert archivierung",
        EventType.FILTEREDBYBLOCKLIST: """
            filteredbyblocklist filteredbyblacklist filteredbydenylist blockedbyblocklist filtered filteredout gefiltert
        """,
    },
)
"""Words for each type. Of the words that a text contains, the longest counts: `bounce_hard` is a bounce."""

_EVENT_TYPES = {word: kind for kind, words in EVENT_WORDS.items() for word in words.split()}
_AROUND = re.compile(r"^(?:on|e?mail|message|msg|recipient|user|subscriber|event|evt)+|(?:event|evt)+$")
"""Words around a type in texts without separators, such as `emailopened`."""

ROLE_NAMES: Mapping[Role, Sequence[str]] = complete(
    "names of fields of each role",
    Role,
    {
        Role.TYPE: (
            "type event eventtype eventname eventkind typ ereignis ereignistyp ereignisart",
            "action activity activitytype kind verb aktion art notificationtype recordtype trigger hook",
            "status state",
        ),
        Role.RECIPIENT: (
            "recipientid recipient recipientkey subscriberkey contactkey recipientuuid empfaengerid empfaenger "
            "empfaengernummer rcpt rcptid rcptto",
            "subscriberid subscriber contactid contact kontaktid kontakt addresseeid receiverid",
            "userid user userkey useruuid personid person memberid profileid leadid uid",
            "whoid who kundennummer kundenid kundennr",
            "customerid customer customerno customernumber externalid externaluserid crmid to nutzerid benutzerid",
        ),
        Role.RECIPIENT_ADDRESS: (
            "recipientaddress recipientemail emailaddress email subscriberemail contactemail useremail mailaddress "
            "emailadresse mailadresse empfaengeradresse empfaengeremail toaddress toemail",
            "phone phonenumber mobile mobilephone msisdn pushtoken devicetoken fax faxnumber telefon telefonnummer",
        ),
        Role.MAIL: (
            "mailid messageid msgid mailuuid messageuuid mailkey messagekey sgmessageid emailmessageid",
            "emailid mid smtpid nachrichtid nachrichtenid deliveryid transmissionid trackingid dispatchid zustellid",
            "sendid sendingid message mail",
        ),
        Role.MAILING: (
            "mailingid mailing mailingkey mailinguuid mailingnummer aussendungid aussendungsid aussendung versandid",
            "campaignid campaign campaignkey campaignuuid emailcampaignid kampagnenid kampagneid kampagne newsletterid",
            "newsletter broadcastid blastid jobid issueid ausgabeid aktionsid cid",
            "sendid templateid",
        ),
        Role.RECIPIENT_LIST: (
            "userlistid recipientlistid recipientlist userlist listid listkey mailinglistid mailinglist contactlistid",
            "list audienceid audience empfaengerlisteid empfaengerlistenid empfaengerliste verteilerid verteiler",
            "adresslisteid adresslistenid segmentid groupid",
        ),
        Role.CLIENT: (
            "clientid mandantid mandantenid mandant tenantid tenant",
            "accountid organizationid organisationid orgid companyid workspaceid projectid kontoid firmaid",
            "client customerid",
        ),
        Role.SUBSCRIPTION: (
            "subscriptionid subscription subscriptionkey abonnementid aboid abonnement abo",
            "membershipid optinid anmeldungid anmeldeid",
        ),
        Role.LINK_ID: ("linkid linkkey linknumber linkno", "urlid clickedlinkid linkindex"),
        Role.MOMENT: (
            "occurredat occurred occurredon eventtime eventdate eventdatetime eventtimestamp eventat "
            "happenedat firedat",
            "created timestamp ts tstamp zeitstempel zeitpunkt ereigniszeit ereigniszeitpunkt",
            "createdat createdon createddate time datetime moment when at epoch zeit erstelltam",
            "date day datum",
        ),
        Role.LINK: (
            "link url href linkurl linkhref clickedurl clickedlink clickurl targeturl linktarget "
            "urlclicked originalurl",
            "target destination destinationurl redirecturl uri ziel zielurl zieladresse linkadresse",
        ),
        Role.NETWORK_ADDRESS: (
            "remoteaddress ip ipaddress remoteaddr remoteip clientip userip ipaddr ipadresse ipv4 ipv6 openip clickip",
            "address addr originip adresse",
        ),
        Role.DEVICE: ("device devicetype devicename geraet geraetetyp", "devicefamily deviceclass devicemodel"),
        Role.OPERATING_SYSTEM: (
            "operatingsystem os osname clientos betriebssystem",
            "osfamily operatingsystemname useragentos platform",
        ),
        Role.BROWSER: (
            "browser browsername clientname emailclient mailclient mailprogramm",
            "clientfamily browserfamily useragentfamily",
            "useragent ua agent useragentstring",
        ),
        Role.ENUMERATION: (
            "category bouncetype bouncecategory bounceclass bounceclassification bouncesubtype kategorie severity "
            "mediatype medium channel kanal optintype clienttype mimetype contenttype messagetype "
            "mailtype linktype status state",
        ),
        Role.TEXT: (
            "subject betreff reason grund description beschreibung text comment kommentar diagnostic "
            "diagnosticcode error "
            "response smtpresponse rulename name firstname lastname fullname vorname nachname title titel alias "
            "linkname linktext linkalias linktitle mailingname campaignname listname kampagnenname "
            "city country region "
            "msg body content label tag",
        ),
        Role.OTHER: (
            "count size bytes amount price total sum score duration version versionnumber port zip "
            "zipcode postcode plz "
            "postalcode year latitude longitude lat lon lng index position attempt attempts "
            "retrycount statuscode code "
            "smtpcode bouncecode currency language locale timezone from sender fromaddress senderaddress fromemail "
            "senderemail replyto absender absenderadresse returnpath envelopefrom mailfrom",
        ),
        Role.ID: ("id eventid uuid guid orderid",),
        Role.OTHER_MOMENT: (
            "sentat senton senttime senddate sendtime modified modifiedat updated updatedat changed "
            "changedat receivedat "
            "processedat exportedat expires expiresat validuntil birthdate birthday geburtsdatum "
            "geaendert versendetam "
            "subscribedat lastopened lastopen lastclick firstopen deliveredat versandzeit versanddatum",
        ),
    },
)
"""Names of fields by role, from certain to doubtful. A name may be in several lines: the surest counts first."""

AMOUNTS_AND_SENDERS = _words(*ROLE_NAMES[Role.OTHER])
"""Names of fields that stay as they are, although they may look like an id or like a recipient's address."""

MOMENT_NAMES = _words(*ROLE_NAMES[Role.MOMENT])
"""Names of the time of an event."""

SENDING_SIDE = _words("sending sender source server local mta outbound smtp relay host from proxy")
"""Words in the name of an address that is not the recipient's."""

ENTITIES = _words(
    "recipient user subscriber contact customer mailing campaign list message mail signature subscription template",
    "device client link empfaenger kunde kampagne",
)
"""Things whose own type or time is not the event's."""

MEDIA = _words("email mail sms mms fax push letter print phone mobile whatsapp webpush post brief")
"""Media by which people get messages (EMAIL, FAX, SMS, LETTER, PUSH and PRINT: vendor's API description)."""

MEDIA_OBJECTS = _words("media medium medien types addresses address adressen channels channel contacts")
"""Words in the name of an object with an address for each medium."""

ENVELOPES = _words("event data payload body record attributes properties details object msg eventdata")
"""Words in the name of an object around an event's own fields."""

ID_ENDINGS = _words("id ids uuid guid key token number no nr nummer hash ref reference sid")
"""Last words of the names of ids."""

NUMBER_ENDINGS = _words("key number no nr nummer ref reference uuid guid")
"""Last words of the names of ids, which may also be those of something else."""

TIME_WORDS = _words("at ts time timestamp date datetime epoch when zeit datum zeitpunkt zeitstempel")
"""Words in the names of times."""

NAME_SCORE, TIER, PART = 90, 10, 15
"""Score of a name in the first line of a role, what each further line costs, and what surplus words in front cost."""


class NamedLike(msgspec.Struct, frozen=True):
    """A role that a name suggests."""

    role: Role
    score: int


@lru_cache(maxsize=4_096)
def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a name in camel case, snake case or any other case, in small letters without accents."""
    plain = unicodedata.normalize("NFKD", text[:200].translate(_UMLAUTS))
    letters = "".join(one for one in plain if not unicodedata.combining(one))
    return tuple(word.lower() for word in _WORD.findall(letters)[:_WORDS_MAX])


def _scored(names: Mapping[Role, Sequence[str]]) -> dict[str, list[NamedLike]]:
    found: dict[str, list[NamedLike]] = {}
    for role, tiers in names.items():
        seen: set[str] = set()
        for index, tier in enumerate(tiers):
            for name in tier.split():
                if name not in seen:
                    found.setdefault(name, []).append(NamedLike(role, NAME_SCORE - TIER * index))
                    seen.add(name)
    return found


_SCORED = _scored(ROLE_NAMES)


@lru_cache(maxsize=4_096)
def named_like(path: tuple[str, ...]) -> tuple[NamedLike, ...]:
    """Return the roles that the name of a field suggests, the names of objects around it included.

    The longest known ending counts: `mailing_list_id` is a list's id, and `mailing: {id: …}` a mailing's.
    """
    leaf = words_of(path[-1])
    words = (*(word for name in path[:-1] for word in words_of(name)), *leaf)
    if not leaf:
        return ()
    endings = [words[start:] for start in range(len(words))]
    # A customer's number is its id.
    as_ids = [(*ending[:-1], "id") for ending in endings[:-1]] if leaf[-1] in NUMBER_ENDINGS else []
    for ending in (*endings, *as_ids):
        found = _SCORED.get("".join(ending))
        if found:
            surplus = len(ending) < len(leaf)
            return tuple(NamedLike(one.role, one.score - PART * surplus) for one in found)
    return ()


def is_named_id(name: str) -> bool:
    """Return whether the name is one of an id."""
    words = words_of(name)
    if not words:
        return False
    last = words[-1]
    # Without separators, such as `orderid`.
    return last in ID_ENDINGS or (len(words) == 1 and len(last) > 4 and last.endswith(("id", "uuid", "guid")))


def event_type_of(text: object) -> EventType | None:
    """Return the event type that a text says in any spelling, such as `email_click`, `OPENED` or `Hard bounce`."""
    return _event_type(text) if isinstance(text, str) and 0 < len(text) <= _TYPE_LENGTH_MAX else None


@lru_cache(maxsize=4_096)
def _event_type(text: str) -> EventType | None:
    words = words_of(text)
    runs = sorted(_runs(words), key=len, reverse=True)
    found = next((run for run in runs if run in _EVENT_TYPES), None)
    if found is None:
        found = _AROUND.sub("", "".join(words))
    return _EVENT_TYPES.get(found)


_TYPE_WORD = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?(?:[^\W\d_A-Z])+|[0-9]+")
_BESIDE_TYPES = _words(
    "a as event evt mail email message msg recipient user subscriber hard soft first unique permanent temporary",
    "list group marked on is was link track sms push webhook v",
)
"""Words that stand beside the type in its field, and name nobody."""


def without_unknown_words(text: str, substitute: str) -> str:
    """Return what a text says of an event's type, with another word in place of each that belongs to no type.

    `substitute` is a text in the same format, from which those are. If it is in another format, it is returned.
    """
    words = words_of(text)
    known = {word for word in words if word in _BESIDE_TYPES or _event_type(word) is not None}
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + 4) + 1):
            if "".join(words[start:end]) in _EVENT_TYPES:
                known.update(words[start:end])
    if known.issuperset(words) and words:
        return text
    if len(substitute) != len(text):
        return substitute
    for found in _TYPE_WORD.finditer(text):
        start, end = found.span()
        named = words_of(found[0])
        if named and known.issuperset(named):
            substitute = substitute[:start] + text[start:end] + substitute[end:]
    return substitute


def _runs(words: Sequence[str]) -> Iterator[str]:
    """Yield the texts that successive words make."""
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + 4) + 1):
            yield "".join(words[start:end])
