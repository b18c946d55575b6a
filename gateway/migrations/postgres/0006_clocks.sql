-- Clocks: both ways of counting, what was said of a leg, its history, the clocks of a case. Applied
-- once, never edited after release.

drop view leg_lines;
alter table legs drop constraint legs_state_check;
alter table legs add constraint legs_state_check check (state in (
        'waiting', 'accepted', 'exception', 'partial', 'answered', 'sufficient', 'nil', 'rejected',
        'redirected', 'objection', 'withheld'));
-- immutable: the same by the other way of counting, where it differs
alter table legs add column alternative_due text collate "C"
    check (alternative_due is null or length(alternative_due) = 10);
-- mutable, by an exception: its name in the rules
alter table legs add column exception text collate "C";
-- mutable, by a part of the advice: the day it came
alter table legs add column part_on text collate "C"
    check (part_on is null or length(part_on) = 10);
-- mutable, by a part of the advice: when the rest is expected; excuses nothing
alter table legs add column remainder_on text collate "C"
    check (remainder_on is null or length(remainder_on) = 10);
-- mutable, by a forecast: when the advice is expected; excuses nothing
alter table legs add column forecast_on text collate "C"
    check (forecast_on is null or length(forecast_on) = 10);
-- mutable, by a forecast: the code of the reason
alter table legs add column late_reason text collate "C";
-- mutable, once: the request that replaces this redirected leg
alter table legs add column replaced_by bytea
    check (replaced_by is null or length(replaced_by) = 16);

-- A leg with who asks, who is asked, and how its asking fares.
create view leg_lines as
    select l.id, d.record_id, r.sender, d.recipient, d.service, l.received_on, l.statutory_due,
        l.alternative_due, l.operational_due, l.rule_version, l.state, l.answered_on,
        l.expected_on, l.exception, l.part_on, l.remainder_on, l.forecast_on, l.late_reason,
        l.replaced_by, d.state as delivery_state, r.label
    from legs l
    join deliveries d on d.id = l.id
    join records r on r.id = d.record_id;

create table leg_history (
    -- immutable
    leg_id bytea not null references legs (id),
    -- immutable: from 1 for each leg, without gaps
    version bigint not null check (version >= 1),
    -- immutable: from when the leg stood so
    at_us bigint not null,
    -- immutable: how it stood; the columns are those of legs
    state text collate "C" not null,
    received_on text collate "C" not null,
    statutory_due text collate "C" not null,
    answered_on text collate "C",
    expected_on text collate "C",
    exception text collate "C",
    part_on text collate "C",
    remainder_on text collate "C",
    forecast_on text collate "C",
    late_reason text collate "C",
    primary key (leg_id, version)
);

create index leg_history_at on leg_history (at_us, leg_id);

create table leg_agreements (
    -- immutable: the leg whose advice exists already (regulation 6(4))
    leg_id bytea not null references legs (id),
    -- immutable: who agrees
    party text collate "C" not null check (party in ('authority', 'adviser', 'family')),
    -- immutable: the record that says so, and holds who agreed
    record_id bytea not null references records (id),
    -- immutable: the organisation that recorded it
    recorded_by text collate "C" not null,
    -- immutable: when the party agreed
    agreed_on text collate "C" not null check (length(agreed_on) = 10),
    -- immutable: when it was recorded
    at_us bigint not null,
    primary key (leg_id, party)
);

create table leg_reminders (
    -- immutable: the leg that was reminded of
    leg_id bytea not null references legs (id),
    -- immutable: the date that counted
    due_on text collate "C" not null check (length(due_on) = 10),
    -- immutable: days from it; negative is before
    offset_days bigint not null,
    -- immutable: the message to the service
    record_id bytea not null references records (id),
    -- immutable: the copy to the authority
    copy_id bytea not null references records (id),
    -- immutable
    at_us bigint not null,
    primary key (leg_id, due_on, offset_days)
);

create table case_clocks (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable: the person's pseudonym
    subject bytea not null check (length(subject) = 32),
    -- immutable: the clock's name in the rules
    period text collate "C" not null,
    -- immutable: duty, window or target
    nature text collate "C" not null check (nature in ('duty', 'window', 'target')),
    -- immutable: the version of the rules the dates were computed with
    rule_version text collate "C" not null,
    -- immutable: the organisation that owes
    owner text collate "C" not null,
    -- immutable: the message that started it, and that holds the case reference
    started_by bytea not null references records (id),
    -- immutable: the civil date it counts from
    started_on text collate "C" not null check (length(started_on) = 10),
    -- immutable: the statutory date
    due_on text collate "C" not null check (length(due_on) = 10),
    -- immutable: the same by the other way of counting, where it differs
    alternative_on text collate "C" check (alternative_on is null or length(alternative_on) = 10),
    -- immutable: the date to work to, as far as bank holidays are known
    work_to_on text collate "C" check (work_to_on is null or length(work_to_on) = 10),
    -- immutable
    started_at bigint not null,
    -- mutable, once: the day it was met
    met_on text collate "C" check (met_on is null or length(met_on) = 10),
    -- mutable, with it: the message that met it; none when the owner said so
    met_by bytea references records (id),
    -- mutable, once: the day from which nothing is owed any more
    ended_on text collate "C" check (ended_on is null or length(ended_on) = 10),
    -- mutable, with it: why, by a message's type or `replaced`
    ended_because text collate "C",
    -- mutable, once: the exception that excuses lateness, by its name in the rules
    exception text collate "C",
    -- mutable, with it: the dates that show it, as JSON
    claim text collate "C",
    -- mutable, with it: the day it was recorded
    excused_on text collate "C" check (excused_on is null or length(excused_on) = 10),
    unique (subject, period, owner, started_on)
);

create index case_clocks_due on case_clocks (due_on, id);
create index case_clocks_started_by on case_clocks (started_by);

create table case_clock_sources (
    -- immutable
    clock_id bytea not null references case_clocks (id),
    -- immutable: a message that started it; its parties see the clock, once it may reach them
    record_id bytea not null references records (id),
    primary key (clock_id, record_id)
);

create index case_clock_sources_record on case_clock_sources (record_id);

-- What is known of legs from before: asked when the request was accepted, answered on its day.
insert into leg_history (leg_id, version, at_us, state, received_on, statutory_due)
    select l.id, 1, r.accepted_at, case when l.state = 'withheld' then 'withheld' else 'waiting' end,
        l.received_on, l.statutory_due
    from legs l join deliveries d on d.id = l.id join records r on r.id = d.record_id;
insert into leg_history (leg_id, version, at_us, state, received_on, statutory_due, answered_on,
        expected_on)
    select l.id, 2, case when l.answered_on is null then r.accepted_at
            else greatest(r.accepted_at, cast(extract(epoch from cast(l.answered_on as date)) as bigint) * 1000000) end, l.state, l.received_on, l.statutory_due, l.answered_on, l.expected_on
    from legs l join deliveries d on d.id = l.id join records r on r.id = d.record_id
    where l.state not in ('waiting', 'withheld');
