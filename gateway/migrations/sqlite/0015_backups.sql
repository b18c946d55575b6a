-- Backups that were made: how old the newest is.

create table backups (
    -- immutable
    id blob primary key check (length(id) = 16),
    -- immutable
    made_at integer not null,
    -- immutable: how many entries of the log it has
    log_size integer not null check (log_size >= 0),
    -- immutable: of the file
    bytes integer not null check (bytes > 0),
    -- immutable: of the file
    sha256 blob not null check (length(sha256) = 32)
) strict;

create index backups_made on backups (made_at);
