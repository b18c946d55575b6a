-- Clocks: both ways of counting, what was said of a leg, its history, the clocks of a case. Applied
-- once, never edited after release.

drop view leg_lines;
drop index legs_due;
drop index legs_state;
alter table legs rename to legs_before;

create table legs (
    -- immutable: the same as its delivery's
    id blob primary key references deliveries (id),
    -- immutable: the civil date from which regulation 8 counts
    received_on text not null check (length(received_on) = 10),
    -- immutable: the statutory date
    statutory_due text not null check (length(statutory_due) = 10),
    -- immutable: the same by the other way of counting, where it differs
    alternative_due text check (alternative_due is null or length(alternative_due) = 10),
    -- immutable: the date to work to
    operational_due text not null check (length(operational_due) = 10),
    -- immutable: the version of the rules the dates were computed with
    rule_version text not null,
    -- mutable, by an answer or a decision
    state text not null check (state in (
        'waiting', 'accepted', 'exception', 'partial', 'answered', 'sufficient', 'nil', 'rejected',
        'redirected', 'objection', 'withheld')),
    -- mutable, by an answer
    answered_on text check (answered_on is null or length(answered_on) = 10),
    -- mutable, by an exception
    expected_on text check (expected_on is null or length(expected_on) = 10),
    -- mutable, by an exception: its name in the rules
    exception text,
    -- mutable, by a part of the advice: the day it came
    part_on text check (part_on is null or length(part_on) = 10),
    -- mutable, by a part of the advice: when the rest is expected; excuses nothing
    remainder_on text check (remainder_on is null or length(remainder_on) = 10),
    -- mutable, by a forecast: when the advice is expected; excuses nothing
    forecast_on text check (forecast_on is null or length(forecast_on) = 10),
    -- mutable, by a forecast: the code of the reason
    late_reason text,
    -- mutable, once: the request that replaces this redirected leg
    replaced_by blob check (replaced_by is null or length(replaced_by) = 16)
) strict;

insert into legs (id, received_on, statutory_due, operational_due, rule_version, state, answered_on,
        expected_on)
    select id, received_on, statutory_due, operational_due, rule_version, state, answered_on,
        expected_on from legs_before;
drop table legs_before;

create index legs_due on legs (statutory_due, id);
create index legs_state on legs (state, statutory_due);

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
    leg_id blob not null references legs (id),
    -- immutable: from 1 for each leg, without gaps
    version integer not null check (version >= 1),
    -- immutable: from when the leg stood so
    at_us integer not null,
    -- immutable: how it stood; the columns are those of legs
    state text not null,
    received_on text not null,
    statutory_due text not null,
    answered_on text,
    expected_on text,
    exception text,
    part_on text,
    remainder_on text,
    forecast_on text,
    late_reason text,
    primary key (leg_id, version)
) strict;

create index leg_history_at on leg_history (at_us, leg_id);

create table leg_agreements (
    -- immutable: the leg whose advice exists already (regulation 6(4))
    leg_id blob not null references legs (id),
    -- immutable: who agrees
    party text not null check (party in ('authority', 'adviser', 'family')),
    -- immutable: the record that says so, and holds who agreed
    record_id blob not null references records (id),
    -- immutable: the organisation that recorded it
    recorded_by text not null,
    -- immutable: when the party agreed
    agreed_on text not null check (length(agreed_on) = 10),
    -- immutable: when it was recorded
    at_us integer not null,
    primary key (leg_id, party)
) strict;

create table leg_reminders (
    -- immutable: the leg that was reminded of
    leg_id blob not null references legs (id),
    -- immutable: the date that counted
    due_on text not null check (length(due_on) = 10),
    -- immutable: days from it; negative is before
    offset_days integer not null,
    -- immutable: the message to the service
    record_id blob not null references records (id),
    -- immutable: the copy to the authority
    copy_id blob not null references records (id),
    -- immutable
    at_us integer not null,
    primary key (leg_id, due_on, offset_days)
) strict;

create table case_clocks (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: the person's pseudonym
    subject blob not null check (length(subject) = 32),
    -- immutable: the clock's name in the rules
    period text not null,
    -- immutable: duty, window or target
    nature text not null check (nature in ('duty', 'window', 'target')),
    -- immutable: the version of the rules the dates were computed with
    rule_version text not null,
    -- immutable: the organisation that owes
    owner text not null,
    -- immutable: the message that started it, and that holds the case reference
    started_by blob not null references records (id),
    -- immutable: the civil date it counts from
    started_on text not null check (length(started_on) = 10),
    -- immutable: the statutory date
    due_on text not null check (length(due_on) = 10),
    -- immutable: the same by the other way of counting, where it differs
    alternative_on text check (alternative_on is null or length(alternative_on) = 10),
    -- immutable: the date to work to, as far as bank holidays are known
    work_to_on text check (work_to_on is null or length(work_to_on) = 10),
    -- immutable
    started_at integer not null,
    -- mutable, once: the day it was met
    met_on text check (met_on is null or length(met_on) = 10),
    -- mutable, with it: the message that met it; none when the owner said so
    met_by blob references records (id),
    -- mutable, once: the day from which nothing is owed any more
    ended_on text check (ended_on is null or length(ended_on) = 10),
    -- mutable, with it: why, by a message's type or `replaced`
    ended_because text,
    -- mutable, once: the exception that excuses lateness, by its name in the rules
    exception text,
    -- mutable, with it: the dates that show it, as JSON
    claim text,
    -- mutable, with it: the day it was recorded
    excused_on text check (excused_on is null or length(excused_on) = 10),
    unique (subject, period, owner, started_on)
) strict;

create index case_clocks_due on case_clocks (due_on, id);
create index case_clocks_started_by on case_clocks (started_by);

create table case_clock_sources (
    -- immutable
    clock_id blob not null references case_clocks (id),
    -- immutable: a message that started it; its parties see the clock, once it may reach them
    record_id blob not null references records (id),
    primary key (clock_id, record_id)
) strict;

create index case_clock_sources_record on case_clock_sources (record_id);

-- What is known of legs from before: asked when the request was accepted, answered on its day.
insert into leg_history (leg_id, version, at_us, state, received_on, statutory_due)
    select l.id, 1, r.accepted_at, case when l.state = 'withheld' then 'withheld' else 'waiting' end,
        l.received_on, l.statutory_due
    from legs l join deliveries d on d.id = l.id join records r on r.id = d.record_id;
insert into leg_history (leg_id, version, at_us, state, received_on, statutory_due, answered_on,
        expected_on)
    select l.id, 2, case when l.answered_on is null then r.accepted_at
            else max(r.accepted_at, cast(strftime('%s', l.answered_on) as integer) * 1000000) end, l.state, l.received_on, l.statutory_due, l.answered_on, l.expected_on
    from legs l join deliveries d on d.id = l.id join records r on r.id = d.record_id
    where l.state not in ('waiting', 'withheld');
