-- Search of the log, and looks at lists. Applied once, never edited after release.
--
-- What an entry is searched by stands beside it, copied from the entry; `audit verify` compares
-- every copy with its entry. Entries from before this version are filled in here; one that cannot
-- be read (it was tampered with) keeps what is empty, and is named by the verification.

alter table audit_entries add column
    -- immutable, copied from the entry to find it by: what happened
    kind text not null default '';
alter table audit_entries add column
    -- immutable, copied: when it was committed
    at_us integer not null default 0;
alter table audit_entries add column
    -- immutable, copied: the organisation that acted, or `gateway`
    organisation text not null default '';
alter table audit_entries add column
    -- immutable, copied: the person who acted, as a keyed pseudonym
    person text;
alter table audit_entries add column
    -- immutable, copied: the other organisation
    counterparty text;
alter table audit_entries add column
    -- immutable, copied: the authority relied on, by its code
    authority text;
alter table audit_entries add column
    -- immutable, copied: what was decided, or what came of it
    outcome text;
alter table audit_entries add column
    -- immutable, copied: why, by its code
    reason text;

update audit_entries set
    kind = coalesce(json_extract(cast(leaf as text), '$.event.kind'), ''),
    at_us = coalesce(json_extract(cast(leaf as text), '$.at_us'), 0),
    organisation = coalesce(json_extract(cast(leaf as text), '$.event.actor.organisation'), ''),
    person = json_extract(cast(leaf as text), '$.event.actor.person'),
    counterparty = json_extract(cast(leaf as text), '$.event.counterparty'),
    authority = json_extract(cast(leaf as text), '$.event.decision.authority'),
    outcome = coalesce(json_extract(cast(leaf as text), '$.event.decision.outcome'),
        json_extract(cast(leaf as text), '$.event.detail.outcome')),
    reason = json_extract(cast(leaf as text), '$.event.detail.reason')
where json_valid(cast(leaf as text));

create index audit_entries_kind on audit_entries (kind, seq);
create index audit_entries_organisation on audit_entries (organisation, seq);
create index audit_entries_person on audit_entries (person, seq) where person is not null;
create index audit_entries_counterparty on audit_entries (counterparty, seq)
    where counterparty is not null;
create index audit_entries_authority on audit_entries (authority, seq)
    where authority is not null;
create index audit_entries_outcome on audit_entries (outcome, seq) where outcome is not null;
create index audit_entries_reason on audit_entries (reason, seq) where reason is not null;

create table looks (
    -- immutable: the entry that says that somebody looked at a list
    seq integer not null check (seq >= 0),
    -- immutable: a person on that list, as a pseudonym
    subject blob not null check (length(subject) = 32),
    -- immutable: random, so that the hash in the entry tells nobody who it is of
    salt blob not null check (length(salt) = 16),
    primary key (seq, subject)
) strict;

create index looks_subject on looks (subject, seq);
