"""Values of fields and their frequencies: one place for each number, with its source.

*Documented* means the vendor's guide with its one example. The vendor publishes no statistics, so all frequencies are
*assumed*, and a public report is named where it gave the number. The reports differ in years, countries and methods:
they make events plausible, not a forecast.
"""

from __future__ import annotations

from mockcampaign.policy import DAY, HOUR, MINUTE, SECOND

ID_RANGE = (100_000_000_000, 999_999_999_999)
"""Range of ids: twelve digits, as in the guide's example except for subscriptions. The range itself is assumed."""

SUBSCRIPTION_ID_RANGE = (1_000_000, 9_999_999)
"""Range of subscription ids: seven digits, as in the guide's example. The range itself is assumed."""

MAIL_ID_GROUPS = (8, 8, 6)
"""Lengths of the three groups of A-Z and 0-9 in the guide's example. The vendor's API description says that a mailId
identifies mailing, recipient and list. One group for each, in this order, is assumed."""

LISTS = 3
"""Number of recipient lists of a mailing. Assumed."""

Client = tuple[str, str, str]
"""Device, operating system and browser of one client. The spelling follows the guide (`desktop`, `Windows 10`,
`Firefox 64.1`): a name, a space, a version."""

IPHONE: Client = ("mobile", "iOS 17", "Safari 17.5")
IPAD: Client = ("tablet", "iPadOS 17", "Safari 17.5")
MAC_MAIL: Client = ("desktop", "macOS 14", "Apple Mail 16.0")
MAC_SAFARI: Client = ("desktop", "macOS 14", "Safari 17.5")
MAC_CHROME: Client = ("desktop", "macOS 14", "Chrome 126.0")
ANDROID_CHROME: Client = ("mobile", "Android 14", "Chrome 126.0")
ANDROID_OLD: Client = ("mobile", "Android 11", "Chrome 114.0")
SAMSUNG: Client = ("mobile", "Android 14", "Samsung Internet 25.0")
ANDROID_TABLET: Client = ("tablet", "Android 13", "Chrome 126.0")
WINDOWS_CHROME: Client = ("desktop", "Windows 10", "Chrome 126.0")
WINDOWS_EDGE: Client = ("desktop", "Windows 11", "Edge 126.0")
WINDOWS_FIREFOX: Client = ("desktop", "Windows 10", "Firefox 64.1")
WINDOWS_OUTLOOK: Client = ("desktop", "Windows 10", "Outlook 16.0")
WINDOWS_11_OUTLOOK: Client = ("desktop", "Windows 11", "Outlook 16.0")
WINDOWS_OLD: Client = ("desktop", "Windows 7", "Internet Explorer 11.0")
LINUX: Client = ("desktop", "Linux", "Firefox 128.0")

GOOGLE_PROXY: Client = ("desktop", "Windows XP", "Firefox 11.0")
"""Client that Gmail's image proxy pretends to be, whatever the person uses (its user agent names Windows NT 5.1 and an
old Firefox: blog.filippo.io, "How the new Gmail image proxy works", 2013). The click comes from the person's
browser."""

PRIVACY_PROXY: Client = ("unknown", "unknown", "Mozilla 5.0")
"""Client of Apple's proxy, which sends only "Mozilla/5.0" (rejoiner.com, "Email Client Market Share", 2023: no device,
system or browser). Campaign's spelling is assumed."""

SCANNER: Client = ("desktop", "Windows 10", "Chrome 126.0")
"""Client of security scanners, which pretend to be a common browser. Assumed."""

OWN, GOOGLE = "own", "google"
"""The two ways to fetch a mail's images when a person opens it: the person's own client, or Google's proxy."""

MAILBOXES: tuple[tuple[int, tuple[str, Client]], ...] = (
    # Apple's own clients, except behind the privacy proxy: 10.7 + 5.0 + 0.6 %
    (1880, (OWN, IPHONE)),
    (880, (OWN, MAC_MAIL)),
    (110, (OWN, IPAD)),
    # Gmail 30.4 %, two thirds of it on phones and tablets
    (2100, (GOOGLE, ANDROID_CHROME)),
    (200, (GOOGLE, ANDROID_OLD)),
    (1240, (GOOGLE, IPHONE)),
    (60, (GOOGLE, ANDROID_TABLET)),
    (40, (GOOGLE, IPAD)),
    (1210, (GOOGLE, WINDOWS_CHROME)),
    (150, (GOOGLE, WINDOWS_FIREFOX)),
    (300, (GOOGLE, MAC_CHROME)),
    (50, (GOOGLE, LINUX)),
    # Outlook 4.1 %
    (430, (OWN, WINDOWS_OUTLOOK)),
    (290, (OWN, WINDOWS_11_OUTLOOK)),
    # Yahoo and other web mail 2.5 %
    (180, (OWN, WINDOWS_CHROME)),
    (120, (OWN, WINDOWS_FIREFOX)),
    (140, (OWN, MAC_SAFARI)),
    # Google Android 2.0, Outlook.com 1.0, Samsung Mail 0.4, Windows Live Mail 0.1 %
    (350, (OWN, ANDROID_CHROME)),
    (180, (OWN, WINDOWS_EDGE)),
    (70, (OWN, SAMSUNG)),
    (20, (OWN, WINDOWS_OLD)),
)
"""Mail clients in ten-thousandths of the mailboxes that are not behind a privacy proxy, and who fetches the images.
From the opens that Litmus counted in December 2021 ("Email Client Market Share in December 2021"), without those of
Apple's proxy; within Gmail, 68 % on phones and tablets (Litmus, "Mobile Email Opens Hit 51%", 2014)."""

