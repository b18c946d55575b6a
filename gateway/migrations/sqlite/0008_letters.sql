-- Cases, superseding and recall; reconciliation of each day with each partner. Applied once, never
-- edited after release. Records taken in before this version belong to no case.

-- immutable: the case, as a keyed pseudonym of the authority and its reference
alter table records add column case_id blob check (case_id is null or length(case_id) = 16);
-- immutable: the earlier record that this one takes the place of
alter table records add column supersedes blob check (supersedes is null or length(supersedes) = 16);
-- immutable: the record that this one, a recall, takes back
alter table records add column recalls blob check (recalls is null or length(recalls) = 16);
-- immutable, with `recalls`: the code of its reason
alter table records add column recall_reason text;

create index records_case on records (case_id, accepted_at, id) where case_id is not null;
create unique index records_supersedes on records (supersedes) where supersedes is not null;
create index records_recalls on records (recalls) where recalls is not null;
create index submissions_seq on submissions (audit_seq);
create index quarantine_submission on quarantine (submission_id);

create table reconciliations (
    -- immutable: the partner it is for
    partner text not null,
    -- immutable: the civil day on which it closes
    day text not null check (length(day) = 10),
    -- immutable: from 1; each computation anew is another
    version integer not null check (version >= 1),
    -- immutable: the entries of the log that it covers, the second not included
    from_entry integer not null check (from_entry >= 0),
    until_entry integer not null check (until_entry >= from_entry),
    -- immutable
    made_at integer not null,
    -- immutable: the signed statement
    statement blob not null,
    -- mutable, once: what the partner answered
    answer text check (answer is null or answer in ('agreed', 'differs')),
    -- mutable, with the answer
    answered_at integer,
    check ((answer is null) = (answered_at is null)),
    primary key (partner, day, version)
) strict;

create table differences (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: the statement it is about
    partner text not null,
    day text not null,
    version integer not null,
    -- immutable: the delivery, record or quarantined item
    item blob not null check (length(item) = 16),
    -- immutable: what the partner says
    code text not null check (code in (
        'not-received', 'unknown-to-us', 'state-differs', 'not-listed')),
    -- immutable
    raised_at integer not null,
    -- mutable, once: the code of the explanation
    explanation text,
    -- mutable, with the explanation: the person who gave it, as a keyed pseudonym
    explained_by text,
    -- mutable, with the explanation: that person's organisation
    explained_for text,
    -- mutable, with the explanation
    explained_at integer,
    check ((explanation is null) = (explained_at is null)),
    check ((explanation is null) = (explained_by is null)),
    check ((explanation is null) = (explained_for is null)),
    foreign key (partner, day, version) references reconciliations (partner, day, version)
) strict;

create index differences_open on differences (partner, raised_at, id) where explanation is null;
