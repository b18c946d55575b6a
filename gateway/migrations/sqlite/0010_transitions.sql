-- The way to adulthood: which messages tell of whose. Applied once, never edited after release.
--
-- No date of birth and no birthday stands here: they are in the sealed facts. `looked_at_from`
-- says the school year somebody was born in, and no more.

create table transitions (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: the person's pseudonym
    subject blob not null unique check (length(subject) = 32),
    -- mutable, only to an earlier day: the first day on which the checklist is looked at; a
    -- 1 September, or the day a message said so
    looked_at_from text not null check (length(looked_at_from) = 10)
) strict;

create table transition_steps (
    -- immutable: the record that tells
    record_id blob primary key references records (id),
    -- immutable: of whom
    transition_id blob not null references transitions (id),
    -- sealed, bound to the record and its sender: the dates and names the checklist needs
    facts blob not null
) strict;

create index transition_steps_transition on transition_steps (transition_id);

create table transition_days (
    -- immutable: the civil day
    day text primary key check (length(day) = 10),
    -- mutable, by working it out again on the same day; numbers of nobody
    tracked integer not null check (tracked >= 0),
    with_gaps integer not null check (with_gaps >= 0),
    gaps integer not null check (gaps >= 0),
    overdue integer not null check (overdue >= 0),
    -- JSON: cases with gaps by the months before the 18th birthday they are within
    within_months text not null
) strict;