APPLE_MAILBOXES: tuple[tuple[int, Client], ...] = ((66, IPHONE), (30, MAC_SAFARI), (4, IPAD))
"""Clients with which people behind Apple's privacy proxy click, in hundredths: 10.7, 5.0, 0.6 % in the same report."""

SECOND_DEVICES: tuple[tuple[int, Client], ...] = (
    (45, IPHONE),
    (20, ANDROID_CHROME),
    (10, IPAD),
    (15, WINDOWS_CHROME),
    (10, MAC_SAFARI),
)
"""Clients with which people open a mail once more, in hundredths. Assumed: most often a phone."""

LINKS = ("/offer", "/news", "/account", "/imprint", "/unsubscribe")
LINK_URL = "https://www.example.com"
LINK_WEIGHTS = (45, 25, 15, 10, 5)
"""Links of a mail, and their clicks in a hundred. Assumed: the first link gets most clicks."""

# Addresses. Nothing is ever sent to them.

DOCUMENTATION_BLOCKS = (("192.0.2.0", 24), ("198.51.100.0", 24), ("203.0.113.0", 24))
"""Networks that belong to nobody (RFC 5737)."""

PROVIDER_BLOCKS = (("84.128.0.0", 10), ("91.0.0.0", 10), ("86.128.0.0", 10), ("73.0.0.0", 8), ("198.18.0.0", 15))
"""Networks that look like people at home and on phones: blocks of large access providers in Germany, the United Kingdom
and the United States, and the block reserved for benchmarks (RFC 2544). Assumed."""

PROVIDER_BLOCKS_6 = ("2001:db8", "2003:c7", "2003:e4", "2a02:8109", "2601:646", "2a00:23c5")
"""IPv6 networks of people: documentation (RFC 3849), then blocks of large access providers. Assumed."""

PRIVACY_PROXY_ADDRESSES = tuple(
    f"{block}.{host}" for block in ("172.224.226", "172.225.46", "104.28.30") for host in range(16, 24)
)
"""Addresses of Apple's proxies, a few of which fetch the images of very many mails. Assumed."""

GOOGLE_PROXY_ADDRESSES = tuple(
    f"{block}.{host}" for block in ("66.249.84", "66.249.93", "74.125.210") for host in range(32, 40)
)
"""Addresses of Gmail's proxy, in networks of Google. Assumed."""

SCANNER_ADDRESSES = tuple(f"{block}.{host}" for block in ("40.94.20", "64.235.150") for host in range(4, 8))
"""Addresses of security scanners, in networks of Microsoft and Barracuda. Assumed."""

DOCUMENTATION_SHARE = 0.05
IPV6_SHARE = 0.35
"""Shares of people's addresses in documentation networks and in IPv6. Assumed: Google sees IPv6 in about 40 % of
requests (google.com/intl/en/ipv6/statistics, 2024), and mail traffic is a little behind web traffic."""

# Times

MAILS_PER_SECOND = 250
"""Speed at which a mailing is sent. Assumed."""

SECOND_MAIL_DELAY = 700
"""Time between the two mails of a recipient who is in two lists, in milliseconds. Assumed."""

ZONES = ((65, 60), (10, 0), (8, 120), (10, -300), (3, -480), (4, 480))
"""Time zones: recipients in a hundred, and their offset from UTC in minutes. Assumed: the vendor's customers are mostly
in central Europe. Daylight saving time is ignored."""

ACTIVITY = (
    *(40, 20, 15, 15, 25, 50, 90, 120, 145, 160, 170, 165),
    *(155, 150, 145, 135, 130, 125, 115, 110, 105, 95, 70, 50),
)
"""Activity of people in each hour of their day, 100 on average. The shape is MailerMailer's (marketingcharts.com,
"US Email Open and Click Rates, by Hour Scheduled, in 2014": lowest between 1 and 3, highest from 10 to 11, then
falling slowly); the numbers are assumed."""

