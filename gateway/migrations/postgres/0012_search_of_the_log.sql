-- Search of the log, and looks at lists. Applied once, never edited after release.
--
-- What an entry is searched by stands beside it, copied from the entry; `audit verify` compares
-- every copy with its entry. Entries from before this version are filled in here; one that cannot
-- be read (it was tampered with) keeps what is empty, and is named by the verification.

alter table audit_entries
    -- immutable, copied from the entry to find it by: what happened
    add column kind text collate "C" not null default '',
    -- immutable, copied: when it was committed
    add column at_us bigint not null default 0,
    -- immutable, copied: the organisation that acted, or `gateway`
    add column organisation text collate "C" not null default '',
    -- immutable, copied: the person who acted, as a keyed pseudonym
    add column person text collate "C",
    -- immutable, copied: the other organisation
    add column counterparty text collate "C",
    -- immutable, copied: the authority relied on, by its code
    add column authority text collate "C",
    -- immutable, copied: what was decided, or what came of it
    add column outcome text collate "C",
    -- immutable, copied: why, by its code
    add column reason text collate "C";

-- The JSON of an entry, or nothing where its bytes are none.
create function pg_temp.leaf_json(leaf bytea) returns jsonb language plpgsql as $$
begin
    return convert_from(leaf, 'UTF8')::jsonb;
exception when others then
    return null;
end $$;

update audit_entries e set
    kind = coalesce(j.leaf #>> '{event,kind}', ''),
    at_us = coalesce((j.leaf ->> 'at_us')::bigint, 0),
    organisation = coalesce(j.leaf #>> '{event,actor,organisation}', ''),
    person = j.leaf #>> '{event,actor,person}',
    counterparty = j.leaf #>> '{event,counterparty}',
    authority = j.leaf #>> '{event,decision,authority}',
    outcome = coalesce(j.leaf #>> '{event,decision,outcome}', j.leaf #>> '{event,detail,outcome}'),
    reason = j.leaf #>> '{event,detail,reason}'
from (select seq, pg_temp.leaf_json(leaf) as leaf from audit_entries) j
where j.seq = e.seq and j.leaf is not null;

drop function pg_temp.leaf_json(bytea);

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
    seq bigint not null check (seq >= 0),
    -- immutable: a person on that list, as a pseudonym
    subject bytea not null check (octet_length(subject) = 32),
    -- immutable: random, so that the hash in the entry tells nobody who it is of
    salt bytea not null check (octet_length(salt) = 16),
    primary key (seq, subject)
);

create index looks_subject on looks (subject, seq);
