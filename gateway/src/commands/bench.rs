//! `bench`: what this machine does durably, next to what its engine and disk could do at most.
//!
//! Everything happens below one folder on the disk that is to be measured: a practice world for
//! each engine, the bare tables, and PostgreSQL's own data when the server is started here.

mod accept;
mod adapters;
mod audit;
mod decisions;
mod documents;
mod figures;
mod tamper;
mod withdrawals;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use super::{Outcome, eprintln_line, print_line, progress, table};
use crate::practice::StorePlan;
use crate::practice::postgres::{self, Durability, Server};
use crate::store::{DatabaseUrl, bare};
use accept::Place;
use figures::Run;

/// Measurements.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Durable accepts per second over mutual TLS, next to the bare durable insert rate.
    Accept(AcceptArgs),
    /// Rows, messages and megabytes per second of every reader and writer, next to the bare parser
    /// library on the same bytes. Made-up input; nothing is stored.
    Adapters {
        /// How long each measurement lasts.
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=60))]
        seconds: u32,
        /// How many rows the tables have.
        #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
        rows: u32,
    },
    /// Appending, proving and verifying the audit log, next to bare SHA-256 of the same bytes.
    /// Made-up entries about nobody.
    Audit {
        /// How long the logs are, separated by commas.
        #[arg(long, value_name = "N", value_delimiter = ',', default_value = "10000,1000000", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
        entries: Vec<u64>,
        /// Commit on the disk this folder is on.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        dir: PathBuf,
    },
    /// Decisions about sharing per second, and what share of a durable accept one takes. Made-up
    /// questions about nobody.
    Decisions {
        /// How long each measurement lasts.
        #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=60))]
        seconds: u32,
        /// Accept on the disk this folder is on.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        dir: PathBuf,
    },
    /// Alters copies of a practice log in every way, and has the verifier find each and name the
    /// first bad entry; exit code 1 when anything was missed, wrongly named or not tried.
    Tamper {
        /// How long the log is.
        #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(40..=2_000))]
        entries: u64,
        /// How many alterations at least; flipped bits make up what the other kinds leave.
        #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
        alterations: u64,
        /// Repeat the run that printed this number; without it, a new one.
        #[arg(long, value_name = "N")]
        seed: Option<u32>,
        /// Make the logs on the disk this folder is on.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        dir: PathBuf,
    },
    /// Races between withdrawals and senders: bytes that left after a withdrawal was acknowledged.
    /// Must be none; exit code 1 when there are any, when an engine that was named did not run, or
    /// when of 100 races or more all ended the same way, which proves nothing.
    Withdrawals {
        /// How many races on each engine.
        #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        races: u32,
        #[command(flatten)]
        on: On,
    },
    /// One large document over mutual TLS: rates, and how little is held meanwhile.
    Documents {
        /// How large: 1G, 200M, or bytes.
        #[arg(long, default_value = "1G", value_parser = documents::size)]
        size: u64,
        /// Keep the document on the disk this folder is on.
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        dir: PathBuf,
    },
}

/// Arguments of `bench accept`.
#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    /// How long each measurement lasts, after a second of warming up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=600))]
    seconds: u32,
    #[command(flatten)]
    on: On,
}

