-- First light: everything one journey needs. Applied once, never edited after release.
--
-- Times are microseconds since 1970 UTC; dates are ISO 8601 text; identifiers are the 16 bytes of
-- a UUID; states and types are stored by name. Every column says whether it is immutable (written
-- once), mutable (may be updated, by which change) or sealed (encrypted, and immutable).

create table audit_head (
    -- immutable: there is one head
    id bigint primary key check (id = 1),
    -- mutable, by every commit: how many entries the log has
    size bigint not null check (size >= 0),
    -- mutable, by every commit: the roots of the complete subtrees that make up the log
    frontier bytea not null
);

insert into audit_head (id, size, frontier) values (1, 0, ''::bytea);

create table audit_entries (
    -- immutable: the place in the log, from 0
    seq bigint primary key check (seq >= 0),
    -- immutable: the canonical bytes of the entry
    leaf bytea not null,
    -- immutable: the hashes of the subtrees this entry completes
    nodes bytea not null,
    -- immutable, copied from the entry to find it by: the record
    record_id bytea check (record_id is null or length(record_id) = 16),
    -- immutable, copied from the entry to find it by: the delivery or leg
    delivery_id bytea check (delivery_id is null or length(delivery_id) = 16),
    -- immutable, copied from the entry to find it by: the person's pseudonym
    subject bytea check (subject is null or length(subject) = 32)
);

create index audit_entries_record on audit_entries (record_id) where record_id is not null;
create index audit_entries_delivery on audit_entries (delivery_id) where delivery_id is not null;
create index audit_entries_subject on audit_entries (subject) where subject is not null;

create table checkpoints (
    -- immutable: the size of the log it speaks of
    size bigint primary key check (size > 0),
    -- immutable: when it was signed
    at_us bigint not null,
    -- immutable: the signed note
    note text collate "C" not null
);

create table submissions (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable: the organisation that sent it
    sender text collate "C" not null,
    -- immutable: the idempotency key, unique for the sender
    idempotency_key text collate "C" not null,
    -- immutable: SHA-256 of the request, to tell a retry from a clash
    request_hash bytea not null check (length(request_hash) = 32),
    -- immutable: the HTTP status answered
    status bigint not null check (status between 100 and 599),
    -- immutable: the answer; holds no personal data
    answer bytea not null,
    -- immutable: the media type of the answer
    answer_type text collate "C" not null,
    -- sealed: the original bytes
    original bytea not null,
    -- immutable
    received_at bigint not null,
    -- immutable: the place in the log of the event that explains it
    audit_seq bigint not null check (audit_seq >= 0),
    constraint submissions_key unique (sender, idempotency_key)
);

create table records (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable: the submission it came in
    submission_id bytea not null references submissions (id),
    -- immutable: the type of message
    kind text collate "C" not null check (kind in (
        's23.notification', 'ehcna.considering', 'ehcna.decision', 'advice.request',
        'advice.accepted', 'advice.rejected', 'advice.redirected', 'advice.response',
        'advice.existing_sufficient', 'advice.nil', 'advice.exception',
        'advice.late_forecast', 'advice.chaser', 'advice.clarify', 'advice.amend',
        'plan.draft_health_review', 'plan.section_g_agreement', 'plan.draft', 'plan.final',
        'plan.not_issued', 'review.term_list', 'review.invite', 'review.advice',
        'review.report', 'review.decision', 'plan.amended', 'plan.ceased', 'plan.transfer',
        'rcb.change', 'consent.grant', 'consent.refuse', 'consent.withdraw',
        'consent.stale', 'consent.restriction', 'transition.notify_14',
        'transition.referral', 'transition.health_plan', 'careact58.request',
        'careact58.outcome', 'chc.checklist', 'chc.referral', 'chc.decision',
        'cyp_cc.referral', 'cyp_cc.decision', 'tribunal.notice', 'tribunal.recommendation',
        'tribunal.response', 'safeguarding.alert_link', 'ack.transport', 'ack.business',
        'error', 'recall', 'person.match', 'person.merge', 'person.death',
        'person.address_safe')),
    -- immutable: the organisation that sent it
    sender text collate "C" not null,
    -- immutable: the recipients the envelope is bound to, a JSON array of codes
    recipients text collate "C" not null,
    -- sealed: the record
    envelope bytea not null,
    -- immutable: SHA-256 of the sender and its own reference; refuses the same message twice
    identity bytea not null unique check (length(identity) = 32),
    -- immutable: keyed hash of the canonical message, tells a repeat from a clash
    fingerprint bytea not null check (length(fingerprint) = 32),
    -- immutable: the person's pseudonym
    subject bytea check (subject is null or length(subject) = 32),
    -- immutable: HMAC of date of birth and family name
    demographics bytea check (demographics is null or length(demographics) = 32),
    -- sealed: the case reference, for the board
    label bytea not null,
    -- immutable: the leg it answers
    about bytea check (about is null or length(about) = 16),
    -- immutable: the day from which the young person decides
    decisions_pass_on text collate "C" check (decisions_pass_on is null or length(decisions_pass_on) = 10),
    -- immutable
    accepted_at bigint not null
);

