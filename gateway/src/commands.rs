//! The commands: what an operator types.
//!
//! Data goes to standard output, talk to standard error; `--json` on every command; exit codes
//! are documented in `docs/operations.md`. This and `main` are the only homes of `anyhow`.

mod alerts;
mod audit_export;
mod audit_search;
mod audit_status;
mod audit_verify;
mod authority;
mod backup;
mod bench;
mod case;
mod check_receipt;
mod clocks;
mod consents;
mod demo;
mod disclosure_pack;
mod documents;
mod extract;
mod holds;
mod import;
mod login;
mod look_ups;
mod mapping;
mod pki;
mod reconcile;
mod report;
mod restore;
mod retention;
mod serve;
mod show;
mod totality;
mod transitions;
mod who_has_seen;
mod who_is;
mod witness;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::store::Notice;

/// EHC Gateway: sends advice requests, advice and transition records between a local authority
/// and the health bodies around it, authorised, sealed, audited and provable.
#[derive(Debug, Parser)]
#[command(name = "ehc-gateway", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    /// Answer with one JSON document on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway.
    Serve(Configured),
    /// Play the whole journey on this machine with made-up children: no input, no root.
    Demo(demo::DemoArgs),
    /// Practice certificates: an authority, partners and villains.
    #[command(subcommand)]
    Pki(pki::PkiCommand),
    /// Make the gateway's own keys, each in a file of its own.
    #[command(subcommand)]
    Keys(pki::KeysCommand),
    /// Load an extract from a local authority's case system.
    Import(import::ImportArgs),
    /// Who owes what to whom by when.
    Board(show::BoardArgs),
    /// Statutory clocks: the rules in force, a date, and who owes what in which case.
    #[command(subcommand)]
    Clocks(clocks::ClocksCommand),
    /// How each service kept the six weeks in a month, as it stood on any day.
    Performance(clocks::PerformanceArgs),
    /// Everything there is to show about one leg, in one file that proves itself.
    #[command(subcommand)]
    Evidence(clocks::EvidenceCommand),
    /// Young people on the way to adulthood: what is missing, and who owes it.
    Transitions(transitions::TransitionsArgs),
    /// About one record.
    #[command(subcommand)]
    Record(show::RecordCommand),
    /// About the messages that belong together.
    #[command(subcommand)]
    Case(case::CaseCommand),
    /// What passed with a partner on a day: the signed statement, and what differs.
    Reconcile(reconcile::ReconcileArgs),
    /// About what waits for a person's decision.
    #[command(subcommand)]
    Holds(holds::HoldsCommand),
    /// About odd access: what waits to be looked into, and the rules it was found by.
    #[command(subcommand)]
    Alerts(alerts::AlertsCommand),
    /// About deliveries that did not arrive.
    #[command(subcommand)]
    Deliveries(holds::DeliveriesCommand),
    /// About what was not accepted.
    #[command(subcommand)]
    Quarantine(holds::QuarantineCommand),
    /// About documents that are kept apart from their messages.
    #[command(subcommand)]
    Documents(documents::DocumentsCommand),
    /// Why something may go, whether the rules hold together, and what others would change.
    #[command(subcommand)]
    Authority(authority::AuthorityCommand),
    /// About agreement to share.
    #[command(subcommand)]
    Consents(consents::ConsentsCommand),
    /// Backups: made, proved and restored, sealed and signed.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// About a restored backup: nothing is released until the consent ledger has caught up.
    #[command(subcommand)]
    Restore(restore::RestoreCommand),
    /// The eleven reports of information governance, as a table, CSV or a workbook.
    Report(report::ReportArgs),
    /// What was shared about one person, for whoever answers their subject access request.
    #[command(subcommand)]
    DisclosurePack(disclosure_pack::DisclosurePackCommand),
    /// How long things are kept, what is due, and what stops it.
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// About the audit log.
    #[command(subcommand)]
    Audit(audit_verify::AuditCommand),
    /// What another organisation runs to cosign a gateway's log.
    #[command(subcommand)]
    Witness(witness::WitnessCommand),
    /// About the configuration.
    #[command(subcommand)]
    Config(show::ConfigCommand),
    /// About mappings of tabular files: look at a file through one, or propose one.
    #[command(subcommand)]
    Mapping(mapping::MappingCommand),
    /// Measure this machine: durable accepts against the bare durable insert rate.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Print the API description (OpenAPI 3.1).
    Openapi,
}

/// The configuration file.
#[derive(Debug, Args)]
struct Configured {
    /// The configuration file.
    #[arg(long, short, default_value = "ehc-gateway.toml", value_name = "FILE")]
    config: PathBuf,
}

/// How a command ended (`experience.md` section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Done, nothing to report.
    Done,
    /// There is no such thing.
    NotFound,
    /// The input was refused.
    InputRefused,
    /// Finished, but found something: a proof that does not hold, something overdue.
    Found,
    /// Something is busy or away; try again.
    TryAgain,
    /// It failed.
    Failed,
    /// A signal of this number told it to stop, and it cleared away what it had begun.
    Stopped(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Failed => Self::from(1),
            Outcome::NotFound => Self::from(3),
            Outcome::InputRefused => Self::from(5),
            Outcome::Found => Self::from(6),
            Outcome::TryAgain => Self::from(75),
            // As the shell says of a command that a signal ended.
            Outcome::Stopped(signal) => Self::from(128_u8.saturating_add(signal)),
        }
    }
}

