-- Where the log goes besides this database. Applied once, never edited after release.

create table audit_sinks (
    -- immutable: the sink's name in the configuration
    name text collate "C" primary key,
    -- mutable, bookkeeping: the place of the first entry that it has not confirmed
    next_seq bigint not null check (next_seq >= 0)
);

create table audit_probe (
    -- immutable: there is one row
    id bigint primary key check (id = 1),
    -- mutable, bookkeeping: when it was last found that this database can be written
    at_us bigint not null
);

create table in_force (
    -- immutable: what it is, for example the configuration or a key
    name text collate "C" primary key,
    -- mutable, by the commit that says that it changed: its fingerprint
    fingerprint text not null
);