create index records_submission on records (submission_id);
create index records_about on records (about) where about is not null;

create table deliveries (
    -- immutable; for a request for advice also the leg's id
    id bytea primary key check (length(id) = 16),
    -- immutable: the record it carries
    record_id bytea not null references records (id),
    -- immutable, copied from the record: keeps the order of one person's deliveries
    subject bytea check (subject is null or length(subject) = 32),
    -- immutable: the place in the log of the event that made it; the order among its siblings
    audit_seq bigint not null check (audit_seq >= 0),
    -- immutable: the organisation that receives it
    recipient text collate "C" not null,
    -- immutable: the service within the recipient
    service text collate "C",
    -- immutable: how it travels
    carrier text collate "C" not null check (carrier in (
        'collect', 'https-push', 'fhir-message', 'mllp', 'mesh', 'drop-folder')),
    -- mutable, by settling, collecting, stopping, resuming and acknowledging
    state text collate "C" not null check (state in (
        'queued', 'held', 'delivered', 'accepted', 'rejected', 'withdrawn', 'failed', 'unknown')),
    -- mutable, with the state: the rule or reason behind it
    reason text collate "C",
    -- mutable, by each attempt
    attempts bigint not null default 0 check (attempts >= 0),
    -- mutable, by deferring and resuming: from when it may go
    available_at bigint not null,
    -- mutable, once: when it was first collected or pushed
    delivered_at bigint,
    -- mutable, by acknowledging
    acknowledged_at bigint,
    -- mutable, bookkeeping: who may attempt it now, and until when
    lease_token bytea check (lease_token is null or length(lease_token) = 16),
    lease_expires_at bigint,
    check ((lease_token is null) = (lease_expires_at is null)),
    check (state in ('queued') or lease_token is null),
    check (state not in ('delivered') or delivered_at is not null)
);

create index deliveries_record on deliveries (record_id);
create index deliveries_state on deliveries (state, carrier, available_at, id);
create index deliveries_inbox on deliveries (recipient, state, available_at, id);
create index deliveries_subject on deliveries (subject, state, recipient, audit_seq, id)
    where subject is not null;
create index deliveries_leased on deliveries (lease_expires_at) where lease_expires_at is not null;

create table legs (
    -- immutable: the same as its delivery's
    id bytea primary key references deliveries (id),
    -- immutable: the civil date from which regulation 8 counts
    received_on text collate "C" not null check (length(received_on) = 10),
    -- immutable: the statutory date
    statutory_due text collate "C" not null check (length(statutory_due) = 10),
    -- immutable: the date to work to
    operational_due text collate "C" not null check (length(operational_due) = 10),
    -- immutable: the version of the rules the dates were computed with
    rule_version text collate "C" not null,
    -- mutable, by an answer or a decision
    state text collate "C" not null check (state in (
        'waiting', 'accepted', 'exception', 'answered', 'nil', 'rejected', 'redirected',
        'withheld')),
    -- mutable, by an answer
    answered_on text collate "C" check (answered_on is null or length(answered_on) = 10),
    -- mutable, by an exception
    expected_on text collate "C" check (expected_on is null or length(expected_on) = 10)
);

