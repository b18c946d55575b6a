-- Backups that were made: how old the newest is.

create table backups (
    -- immutable
    id bytea primary key check (length(id) = 16),
    -- immutable
    made_at bigint not null,
    -- immutable: how many entries of the log it has
    log_size bigint not null check (log_size >= 0),
    -- immutable: of the file
    bytes bigint not null check (bytes > 0),
    -- immutable: of the file
    sha256 bytea not null check (length(sha256) = 32)
);

create index backups_made on backups (made_at);
