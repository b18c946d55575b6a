-- The periods of the log, and the key of each one's look-up. Applied once, never edited after
-- release.
--
-- From here on the leaves name an alias for a person, made under the key of the entry's period;
-- `audit_entries.subject` and `looks.subject` hold the pseudonym itself: that is the look-up. It
-- dies with its key, by a commit that says so; a deleted key leaves its row.

create table log_periods (
    -- immutable: the year, in London; 0 for the entries from before this version
    period bigint primary key check (period >= 0),
    -- immutable: its first entry
    from_seq bigint not null unique check (from_seq >= 0),
    -- set once, when the next period begins: the entry after its last
    until_seq bigint check (until_seq is null or until_seq >= from_seq),
    -- the sealed key of its aliases; none for the entries from before, and none once destroyed
    key_sealed bytea,
    -- immutable: when it began
    begun_at bigint not null,
    -- set once: when its look-up was destroyed
    destroyed_at bigint,
    check (period = 0 or (key_sealed is null) = (destroyed_at is not null))
);

insert into log_periods (period, from_seq, begun_at)
select 0, 0, 0 from audit_head where id = 1 and size > 0;
