-- Large documents: uploaded apart from the message that names them. Applied once, never edited
-- after release. The sealed bytes themselves are not here: they are in the document store.

create table documents (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable: the organisation that uploads it
    owner text collate "C" not null,
    -- immutable: how many bytes it has, as declared
    size bigint not null check (size >= 1),
    -- immutable: the digest as declared, if one was
    declared_sha256 bytea check (declared_sha256 is null or length(declared_sha256) = 32),
    -- immutable: the wrapped key its segments are sealed under
    header bytea not null,
    -- immutable: when the upload began
    begun_at bigint not null,
    -- mutable, by each change of state; all of an upload may be in while it is still checked
    state text collate "C" not null check (state in (
        'uploading', 'ready', 'not-scanned', 'flagged', 'refused', 'abandoned')),
    -- mutable, with the state: the rule behind it
    reason text collate "C",
    -- mutable, bookkeeping: how many bytes have come in and are kept
    received bigint not null default 0 check (received between 0 and size),
    -- mutable, bookkeeping and with the state: when something last came in or changed
    touched_at bigint not null,
    -- mutable, once, when all of it has been read: the digest of its bytes
    sha256 bytea check (sha256 is null or length(sha256) = 32),
    -- mutable, once, when all of it has been read: what its content is
    media_type text collate "C",
    check (state in ('uploading', 'abandoned') or received = size),
    check (state not in ('ready', 'not-scanned', 'flagged') or (
        sha256 is not null and media_type is not null))
);

create index documents_state on documents (state, touched_at, id);
create index documents_owner on documents (owner, id);

create table held_messages (
    -- immutable: the quarantined message that waits for the scanner
    id bytea primary key references quarantine (id),
    -- immutable: how it is written
    format text collate "C" not null,
    -- mutable, once: when it was taken up again
    taken_at bigint
);

create index held_messages_waiting on held_messages (id) where taken_at is null;