create index legs_due on legs (statutory_due, id);
create index legs_state on legs (state, statutory_due);

create table quarantine (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable: the submission it came in
    submission_id bytea not null references submissions (id),
    -- immutable: the organisation that sent it
    sender text collate "C" not null,
    -- sealed: the row's own bytes
    sealed bytea not null,
    -- immutable: the issues as JSON; positions and rules, never values
    issues text collate "C" not null,
    -- immutable
    at_us bigint not null
);

create index quarantine_sender on quarantine (sender, id);

create table consents (
    -- immutable: the person's pseudonym
    subject bytea not null check (length(subject) = 32),
    -- immutable: from 1 for each person, without gaps
    version bigint not null check (version >= 1),
    -- immutable: the record that brought it
    record_id bytea not null references records (id),
    -- immutable: what was decided
    status text collate "C" not null check (status in (
        'given', 'refused', 'withdrawn', 'not-recorded', 'expired', 'stale', 'restricted', 'lifted')),
    -- immutable: what the decision covers
    kind text collate "C" not null check (kind in ('sharing', 'plan')),
    -- immutable: who decided
    given_by text collate "C" check (given_by is null or given_by in (
        'parent', 'competent-child', 'young-person', 'alternative-person', 'local-authority')),
    -- immutable
    decided_on text collate "C" check (decided_on is null or length(decided_on) = 10),
    -- immutable: the last day on which it holds
    expires_on text collate "C" check (expires_on is null or length(expires_on) = 10),
    -- immutable: a JSON array; none means all
    purposes text collate "C" not null,
    -- immutable: a JSON array of organisations that must not receive anything
    exclusions text collate "C" not null,
    -- immutable: a JSON array of the organisations it covers; none means all that need it
    recipients text collate "C" not null,
    -- immutable: a JSON array of the classes of data it covers; none means all that are needed
    classes text collate "C" not null,
    -- immutable: the restriction that begins or is lifted
    restriction text collate "C" check (restriction is null or restriction in (
        'protected-address', 'third-party', 'adoption', 'sealed', 'court-limits')),
    -- immutable: when competence or capacity was assessed
    assessed_on text collate "C" check (assessed_on is null or length(assessed_on) = 10),
    -- immutable: the organisation that recorded it
    recorded_by text collate "C" not null,
    -- immutable
    recorded_at bigint not null,
    primary key (subject, version)
);

create table overrides (
    -- immutable: the held delivery
    delivery_id bytea not null references deliveries (id),
    -- immutable: the person who voted, as a keyed pseudonym; votes once
    person text collate "C" not null,
    -- immutable: that person's organisation
    organisation text collate "C" not null,
    -- immutable
    at_us bigint not null,
    primary key (delivery_id, person)
);

create table trust_in_force (
    -- immutable: there is one
    id bigint primary key check (id = 1),
    -- mutable, when the trust files change: their fingerprint
    fingerprint text collate "C" not null
);

-- A delivery with what its record says of it.
create view delivery_lines as
    select d.id, d.record_id, r.kind, r.sender, d.recipient, d.service, d.carrier, d.state,
        d.attempts, d.available_at, d.delivered_at, d.reason, d.subject, d.audit_seq
    from deliveries d
    join records r on r.id = d.record_id;

-- A leg with who asks, who is asked, and how its asking fares.
create view leg_lines as
    select l.id, d.record_id, r.sender, d.recipient, d.service, l.received_on, l.statutory_due,
        l.operational_due, l.rule_version, l.state, l.answered_on, l.expected_on,
        d.state as delivery_state, r.label
    from legs l
    join deliveries d on d.id = l.id
    join records r on r.id = d.record_id;
