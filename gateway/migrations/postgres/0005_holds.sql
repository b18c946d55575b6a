-- What waits for people, and who people are. Applied once, never edited after release.

alter table deliveries add column
    -- mutable, with the state: since when it has waited for a person; kept when it is held anew
    held_at bigint;
update deliveries set held_at = available_at where state = 'held';
create index deliveries_held on deliveries (held_at, id) where state = 'held';

alter table quarantine add column
    -- mutable, by each replay: how often its bytes went through the pipeline again
    replays bigint not null default 0;
alter table quarantine add column
    -- mutable, once: when a replay was accepted
    resolved_at bigint;
alter table quarantine add column
    -- mutable, once: the submission that a replay became
    resolved_as bytea check (resolved_as is null or length(resolved_as) = 16);

create table record_people (
    -- immutable: the record
    record_id bytea primary key references records (id),
    -- immutable: who acted for its sender, as a pseudonym that is the same in every organisation
    who text collate "C" not null
);

create table voters (
    -- immutable: the held delivery
    delivery_id bytea not null references deliveries (id),
    -- immutable: who voted, as a pseudonym that is the same in every organisation; votes once
    who text collate "C" not null,
    primary key (delivery_id, who)
);

create table hold_questions (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable: the held delivery
    delivery_id bytea not null references deliveries (id),
    -- immutable: who asks: organisation and person, a keyed pseudonym
    asked_by text collate "C" not null,
    asker text collate "C" not null,
    -- immutable: the organisation that is to answer
    asked_of text collate "C" not null,
    -- immutable: a code of the closed list
    question text collate "C" not null,
    -- immutable
    asked_at bigint not null,
    -- mutable, once: a code of the closed list, by whom, and when
    answer text collate "C",
    answerer text collate "C",
    answered_at bigint,
    check ((answer is null) = (answered_at is null) and (answer is null) = (answerer is null))
);

create index hold_questions_delivery on hold_questions (delivery_id, asked_at);
create index hold_questions_open on hold_questions (asked_of, asked_at) where answer is null;

create table reviews (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable: the delivery that one person released in an emergency
    delivery_id bytea not null references deliveries (id),
    -- immutable: whose person did: organisation, person, and the pseudonym in every organisation
    organisation text collate "C" not null,
    person text collate "C" not null,
    who text collate "C" not null,
    -- immutable: the ground claimed, and what the emergency was
    basis text collate "C" not null check (basis in ('safeguarding-override', 'vital-interests')),
    reason text collate "C" not null,
    -- immutable: the rule that had held it
    rule text collate "C" not null,
    -- immutable
    opened_at bigint not null,
    -- mutable, once: what the review found, by whom, and when
    outcome text collate "C" check (outcome is null or outcome in ('upheld', 'not-upheld')),
    finding text collate "C",
    reviewer text collate "C",
    reviewed_by text collate "C",
    closed_at bigint,
    check ((outcome is null) = (closed_at is null))
);

create index reviews_delivery on reviews (delivery_id, opened_at);
create index reviews_open on reviews (opened_at, id) where outcome is null;

create table cases (
    -- immutable: the authority whose reference it is
    owner text collate "C" not null,
    -- immutable: a keyed hash of the reference
    reference bytea not null check (length(reference) = 32),
    -- immutable: about whom it is
    subject bytea not null check (length(subject) = 32),
    -- immutable: HMAC of date of birth and family name
    demographics bytea not null check (length(demographics) = 32),
    -- immutable: the record that opened it
    record_id bytea not null references records (id),
    primary key (owner, reference)
);

create table identities (
    -- immutable: the record that said so
    record_id bytea not null references records (id),
    -- immutable: what was said
    kind text collate "C" not null check (kind in ('match', 'merge', 'death')),
    -- immutable: the pseudonym used before; for a death the same as the other
    old_subject bytea not null check (length(old_subject) = 32),
    -- immutable: the pseudonym used from then on
    subject bytea not null check (length(subject) = 32),
    -- immutable: HMAC of date of birth and family name as then known
    demographics bytea not null check (length(demographics) = 32),
    -- immutable: the date from which it holds
    effective_on text collate "C" not null check (length(effective_on) = 10),
    -- immutable
    recorded_by text collate "C" not null,
    recorded_at bigint not null,
    primary key (record_id, old_subject)
);

create index identities_old on identities (old_subject);
create index identities_new on identities (subject);
