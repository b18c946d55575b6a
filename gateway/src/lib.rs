//! The EHC Gateway: who may hold a record, send it and see it.
//!
//! Modules in reading order; the first four tell the story:
//!
//! - [`pipeline`]: how a message comes in and how it goes out, said in order.
//! - [`authority`]: may it go? The only maker of `Admission` and `Release`.
//! - [`vault`]: sealing and opening; the only spender of both.
//! - [`store`]: the one place where anything is kept; no audit entry, no change.
//! - [`audit`], [`receipt`], [`verification`]: the provable log, what is signed, and the proof.
//! - [`intake`]: how bytes come in other than through the API.
//! - [`queue`], [`delivery`]: deliveries, legs, leases, the worker, and how parcels leave.
//! - [`documents`]: documents of any size, uploaded apart from their message.
//! - [`accountability`]: why a record may go, and what other rules would have made of the past.
//! - [`look_up`]: whom the entries of the log are about, period by period, until it is destroyed.
//! - [`access_report`], [`log_search`], [`mod@who_is`]: who has seen a person's record, with proofs, and what a
//!   family may be told; who did what, when and why.
//! - [`reports`], [`disclosure_pack`]: the eleven reports of information governance, as tables; what
//!   was shared about one person, for whoever answers their request.
//! - [`odd_access`]: what is rare among what people look at, and who looks into it.
//! - [`board`], [`journey`], [`holds`], [`repair`], [`looks`]: what people look at, and what they
//!   decide about what is held, did not arrive or was not accepted.
//! - [`cases`], [`notices`]: which messages belong together, what was superseded or recalled.
//! - [`duties`], [`reconciliation`]: what is done at its time; each day, signed and answerable.
//! - [`transition`]: the way to adulthood, case by case, and what is missing on it.
//! - [`api`]: the partner API, from one table of routes.
//! - [`tls`], [`peer`], [`pki`]: who is calling, and practice certificates.
//! - [`config`], [`app`], [`serving`], [`telemetry`], [`commands`]: put together and run.
//! - [`publication`]: the log as static files, for tools that read transparency logs.
//! - [`witness`], [`outsiders`]: who holds the log to its history, from outside.
//! - [`retention`]: how long things are kept, what stops their removal, and the proof of it.
//! - [`backup`]: everything in one file, sealed and signed; proved, and put back.
//! - [`standing`]: looks at how something stands.
//! - [`settings`]: what the gateway works by, and that another one is an entry of the log.
//! - [`prompt`]: who types at the machine itself.
//! - [`sinks`]: the log in a second place, which can be required.
//! - [`restore`]: nothing is released until the consent ledger has caught up after a restore.
//! - [`mllp`]: how HL7 v2 messages are framed on a connection.
//! - [`clock`], [`entropy`], [`secret_file`]: time, randomness and secrets, from outside.
//! - [`whole_file`]: files that are there whole or not at all.
//! - [`practice`]: a whole made-up world for the demo, the benchmark and the tests.

pub mod access_report;
pub mod accountability;
pub mod api;
pub mod app;
pub mod audit;
pub mod authority;
pub mod backup;
pub mod board;
pub mod cases;
pub mod clock;
pub mod commands;
pub mod config;
pub mod delivery;
pub mod disclosure_pack;
pub mod documents;
pub mod duties;
pub mod entropy;
pub mod evidence;
pub mod holds;
pub mod intake;
pub mod journey;
pub mod log_search;
pub mod look_up;
pub mod looks;
pub mod mllp;
pub mod notices;
pub mod obligations;
pub mod odd_access;
pub mod outsiders;
pub mod peer;
pub mod performance;
pub mod pipeline;
pub mod pki;
pub mod practice;
pub mod prompt;
pub mod publication;
pub mod queue;
pub mod receipt;
pub mod reconciliation;
pub mod repair;
pub mod reports;
pub mod restore;
pub mod retention;
pub mod secret_file;
pub mod serving;
pub mod settings;
pub mod sinks;
pub mod standing;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod transition;
pub mod vault;
pub mod verification;
pub mod who_is;
pub mod whole_file;
pub mod witness;
