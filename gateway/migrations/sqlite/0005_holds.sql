-- What waits for people, and who people are. Applied once, never edited after release.

alter table deliveries add column
    -- mutable, with the state: since when it has waited for a person; kept when it is held anew
    held_at integer;
update deliveries set held_at = available_at where state = 'held';
create index deliveries_held on deliveries (held_at, id) where state = 'held';

alter table quarantine add column
    -- mutable, by each replay: how often its bytes went through the pipeline again
    replays integer not null default 0;
alter table quarantine add column
    -- mutable, once: when a replay was accepted
    resolved_at integer;
alter table quarantine add column
    -- mutable, once: the submission that a replay became
    resolved_as blob check (resolved_as is null or length(resolved_as) = 16);

create table record_people (
    -- immutable: the record
    record_id blob primary key references records (id),
    -- immutable: who acted for its sender, as a pseudonym that is the same in every organisation
    who text not null
) strict;

create table voters (
    -- immutable: the held delivery
    delivery_id blob not null references deliveries (id),
    -- immutable: who voted, as a pseudonym that is the same in every organisation; votes once
    who text not null,
    primary key (delivery_id, who)
) strict;

create table hold_questions (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: the held delivery
    delivery_id blob not null references deliveries (id),
    -- immutable: who asks: organisation and person, a keyed pseudonym
    asked_by text not null,
    asker text not null,
    -- immutable: the organisation that is to answer
    asked_of text not null,
    -- immutable: a code of the closed list
    question text not null,
    -- immutable
    asked_at integer not null,
    -- mutable, once: a code of the closed list, by whom, and when
    answer text,
    answerer text,
    answered_at integer,
    check ((answer is null) = (answered_at is null) and (answer is null) = (answerer is null))
) strict;

create index hold_questions_delivery on hold_questions (delivery_id, asked_at);
create index hold_questions_open on hold_questions (asked_of, asked_at) where answer is null;

create table reviews (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: the delivery that one person released in an emergency
    delivery_id blob not null references deliveries (id),
    -- immutable: whose person did: organisation, person, and the pseudonym in every organisation
    organisation text not null,
    person text not null,
    who text not null,
    -- immutable: the ground claimed, and what the emergency was
    basis text not null check (basis in ('safeguarding-override', 'vital-interests')),
    reason text not null,
    -- immutable: the rule that had held it
    rule text not null,
    -- immutable
    opened_at integer not null,
    -- mutable, once: what the review found, by whom, and when
    outcome text check (outcome is null or outcome in ('upheld', 'not-upheld')),
    finding text,
    reviewer text,
    reviewed_by text,
    closed_at integer,
    check ((outcome is null) = (closed_at is null))
) strict;

create index reviews_delivery on reviews (delivery_id, opened_at);
create index reviews_open on reviews (opened_at, id) where outcome is null;

create table cases (
    -- immutable: the authority whose reference it is
    owner text not null,
    -- immutable: a keyed hash of the reference
    reference blob not null check (length(reference) = 32),
    -- immutable: about whom it is
    subject blob not null check (length(subject) = 32),
    -- immutable: HMAC of date of birth and family name
    demographics blob not null check (length(demographics) = 32),
    -- immutable: the record that opened it
    record_id blob not null references records (id),
    primary key (owner, reference)
) strict;

create table identities (
    -- immutable: the record that said so
    record_id blob not null references records (id),
    -- immutable: what was said
    kind text not null check (kind in ('match', 'merge', 'death')),
    -- immutable: the pseudonym used before; for a death the same as the other
    old_subject blob not null check (length(old_subject) = 32),
    -- immutable: the pseudonym used from then on
    subject blob not null check (length(subject) = 32),
    -- immutable: HMAC of date of birth and family name as then known
    demographics blob not null check (length(demographics) = 32),
    -- immutable: the date from which it holds
    effective_on text not null check (length(effective_on) = 10),
    -- immutable
    recorded_by text not null,
    recorded_at integer not null,
    primary key (record_id, old_subject)
) strict;

create index identities_old on identities (old_subject);
create index identities_new on identities (subject);
