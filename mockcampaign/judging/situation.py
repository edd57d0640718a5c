"""The situations into which rules bring a consumer: one id for each, which `report.sentences` puts into words."""

from __future__ import annotations

from enum import StrEnum


class Situation(StrEnum):
    """An action on the consumer, such as a batch that was sent.

    The value is part of a finding's identity, and so never changes.
    """

    # Anywhere
    BATCH = "batch"
    """Ordinary events in one batch."""
    ORDINARY_BATCH = "ordinary-batch"
    """Ordinary events in one batch, as a control beside something else."""
    ORDINARY_AFTERWARDS = "ordinary-afterwards"

    # Acknowledgement
    FIRST_ATTEMPTS = "first-attempts"
    """The first attempt of each of several batches, whose retries are accepted."""
    FIRST_ATTEMPTS_STORED = "first-attempts-stored"
    """The first attempt of each of several batches, which are stored and whose retries are accepted."""
    SMALL_AFTER_FULL = "small-after-full"
    WITH_CREDENTIALS = "with-credentials"
    WITHOUT_CREDENTIALS = "without-credentials"
    UNREADABLE_TEXT = "unreadable-text"
    UNREADABLE_CUT_IN_EVENT = "unreadable-cut-in-event"
    UNREADABLE_NO_BRACKET = "unreadable-no-bracket"
    UNREADABLE_EMPTY = "unreadable-empty"
    UNREADABLE_CUT_EVENT = "unreadable-cut-event"

    # Batch
    BATCH_SIZES = "batch-sizes"
    LONG_EVENTS = "long-events"
    IDENTICAL_EVENTS = "identical-events"
    IDENTICAL_EVENTS_AMONG_OTHERS = "identical-events-among-others"
    CONCURRENT_BATCHES = "concurrent-batches"
    SHARED_ROWS = "shared-rows"
    """Batches that name the same mailings and recipients in opposite order, at the same moment."""
    MIXED_MAILINGS = "mixed-mailings"
    ALL_IDENTICAL = "all-identical"

    # Identity
    REPEAT_ENGAGEMENT = "repeat-engagement"
    SAME_MILLISECOND = "same-millisecond"
    ONE_RECIPIENT_MANY_MAILS = "one-recipient-many-mails"
    ONE_MAIL_SAME_MILLISECOND = "one-mail-same-millisecond"
    ORDINARY_CLICK = "ordinary-click"
    ORDINARY_OPEN_AND_CLICK = "ordinary-open-and-click"
    OPEN_AND_CLICK = "open-and-click"
    LATER_ENGAGEMENT = "later-engagement"
    LATER_ENGAGEMENTS = "later-engagements"
    LONG_RECIPIENT_ENGAGEMENTS = "long-recipient-engagements"
    CLICKS_ON_TWO_LINKS = "clicks-on-two-links"
    SIMILAR_RECIPIENTS = "similar-recipients"
    ONE_FIELD_DIFFERS = "one-field-differs"

    # Redelivery and overlap
    REDELIVERED = "redelivered"
    REDELIVERED_WITH_NEWER = "redelivered-with-newer"
    REDELIVERED_AFTER_TIMEOUT = "redelivered-after-timeout"
    REDELIVERED_AFTER_TRUNCATION = "redelivered-after-truncation"
    REGROUPED = "regrouped"
    OVERLAPPING = "overlapping"
    REDELIVERED_IDENTICAL = "redelivered-identical"
    REDELIVERED_EDGE_CASE = "redelivered-edge-case"
    REDELIVERED_EDGE_CASES = "redelivered-edge-cases"
    DELIVERED_CONCURRENTLY = "delivered-concurrently"
    REDELIVERED_AFTER_OTHERS = "redelivered-after-others"
    REDELIVERED_LATER = "redelivered-later"
    REDELIVERED_AT_END = "redelivered-at-end"
    RETRIED_WHILE_WORKING = "retried-while-working"
    RETRIED_AFTER_HANG_UP = "retried-after-hang-up"

    # Order
    OLDER_AFTER_NEWER = "older-after-newer"
    NEWEST_FIRST = "newest-first"
    CLICK_BEFORE_OPEN = "click-before-open"
    OPEN_AFTER_CLICK = "open-after-click"
    OUT_OF_ORDER = "out-of-order"
    OLD_EVENTS = "old-events"
    EVENT_OF_AGE = "event-of-age"

    AHEAD_OF_CLOCK = "ahead-of-clock"
    ORDINARY_HOUR = "ordinary-hour"
    """An old event at an hour at which no clock changes."""
    CLOCK_CHANGES = "clock-changes"

    # Random histories
    RANDOM_HISTORY = "random-history"

    # Durability
    RESTORED = "restored"
    RESTARTED = "restarted"
    REDELIVERED_AFTER_RESTART = "redelivered-after-restart"

    # Deploy drill
    AFTER_RESTART_COMMAND = "after-restart-command"
    AFTER_ROTATION = "after-rotation"
    OVER_DEPLOY = "over-deploy"
    """Everything that a deploy drill did."""

    # Payload
    EDGE_CASE = "edge-case"
    EDGE_CASES = "edge-cases"

    # Bad event
    GOOD_AROUND_EDGE_CASE = "good-around-edge-case"
    GOOD_AROUND_EDGE_CASES = "good-around-edge-cases"
    BAD_EVENT_AMONG_GOOD = "bad-event-among-good"
    UNSTORABLE_EVENT = "unstorable-event"
    """An event that lacks what nearly every consumer needs, or has something else in its place."""
    NOT_JSON = "not-json"
    NO_LIST = "no-list"

    # HTTP
    REQUEST_ON_ONE_CONNECTION = "request-on-one-connection"
    SEVERAL_ON_ONE_CONNECTION = "several-on-one-connection"
    NEW_CONNECTION = "new-connection"
    CHUNKED_BODY = "chunked-body"
    EXPECT_CONTINUE = "expect-continue"
    SPLIT_HEADERS = "split-headers"
    UPPER_CASE_HEADERS = "upper-case-headers"
    SLOW_BODY = "slow-body"
    CONTENT_TYPE = "content-type"
    METHOD = "method"
    QUICK_BATCH = "quick-batch"
    STALLED_BATCH = "stalled-batch"
    QUICK_BESIDE_STALLED = "quick-beside-stalled"
    STALLED_BESIDE_QUICK = "stalled-beside-quick"
    QUICK_AFTER_STALLED = "quick-after-stalled"
    OVERSIZED_BODY = "oversized-body"
    DEEPLY_NESTED_BODY = "deeply-nested-body"
    EVENT_AND_NUMBER = "event-and-number"
    EVENT_AND_LIST = "event-and-list"
    EVENT_AND_TEXT = "event-and-text"
    EVENT_AND_NULL = "event-and-null"
    TLS_HANDSHAKE = "tls-handshake"

    # Authentication
    CREDENTIALS = "credentials"
    VALID_AFTER_INVALID = "valid-after-invalid"
    TIMED_CREDENTIALS = "timed-credentials"

    # Resilience
    NUMBER_AMONG_GOOD = "number-among-good"
    EMPTY_EVENT_AMONG_GOOD = "empty-event-among-good"
    EDGE_CASE_AMONG_GOOD = "edge-case-among-good"
    CUT_EVENT_AMONG_GOOD = "cut-event-among-good"
    GOOD_EVENTS_REDELIVERED = "good-events-redelivered"
    ACCEPTED_ON_RETRY = "accepted-on-retry"
    REJECTED_BESIDE_ACCEPTED = "rejected-beside-accepted"
    ACCEPTED_BESIDE_REJECTED = "accepted-beside-rejected"
    CREATED_AS_TEXT = "created-as-text"
    MAIL_ID_ALONE = "mail-id-alone"
    NUMBER = "number"
    NULL = "null"
    LIST_OF_LISTS = "list-of-lists"
    CUT_BODY = "cut-body"
    ORDINARY_AFTER_CUT_BODIES = "ordinary-after-cut-bodies"
    TIMED_OUT_TWICE = "timed-out-twice"
    BAD_REQUESTS = "bad-requests"
    REQUEST_IN_A_ROW = "request-in-a-row"
    ANOTHER_FULL_BATCH = "another-full-batch"
    BACKLOG = "backlog"
    PART_OF_BACKLOG = "part-of-backlog"