OPEN_DELAYS = (
    *((0, 2 * SECOND), (20, 5 * MINUTE), (65, 15 * MINUTE), (125, 30 * MINUTE), (215, HOUR), (304, 2 * HOUR)),
    *((362, 3 * HOUR), (518, 6 * HOUR), (660, 12 * HOUR), (750, 18 * HOUR), (789, DAY), (860, 2 * DAY)),
    *((900, 3 * DAY), (950, 7 * DAY), (980, 14 * DAY), (1000, 30 * DAY)),
)
"""Delay from sending to a person's first open: thousandths of the people, and the time by which they have opened, for a
mailing that is sent at `OPEN_DELAYS_HOUR` of their day. Up to three hours: GetResponse (chimpmetrics.com, "Email opens
by hour": 21.5, 8.9 and 5.8 % in the first three); 6, 18 and 24 hours: MailerMailer (marketingcharts.com, 2013: 51.8,
about 75 and 78.9 %); a week and a month: Mailchimp ("Nearly One Third Of Opens Occur Within 1 Hour", 2006: 95 % within
a week, some after 30 days). The other knots are assumed."""

OPEN_DELAYS_HOUR = 10
"""Hour of the day to which `OPEN_DELAYS` apply. Assumed: most mailings of the reports were sent in the morning."""

REOPEN_DELAYS = (*((0, MINUTE), (250, 20 * MINUTE), (500, 4 * HOUR), (750, DAY), (900, 3 * DAY), (1000, 10 * DAY)),)
"""Delay from an open to the next one of the same person. Assumed."""

RELOAD_DELAYS = ((0, 200), (800, 3 * SECOND), (1000, 20 * SECOND))
"""Delay from an open until the same client fetches the images again. Assumed."""

CLICK_DELAYS = ((0, 2 * SECOND), (400, 15 * SECOND), (750, MINUTE), (930, 5 * MINUTE), (1000, HOUR))
"""Delay from an open to a click, and from one click to the next. Assumed."""

FORWARD_DELAYS = ((0, MINUTE), (300, 30 * MINUTE), (700, 6 * HOUR), (1000, 4 * DAY))
"""Delay from an open to the open of a person to whom the mail was forwarded. Assumed."""

PREFETCH_DELAYS = ((0, 20 * SECOND), (350, 3 * MINUTE), (650, 12 * MINUTE), (880, HOUR), (970, 6 * HOUR), (1000, DAY))
"""Delay from sending to the privacy proxy's fetch, day and night. Assumed: mostly minutes, sometimes hours."""

SCAN_DELAYS = ((0, 300), (600, 4 * SECOND), (950, 15 * SECOND), (1000, 90 * SECOND))
"""Delay from sending to the security scanner's visit (live-direct-marketing.online, "Bot clicks from security
scanners": within five seconds, when people never click). The curve is assumed."""

SCAN_STEP = 400
"""Maximum time between two clicks of a scanner, in milliseconds. Assumed."""

HARD_BOUNCE_DELAYS = ((0, SECOND), (800, 20 * SECOND), (1000, 10 * MINUTE))
"""Delay from sending to the final rejection. Assumed."""

SOFT_BOUNCE_DELAYS = ((0, 30 * SECOND), (300, 30 * MINUTE), (700, DAY), (1000, 5 * DAY))
"""Delay from sending to the last retry. RFC 5321, 4.5.4.1: retry every half hour or slower, for four to five days."""

AUTORESPONSE_DELAYS = ((0, 2 * SECOND), (800, MINUTE), (1000, 30 * MINUTE))
"""Delay from sending to the automatic response of an absent recipient's mailbox. Assumed: most are sent at once."""

UNSUBSCRIBE_DELAYS = ((0, 5 * SECOND), (700, MINUTE), (1000, 20 * MINUTE))
COMPLAINT_DELAYS = ((0, 3 * SECOND), (700, MINUTE), (1000, DAY))
"""Delays from a person's open to the unsubscription, and to the complaint. Assumed."""

BLOCKLIST_DELAY = 5 * SECOND
"""Delay from a complaint until the address is on the blocklist. Assumed, like the entry itself."""

PRIVACY_PROXY_SHARE = 0.41
"""Share of the opens outside a planned mailing that Apple's privacy proxy fetches (Litmus, December 2021: 41.0 %)."""

REPEAT_SHARE = 1 / 6
"""Share of the events outside a planned mailing that repeat an open or click of an earlier mail, from another address.
Assumed."""

FIRST_NAMES = ("anna", "ben", "clara", "david", "elif", "finn", "greta", "hugo", "ines", "jonas", "katja", "leon")
LAST_NAMES = (
    "meier",
    "schulz",
    "nowak",
    "rossi",
    "dubois",
    "jansen",
    "kaya",
    "larsen",
    "novak",
    "silva",
    "smith",
    "weber",
)
MAIL_DOMAINS = ("example.com", "example.org", "example.net")
"""Domains of recipients' e-mail addresses. The domains belong to nobody (RFC 2606)."""