/// Which engines, and where.
#[derive(Debug, Args)]
pub(super) struct On {
    /// Which engine to measure; without it, both where PostgreSQL is found.
    #[arg(long, value_enum)]
    engine: Option<Engines>,
    /// Measure the disk this folder is on. Temporary folders may be in memory.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
    /// Use this PostgreSQL instead of starting one: a private file with the address of an empty
    /// database, which is left full of made-up records.
    #[arg(long, value_name = "FILE")]
    postgres_url_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engines {
    Sqlite,
    Postgres,
    Both,
}

impl On {
    fn engines(&self) -> Engines {
        self.engine.unwrap_or(Engines::Both)
    }
}

/// What became of one engine.
enum Half {
    Measured(Vec<Run>),
    /// It is not here, or was not asked for.
    NotRun(String),
    /// It is here, and could not be used.
    Broken(String),
}

pub(super) async fn bench(command: &BenchCommand, json: bool) -> anyhow::Result<Outcome> {
    let args = match command {
        BenchCommand::Accept(args) => args,
        BenchCommand::Adapters { seconds, rows } => {
            return adapters::measure(Duration::from_secs((*seconds).into()), *rows, json);
        }
        BenchCommand::Audit { entries, dir } => {
            let folder = Folder::make(dir)?;
            return tokio::select! {
                measured = audit::measure(&folder.0, entries, json) => measured,
                () = super::serve::told_to_stop() => bail!("stopped before the end"),
            };
        }
        BenchCommand::Decisions { seconds, dir } => {
            let folder = Folder::make(dir)?;
            let length = Duration::from_secs((*seconds).into());
            return tokio::select! {
                measured = decisions::measure(&folder.0, length, json) => measured,
                () = super::serve::told_to_stop() => bail!("stopped before the end"),
            };
        }
        BenchCommand::Tamper { entries, alterations, seed, dir } => {
            let folder = Folder::make(dir)?;
            let seed = seed.map_or_else(tamper::new_seed, Ok)?.into();
            let (entries, alterations) = (*entries, *alterations);
            let plan = tamper::Plan { entries, alterations, backups: tamper::BACKUPS, seed };
            return tokio::select! {
                swept = tamper::run(&folder.0, plan, json) => swept,
                () = super::serve::told_to_stop() => bail!("stopped before the end"),
            };
        }
        BenchCommand::Withdrawals { races, on } => {
            let folder = Folder::make(&on.dir)?;
            return tokio::select! {
                raced = races_on(on, *races, &folder.0, json) => raced,
                () = super::serve::told_to_stop() => bail!("stopped before the end"),
            };
        }
        BenchCommand::Documents { size, dir } => {
            let folder = Folder::make(dir)?;
            return tokio::select! {
                measured = documents::measure(&folder.0, *size, json) => measured,
                () = super::serve::told_to_stop() => bail!("stopped before the end"),
            };
        }
    };
    let folder = Folder::make(&args.on.dir)?;
    eprintln_line(&format!("Measuring in {}; it is removed at the end.", folder.0.display()));
    if cfg!(debug_assertions) {
        eprintln_line("This is a debug build: its figures mean nothing. Run it with --release.");
    }
    // Stopped by hand, the folder is removed all the same.
    let halves = tokio::select! {
        halves = measure(args, &folder.0) => halves?,
        () = super::serve::told_to_stop() => bail!("stopped before the end"),
    };
    if json {
        print_line(&format!("{:#}", document(args, &folder.0, &halves)));
    } else {
        print_line(&text(args, &folder.0, &halves));
    }
    let broken = halves.iter().any(|(_, half)| matches!(half, Half::Broken(_)));
    Ok(if broken { Outcome::Failed } else { Outcome::Done })
}

async fn measure(args: &AcceptArgs, folder: &Path) -> anyhow::Result<[(&'static str, Half); 2]> {
    let engines = if args.on.engines() == Engines::Both { 2 } else { 1 };
    // Two loads, each with its bare inserts.
    let bar = progress(engines * 4, "warming up");
    let length = Duration::from_secs(args.seconds.into());
    let sqlite = match args.on.engines() {
        Engines::Postgres => Half::NotRun("it was not asked for".to_owned()),
        Engines::Sqlite | Engines::Both => {
            let place = Place { folder: folder.join("sqlite"), store: StorePlan::Sqlite };
            Half::Measured(accept::measure(&place, length, &bar).await?)
        }
    };
    let postgres = match args.on.engines() {
        Engines::Sqlite => Half::NotRun("it was not asked for".to_owned()),
        Engines::Postgres | Engines::Both => match server(&args.on, folder).await? {
            Found::Url { url, server } => {
                let place =
                    Place { folder: folder.join("postgres"), store: StorePlan::Postgres(url) };
                let measured = accept::measure(&place, length, &bar).await?;
                if let Some(server) = server {
                    tokio::task::spawn_blocking(move || server.stop()).await??;
                }
                Half::Measured(measured)
            }
            // Whoever names an engine wants its figures: that there are none is no success.
            Found::Nothing if args.on.engine.is_some() => {
                Half::Broken("PostgreSQL was asked for and not found on this machine".to_owned())
            }
            Found::Nothing => Half::NotRun("PostgreSQL was not found on this machine".to_owned()),
            Found::Broken(why) => Half::Broken(format!("PostgreSQL did not start: {why}")),
        },
    };
    bar.finish_and_clear();
    Ok([("sqlite", sqlite), ("postgres", postgres)])
}

/// The races on the engines that are here.
async fn races_on(on: &On, races: u32, folder: &Path, json: bool) -> anyhow::Result<Outcome> {
    let bar = progress(u64::from(races), "races on sqlite");
    let mut tallies = Vec::new();
    if on.engines() != Engines::Postgres {
        let place = folder.join("sqlite");
        let tally = withdrawals::race(&place, StorePlan::Sqlite, races, &bar).await?;
        tallies.push(("sqlite", tally));
    }
    bar.reset();
    bar.set_message("races on postgres");
    let mut not_run = None;
    if on.engines() != Engines::Sqlite {
        match server(on, folder).await? {
            Found::Url { url, server } => {
                let (place, store) = (folder.join("postgres"), StorePlan::Postgres(url));
                tallies.push(("postgres", withdrawals::race(&place, store, races, &bar).await?));
                if let Some(server) = server {
                    tokio::task::spawn_blocking(move || server.stop()).await??;
                }
            }
            Found::Nothing => not_run = Some("PostgreSQL was not found on this machine".to_owned()),
            Found::Broken(why) => bail!("PostgreSQL did not start: {why}"),
        }
    }
    bar.finish_and_clear();
    if json {
        let mut document: Map<String, Value> = tallies
            .iter()
            .map(|(engine, tally)| ((*engine).to_owned(), tally.document()))
            .collect();
        document.insert("not_run".to_owned(), not_run.into());
        print_line(&format!("{:#}", Value::Object(document)));
    } else {
        let rows = tallies.iter().map(|(engine, tally)| tally.cells(engine));
        print_line(&table(&withdrawals::HEADER, rows));
        if let Some(why) = not_run {
            eprintln_line(&format!("The postgres half did not run: {why}."));
        }
    }
    let named: &[&str] = match on.engine {
        None => &[],
        Some(Engines::Sqlite) => &["sqlite"],
        Some(Engines::Postgres) => &["postgres"],
        Some(Engines::Both) => &["sqlite", "postgres"],
    };
    let faults = withdrawals::faults(named, &tallies);
    for fault in &faults {
        eprintln_line(fault);
    }
    Ok(if faults.is_empty() { Outcome::Done } else { Outcome::Failed })
}

/// A PostgreSQL to measure.
enum Found {
    /// Its address, and the server when it is ours to stop.
    Url {
        url: String,
        server: Option<Server>,
    },
    Nothing,
    Broken(String),
}

/// The server the operator names, or one of our own with every flush to disk on.
async fn server(args: &On, folder: &Path) -> anyhow::Result<Found> {
    if let Some(file) = &args.postgres_url_file {
        let bytes = crate::secret_file::read(file)?;
        let url = std::str::from_utf8(&bytes).ok().map(str::trim).unwrap_or_default().to_owned();
        let survey = bare::survey(&DatabaseUrl::new(url.clone())).await;
        let survey = survey.context("the PostgreSQL of --postgres-url-file could not be asked")?;
        let file = file.display();
        ensure!(
            survey.is_empty,
            "the database of {file} is not empty; make one for this run with createdb"
        );
        ensure!(survey.flushes, "the server of {file} has fsync off, so nothing there is durable");
        eprintln_line("PostgreSQL keeps its files where its server has them, not in this folder.");
        return Ok(Found::Url { url, server: None });
    }
    let Some(bin) = binaries() else { return Ok(Found::Nothing) };
    let folder = folder.join("pg");
    let started = tokio::task::spawn_blocking(move || {
        let server = Server::start(bin, &folder, Durability::Full)?;
        let url = server.make_database("bench")?;
        Ok::<_, std::io::Error>(Found::Url { url, server: Some(server) })
    });
    Ok(started.await?.unwrap_or_else(|error| Found::Broken(error.to_string())))
}

#[expect(clippy::disallowed_methods, reason = "the command line looks for PostgreSQL on its path")]
fn binaries() -> Option<PathBuf> {
    postgres::find(std::env::var_os("PATH").as_deref())
}

fn text(args: &AcceptArgs, folder: &Path, halves: &[(&'static str, Half)]) -> String {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for (engine, half) in halves {
        match half {
            Half::Measured(runs) => {
                rows.extend(runs.iter().map(|run| run.cells(engine)));
                notes.extend(runs.iter().map(|run| run.note(engine)));
            }
            Half::NotRun(why) | Half::Broken(why) => {
                notes.push(format!("The {engine} half did not run: {why}."));
            }
        }
    }
    let table = table(&figures::HEADER, rows);
    format!(
        "{table}\n\n{}\n\nThese are figures of this machine, this disk ({}) and this run of {} \
         seconds each: its partners and its gateway share the processor. {}\n{}",
        notes.join("\n"),
        folder.display(),
        args.seconds,
        figures::WHY_32_IS_MORE,
        figures::WHAT_IS_COUNTED,
    )
}

fn document(args: &AcceptArgs, folder: &Path, halves: &[(&'static str, Half)]) -> Value {
    let mut not_run = Map::new();
    let mut document = Map::new();
    for (engine, half) in halves {
        let measured = match half {
            Half::Measured(runs) => runs.iter().map(Run::document).collect(),
            Half::NotRun(why) | Half::Broken(why) => {
                not_run.insert((*engine).to_owned(), why.as_str().into());
                Value::Null
            }
        };
        document.insert((*engine).to_owned(), measured);
    }
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let about = [
        ("not_run", Value::Object(not_run)),
        ("folder", folder.display().to_string().into()),
        ("seconds", args.seconds.into()),
        ("build", build.into()),
        ("row_bytes_counted", figures::WHAT_IS_COUNTED.into()),
    ];
    document.extend(about.map(|(name, value)| (name.to_owned(), value)));
    document.into()
}

/// The run's own folder, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn make(below: &Path) -> anyhow::Result<Self> {
        let below = below
            .canonicalize()
            .with_context(|| format!("{} is not a folder that is there", below.display()))?;
        let path = below.join(format!("ehc-bench-{}", std::process::id()));
        std::fs::create_dir(&path)
            .with_context(|| format!("{} could not be made", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