/// Parses the command line, runs the command, and says how it ended.
pub fn run() -> ExitCode {
    let matches = Cli::command().get_matches();
    let typed = totality::Typed::of(&matches);
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln_line(&format!("error: the runtime could not start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let json = cli.json;
    let notice = Notice::default();
    let ended = match runtime.block_on(notice.over(dispatch(cli))) {
        Ok(outcome) if totality::is_witnessed(&typed, outcome, &notice) => outcome.into(),
        Ok(_) => {
            eprintln_line(
                "error: this left no entry in the audit log, which is a fault of the program: tell \
                 whoever made it, and your information governance lead",
            );
            Outcome::Failed.into()
        }
        Err(error) => report(&error, json),
    };
    // What hangs keeps the thread that waits for it: the process does not wait with it.
    runtime.shutdown_timeout(HANGING);
    ended
}

async fn dispatch(cli: Cli) -> anyhow::Result<Outcome> {
    let json = cli.json;
    match cli.command {
        Command::Serve(args) => serve::serve(&args, json).await,
        Command::Demo(args) => Box::pin(demo::demo(&args, json)).await,
        Command::Pki(command) => pki::pki(&command, json),
        Command::Keys(command) => pki::keys(&command, json),
        Command::Import(args) => Box::pin(import::import(&args, json)).await,
        Command::Board(args) => show::board(&args, json).await,
        Command::Clocks(command) => clocks::clocks(&command, json).await,
        Command::Performance(args) => clocks::performance(&args, json).await,
        Command::Evidence(command) => clocks::evidence(&command, json).await,
        Command::Transitions(args) => transitions::transitions(&args, json).await,
        Command::Record(command) => show::record(&command, json).await,
        Command::Case(command) => case::case(&command, json).await,
        Command::Reconcile(args) => reconcile::reconcile(&args, json).await,
        Command::Holds(command) => holds::holds(&command, json).await,
        Command::Alerts(command) => alerts::alerts(&command, json).await,
        Command::Deliveries(command) => holds::deliveries(&command, json).await,
        Command::Quarantine(command) => Box::pin(holds::quarantine(&command, json)).await,
        Command::Documents(command) => Box::pin(documents::documents(&command, json)).await,
        Command::Authority(command) => Box::pin(authority::authority(&command, json)).await,
        Command::Consents(command) => consents::consents(&command, json).await,
        Command::Backup(command) => Box::pin(backup::backup(&command, json)).await,
        Command::Restore(command) => restore::restore(&command, json).await,
        Command::Report(args) => Box::pin(report::report(&args, json)).await,
        Command::DisclosurePack(command) => disclosure_pack::disclosure_pack(&command, json).await,
        Command::Retention(command) => Box::pin(retention::retention(&command, json)).await,
        Command::Audit(command) => audit_verify::audit(&command, json).await,
        Command::Witness(command) => Box::pin(witness::witness(&command, json)).await,
        Command::Config(command) => show::config(&command, json),
        Command::Mapping(command) => mapping::mapping(&command, json),
        Command::Bench(command) => Box::pin(bench::bench(&command, json)).await,
        Command::Openapi => {
            print_line(&format!("{:#}", crate::api::openapi_document()));
            Ok(Outcome::Done)
        }
    }
}

/// Says what went wrong, once, with its causes; as one problem object when JSON was asked for.
fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    let text = format!("{error:#}");
    let refused = error.downcast_ref::<crate::config::ConfigError>().is_some();
    if json {
        let code = if refused { "configuration-refused" } else { "failed" };
        print_line(&serde_json::json!({ "code": code, "detail": text }).to_string());
    }
    eprintln_line(&format!("error: {text}"));
    if refused { Outcome::InputRefused.into() } else { Outcome::Failed.into() }
}

/// A line of data. Whoever reads it may have seen enough: that is no fault of the command.
fn print_line(text: &str) {
    let written = writeln!(std::io::stdout().lock(), "{text}");
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln_line(&format!("the answer could not be written: {error}"));
    }
}

/// A line of talk.
#[expect(clippy::print_stderr, reason = "commands talk on standard error")]
fn eprintln_line(text: &str) {
    eprintln!("{text}");
}

/// A table whose columns align, without lines that get in the way of reading. On a terminal that is
/// too narrow for it, long cells go on below; in a file each row is one line.
fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(header.iter().map(|cell| cell.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    let terminal = terminal_size::terminal_size_of(std::io::stdout());
    if let Some((terminal_size::Width(columns), _)) = terminal {
        table.set_width(columns.max(NARROWEST));
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    }
    table.trim_fmt()
}

/// A progress bar on standard error, on a terminal only.
fn progress(total: u64, what: &'static str) -> indicatif::ProgressBar {
    let bar = indicatif::ProgressBar::with_draw_target(
        Some(total),
        indicatif::ProgressDrawTarget::stderr(),
    );
    let style = indicatif::ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}");
    bar.set_style(style.unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

/// Columns below which a table is no longer fitted to its terminal: an id alone has 36.
const NARROWEST: u16 = 60;

/// How long the end of the process waits for a read, or a volume, that hangs.
const HANGING: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
