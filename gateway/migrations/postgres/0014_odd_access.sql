-- Odd access: what the watch over the log has seen, its alerts, and who looked into them. Applied
-- once, never edited after release.
--
-- Nothing here is in the clear: people are keyed pseudonyms, and family names and postcodes are
-- keyed hashes.

create table watch (
    -- immutable: there is one watch, whichever of several gateways keeps it
    id bigint primary key check (id = 1),
    -- mutable, only upwards: the first entry of the log that was not looked at
    seq bigint not null check (seq >= 0),
    -- immutable: since when it is known who sends what to whom
    began_at bigint
);

-- What happened before there was a watch is not judged.
insert into watch (id, seq, began_at)
    select 1, h.size, (select min(r.accepted_at) from records r) from audit_head h where h.id = 1;

create table watched_looks (
    -- immutable: the entry of the log
    seq bigint primary key check (seq >= 0),
    at_us bigint not null,
    -- immutable: whose person or system looked, and who: a pseudonym, or `local`
    organisation text collate "C" not null,
    person text collate "C",
    -- immutable: at whose record, when it was one
    subject bytea check (subject is null or octet_length(subject) = 32),
    -- immutable: how many lines of a list
    listed bigint not null check (listed >= 0)
);
-- Rows are taken away once they are older than any rule looks back: the log has them all.

-- Looked up by whoever looked, and by time.
create index watched_looks_person on watched_looks (organisation, person, at_us);
create index watched_looks_organisation on watched_looks (organisation, at_us);
create index watched_looks_time on watched_looks (at_us);

create table watched_ways (
    -- immutable: from whom to whom which type of message went
    sender text collate "C" not null,
    recipient text collate "C" not null,
    kind text collate "C" not null,
    -- mutable, only upwards: when it did last
    last_at bigint not null,
    primary key (sender, recipient, kind)
);

insert into watched_ways (sender, recipient, kind, last_at)
    select r.sender, d.recipient, r.kind, max(r.accepted_at)
    from records r join deliveries d on d.record_id = r.id
    group by r.sender, d.recipient, r.kind;

create table subject_marks (
    -- immutable: the person's pseudonym
    subject bytea not null check (octet_length(subject) = 32),
    -- immutable: a keyed hash of a family name or of a postcode that a record gave
    kind text collate "C" not null check (kind in ('surname', 'postcode')),
    mark bytea not null check (octet_length(mark) = 32),
    primary key (subject, kind, mark)
);

create table staff_marks (
    -- immutable: an organisation's person, as a keyed pseudonym of that organisation
    organisation text collate "C" not null,
    person text collate "C" not null,
    -- immutable: a keyed hash of a family name or of a postcode
    kind text collate "C" not null check (kind in ('surname', 'postcode')),
    mark bytea not null check (octet_length(mark) = 32),
    primary key (organisation, person, kind, mark)
);
-- A new list takes the place of the organisation's old one: leavers are forgotten.

create index staff_marks_shared on staff_marks (organisation, kind, mark);

create table samples (
    -- immutable
    id bytea primary key check (octet_length(id) = 16),
    -- immutable: the civil days drawn from, and the organisation, empty for all
    from_on text collate "C" not null check (length(from_on) = 10),
    until_on text collate "C" not null check (length(until_on) = 10),
    organisation text collate "C" not null,
    -- immutable: how many were wanted, and out of how many
    wanted bigint not null check (wanted > 0),
    population bigint not null check (population >= 0),
    -- immutable: the size of the checkpoint that the draw began from
    size bigint not null check (size > 0),
    drawn_at bigint not null,
    unique (from_on, until_on, organisation)
);

create table alerts (
    -- immutable: the reference that people quote
    id bytea primary key check (octet_length(id) = 16),
    -- immutable
    rule text collate "C" not null,
    rules_version text not null,
    severity text not null check (severity in ('low', 'medium', 'high')),
    -- immutable: who looks into it
    reviewers text not null check (reviewers in ('information-governance', 'own-organisation')),
    -- immutable: by when it should have been looked into
    review_by bigint not null,
    -- immutable: whose person or system it was, `gateway` at the machine's own prompt
    organisation text collate "C" not null,
    -- immutable: to whom something went, where that is what is odd
    counterparty text,
    -- immutable: what more of the same has in common with it
    likeness bytea not null check (octet_length(likeness) = 32),
    -- immutable: the review of the emergency that it is about
    review_id bytea check (review_id is null or octet_length(review_id) = 16),
    -- immutable: the sample it was drawn in
    sample_id bytea references samples (id),
    raised_at bigint not null,
    -- mutable, only upwards, while it is open: the newest entry, and how many there are
    last_at bigint not null,
    entries bigint not null check (entries > 0),
    -- mutable: whether it was passed on, and how it ended; once each
    escalated_at bigint,
    outcome text collate "C" check (outcome is null or outcome in ('justified', 'not-justified')),
    closed_at bigint,
    check ((outcome is null) = (closed_at is null))
);

create index alerts_open on alerts (raised_at, id) where outcome is null;
create index alerts_raised on alerts (raised_at, id);
create index alerts_likeness on alerts (rule, likeness, raised_at);
create unique index alerts_review on alerts (review_id) where review_id is not null;

create table alert_entries (
    -- immutable: the alert, and an entry of the log that it is about
    alert_id bytea not null references alerts (id),
    seq bigint not null,
    -- immutable: whose person or system it was; nobody is named for a system
    organisation text collate "C" not null,
    person text collate "C",
    primary key (alert_id, seq)
);

create table alert_decisions (
    -- immutable: what was decided of which alert, why, by whom, and when
    alert_id bytea not null references alerts (id),
    at_us bigint not null,
    outcome text collate "C" not null check (outcome in ('justified', 'not-justified', 'escalated')),
    reason text not null,
    organisation text collate "C" not null,
    person text collate "C" not null,
    who text not null,
    -- immutable: how many entries it had then
    entries bigint not null check (entries > 0),
    primary key (alert_id, outcome)
);
