-- Odd access: what the watch over the log has seen, its alerts, and who looked into them. Applied
-- once, never edited after release.
--
-- Nothing here is in the clear: people are keyed pseudonyms, and family names and postcodes are
-- keyed hashes.

create table watch (
    -- immutable: there is one watch, whichever of several gateways keeps it
    id integer primary key check (id = 1),
    -- mutable, only upwards: the first entry of the log that was not looked at
    seq integer not null check (seq >= 0),
    -- immutable: since when it is known who sends what to whom
    began_at integer
) strict;

-- What happened before there was a watch is not judged.
insert into watch (id, seq, began_at)
    select 1, h.size, (select min(r.accepted_at) from records r) from audit_head h where h.id = 1;

create table watched_looks (
    -- immutable: the entry of the log
    seq integer primary key check (seq >= 0),
    at_us integer not null,
    -- immutable: whose person or system looked, and who: a pseudonym, or `local`
    organisation text not null,
    person text,
    -- immutable: at whose record, when it was one
    subject blob check (subject is null or length(subject) = 32),
    -- immutable: how many lines of a list
    listed integer not null check (listed >= 0)
) strict;
-- Rows are taken away once they are older than any rule looks back: the log has them all.

-- Looked up by whoever looked, and by time.
create index watched_looks_person on watched_looks (organisation, person, at_us);
create index watched_looks_organisation on watched_looks (organisation, at_us);
create index watched_looks_time on watched_looks (at_us);

create table watched_ways (
    -- immutable: from whom to whom which type of message went
    sender text not null,
    recipient text not null,
    kind text not null,
    -- mutable, only upwards: when it did last
    last_at integer not null,
    primary key (sender, recipient, kind)
) strict;

insert into watched_ways (sender, recipient, kind, last_at)
    select r.sender, d.recipient, r.kind, max(r.accepted_at)
    from records r join deliveries d on d.record_id = r.id
    group by r.sender, d.recipient, r.kind;

create table subject_marks (
    -- immutable: the person's pseudonym
    subject blob not null check (length(subject) = 32),
    -- immutable: a keyed hash of a family name or of a postcode that a record gave
    kind text not null check (kind in ('surname', 'postcode')),
    mark blob not null check (length(mark) = 32),
    primary key (subject, kind, mark)
) strict;

create table staff_marks (
    -- immutable: an organisation's person, as a keyed pseudonym of that organisation
    organisation text not null,
    person text not null,
    -- immutable: a keyed hash of a family name or of a postcode
    kind text not null check (kind in ('surname', 'postcode')),
    mark blob not null check (length(mark) = 32),
    primary key (organisation, person, kind, mark)
) strict;
-- A new list takes the place of the organisation's old one: leavers are forgotten.

create index staff_marks_shared on staff_marks (organisation, kind, mark);

create table samples (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: the civil days drawn from, and the organisation, empty for all
    from_on text not null check (length(from_on) = 10),
    until_on text not null check (length(until_on) = 10),
    organisation text not null,
    -- immutable: how many were wanted, and out of how many
    wanted integer not null check (wanted > 0),
    population integer not null check (population >= 0),
    -- immutable: the size of the checkpoint that the draw began from
    size integer not null check (size > 0),
    drawn_at integer not null,
    unique (from_on, until_on, organisation)
) strict;

create table alerts (
    -- immutable: the reference that people quote
    id blob primary key check (length(id) = 16),
    -- immutable
    rule text not null,
    rules_version text not null,
    severity text not null check (severity in ('low', 'medium', 'high')),
    -- immutable: who looks into it
    reviewers text not null check (reviewers in ('information-governance', 'own-organisation')),
    -- immutable: by when it should have been looked into
    review_by integer not null,
    -- immutable: whose person or system it was, `gateway` at the machine's own prompt
    organisation text not null,
    -- immutable: to whom something went, where that is what is odd
    counterparty text,
    -- immutable: what more of the same has in common with it
    likeness blob not null check (length(likeness) = 32),
    -- immutable: the review of the emergency that it is about
    review_id blob check (review_id is null or length(review_id) = 16),
    -- immutable: the sample it was drawn in
    sample_id blob references samples (id),
    raised_at integer not null,
    -- mutable, only upwards, while it is open: the newest entry, and how many there are
    last_at integer not null,
    entries integer not null check (entries > 0),
    -- mutable: whether it was passed on, and how it ended; once each
    escalated_at integer,
    outcome text check (outcome is null or outcome in ('justified', 'not-justified')),
    closed_at integer,
    check ((outcome is null) = (closed_at is null))
) strict;

create index alerts_open on alerts (raised_at, id) where outcome is null;
create index alerts_raised on alerts (raised_at, id);
create index alerts_likeness on alerts (rule, likeness, raised_at);
create unique index alerts_review on alerts (review_id) where review_id is not null;

create table alert_entries (
    -- immutable: the alert, and an entry of the log that it is about
    alert_id blob not null references alerts (id),
    seq integer not null,
    -- immutable: whose person or system it was; nobody is named for a system
    organisation text not null,
    person text,
    primary key (alert_id, seq)
) strict;

create table alert_decisions (
    -- immutable: what was decided of which alert, why, by whom, and when
    alert_id blob not null references alerts (id),
    at_us integer not null,
    outcome text not null check (outcome in ('justified', 'not-justified', 'escalated')),
    reason text not null,
    organisation text not null,
    person text not null,
    who text not null,
    -- immutable: how many entries it had then
    entries integer not null check (entries > 0),
    primary key (alert_id, outcome)
) strict;
