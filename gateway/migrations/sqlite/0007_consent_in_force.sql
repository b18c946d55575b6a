-- Consent in force at once, at its time, and after a restore. Applied once, never edited after
-- release.

-- Who is sending about whom now. A withdrawal is not acknowledged while a row of its person stands
-- here that has not lapsed; whoever sends lets no byte go after its row has lapsed.
create table sends (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: the person's pseudonym
    subject blob not null check (length(subject) = 32),
    -- immutable, bookkeeping: when it lapses
    until integer not null
) strict;

create index sends_subject on sends (subject, until);

-- People about whom nothing may begin to go, because a withdrawal waits for what is still going.
create table restricting (
    -- immutable: the person's pseudonym
    subject blob primary key check (length(subject) = 32),
    -- mutable, bookkeeping: until when
    until integer not null
) strict;

-- Times at which this database was found to be older than what partners hold: a restored backup.
create table restores (
    -- immutable: from 1
    number integer primary key,
    -- immutable: how many entries the log had when it was found out
    own_size integer not null,
    -- mutable, until it is confirmed: how many entries the newest checkpoint covers that was shown
    lost_size integer not null,
    -- mutable, with it: when that checkpoint was signed
    lost_at integer not null,
    -- mutable, with it: who showed it
    shown_by text not null,
    -- immutable
    found_at integer not null,
    -- mutable, once: when an operator confirmed that the consent ledger has caught up
    confirmed_at integer,
    -- mutable, once: the operator's reason, a code
    reason text
) strict;

create index records_pass_on on records (decisions_pass_on, subject)
    where decisions_pass_on is not null;
create index consents_expiry on consents (expires_on, subject) where expires_on is not null;
