-- Retention: what was removed when its time was over, what may not be, and the certificates.
-- Applied once, never edited after release.
--
-- What is removed leaves its row: the sealed bytes, and with them the wrapped key, become nothing.

-- mutable, once, with `envelope` becoming empty
alter table records add column removed_at integer;
-- mutable, once, with `label` becoming empty
alter table records add column label_removed_at integer;
-- mutable, once, with `original` becoming empty
alter table submissions add column removed_at integer;
-- mutable, once, with `sealed` becoming empty
alter table quarantine add column removed_at integer;
-- mutable, once, with `header` becoming empty
alter table documents add column removed_at integer;
-- mutable, once, bookkeeping: when the segments of a removed document were taken away too
alter table documents add column cleared_at integer;
-- immutable: 1 where it is known which messages name it: uploaded since this version
alter table documents add column names_known integer not null default 0;
-- mutable, once, with `facts` becoming empty
alter table transition_steps add column removed_at integer;

create index records_kept on records (accepted_at, id) where removed_at is null;
create index records_label_kept on records (accepted_at, id) where label_removed_at is null;
create index submissions_kept on submissions (received_at, id) where removed_at is null;
create index quarantine_kept on quarantine (at_us, id) where removed_at is null;
create index documents_kept on documents (touched_at, id) where removed_at is null;

create table record_documents (
    -- immutable: the record
    record_id blob not null references records (id),
    -- immutable: a document that it names
    document_id blob not null references documents (id),
    primary key (record_id, document_id)
) strict;

create index record_documents_document on record_documents (document_id);

create table legal_holds (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable: what it is on
    scope text not null check (scope in ('person', 'case', 'everything')),
    -- immutable: the person, as a keyed pseudonym
    subject blob check (subject is null or length(subject) = 32),
    -- immutable: the case
    case_id blob check (case_id is null or length(case_id) = 16),
    -- immutable: why, a code of the closed list
    reason text not null,
    -- immutable: the reference of whoever ordered it; names nobody
    reference text not null,
    -- immutable: whose person placed it: organisation, person, and the pseudonym in every organisation
    placed_for text not null,
    placed_by text not null,
    placed_who text not null,
    -- immutable
    placed_at integer not null,
    -- mutable, once, and together: why it was lifted, by whose person, and when
    lifted_reason text,
    lifted_for text,
    lifted_by text,
    lifted_who text,
    lifted_at integer,
    check ((scope = 'person') = (subject is not null)),
    check ((scope = 'case') = (case_id is not null)),
    check ((lifted_at is null) = (lifted_who is null)),
    check (lifted_who is null or lifted_who <> placed_who)
) strict;

create index legal_holds_in_force on legal_holds (placed_at, id) where lifted_at is null;

create table removals (
    -- immutable: the entry of the log that says so
    entry integer primary key check (entry >= 0),
    -- immutable: what was removed
    what text not null check (what in (
        'record', 'original', 'quarantine', 'document', 'label', 'transition')),
    -- immutable: the record, submission, quarantined item or document
    item blob not null check (length(item) = 16),
    -- immutable: the class of the schedule
    class text not null,
    -- immutable: SHA-256 of the sealed bytes
    sha256 blob not null check (length(sha256) = 32),
    -- immutable: the version of the schedule
    rule_version text not null,
    -- immutable
    at_us integer not null,
    -- mutable, once: the certificate that lists it
    certificate blob check (certificate is null or length(certificate) = 16),
    unique (what, item)
) strict;

create index removals_uncertified on removals (entry) where certificate is null;
create index removals_at on removals (at_us, entry);

create table deletion_certificates (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable
    made_at integer not null,
    -- immutable: how many things it lists
    items integer not null check (items > 0),
    -- immutable: the signed certificate
    certificate text not null
) strict;

create index deletion_certificates_made on deletion_certificates (made_at, id);

-- How a record stands as far as its retention goes.
create view record_standing as
    select r.id,
        (select max(d.delivered_at) from deliveries d where d.record_id = r.id) as last_delivered,
        (select count(*) from deliveries d
            where d.record_id = r.id and d.state in ('queued', 'held', 'failed', 'unknown'))
            as waiting,
        (select count(*) from reviews v join deliveries d on d.id = v.delivery_id
            where d.record_id = r.id and v.outcome is null) as under_review,
        (select count(*) from records b join deliveries d on d.record_id = b.id
            where b.recalls = r.id and d.state in ('queued', 'held', 'failed', 'unknown'))
            as being_recalled,
        (select count(*) from deliveries d join legs l on l.id = d.id
            where d.record_id = r.id
                and l.state in ('waiting', 'accepted', 'exception', 'partial', 'objection'))
        + (select count(*) from legs l
            where l.id = r.about
                and l.state in ('waiting', 'accepted', 'exception', 'partial', 'objection'))
        + (select count(*) from records c
                join deliveries d on d.record_id = c.id join legs l on l.id = d.id
            where c.case_id = r.case_id
                and l.state in ('waiting', 'accepted', 'exception', 'partial', 'objection'))
        + (select count(*) from case_clocks k
            where k.started_by = r.id and k.nature = 'duty'
                and k.met_on is null and k.ended_on is null)
        + (select count(*) from records c join case_clocks k on k.started_by = c.id
            where c.case_id = r.case_id and k.nature = 'duty'
                and k.met_on is null and k.ended_on is null) as open_in_case
    from records r;
