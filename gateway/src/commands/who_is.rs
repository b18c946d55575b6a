//! `audit who-is`: from the pseudonyms that the log shows to the users of a list that one has.
//!
//! The names come on standard input or from a file: a command line is seen by everybody on the
//! machine and kept by shells.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{Configured, Outcome, eprintln_line, print_line, table};
use crate::access_report::Reason;
use crate::who_is::{self, Answer, Question, WhoIsError};

/// Arguments of `audit who-is`.
#[derive(Debug, Args)]
pub(super) struct WhoIsArgs {
    #[command(flatten)]
    configured: Configured,
    /// Whose users they are: an organisation's code, or `gateway` for logins of this machine.
    #[arg(long, value_name = "CODE")]
    organisation: String,
    /// Why you ask; it goes into the log with your asking.
    #[arg(long, value_parser = PossibleValuesParser::new(Reason::CODES))]
    reason: String,
    /// Only who has this pseudonym; may be given several times.
    #[arg(long, value_name = "PSEUDONYM")]
    pseudonym: Vec<String>,
    /// The user names, one a line; from standard input when no file is named.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn who_is(args: &WhoIsArgs, json: bool) -> anyhow::Result<Outcome> {
    let reason = Reason::parse(&args.reason).context("--reason is one of the listed codes")?;
    let Ok(users) = String::from_utf8(args.list()?) else {
        eprintln_line("error: the list of user names is not text in UTF-8; save it so");
        return Ok(Outcome::InputRefused);
    };
    let question = Question {
        organisation: &args.organisation,
        users: &users,
        pseudonyms: &args.pseudonym,
        reason,
    };
    let app = super::serve::open_existing(&args.configured).await?;
    let answer = who_is::who_is(&app, &question, &app.operator()).await;
    app.store.close().await;
    match answer {
        Ok(answer) => Ok(told(&answer, json)),
        Err(WhoIsError::Store(error)) => Err(error.into()),
        Err(error) => {
            eprintln_line(&format!("error: {error}"));
            Ok(Outcome::InputRefused)
        }
    }
}

impl WhoIsArgs {
    fn list(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = match &self.file {
            Some(file) => std::fs::File::open(file)
                .and_then(|file| file.take(LIST_BYTES_MAX).read_to_end(&mut bytes))
                .with_context(|| format!("reading {}", file.display())),
            None => std::io::stdin()
                .lock()
                .take(LIST_BYTES_MAX)
                .read_to_end(&mut bytes)
                .context("reading standard input"),
        };
        read.map(|_| bytes)
    }
}

fn told(answer: &Answer, json: bool) -> Outcome {
    let Answer { entry, users, people } = answer;
    if json {
        print_line(&serde_json::json!(answer).to_string());
    } else if !people.is_empty() {
        let rows = people.iter().map(|one| vec![one.pseudonym.clone(), one.user.clone()]);
        print_line(&table(&["pseudonym", "user"], rows));
    }
    if people.is_empty() {
        eprintln_line(&format!(
            "None of these {users} user names has that pseudonym. Ask for the list as the organisation's own system writes its users, leavers too; or with the --organisation that the entry names (gateway for a login of this machine). That you asked is entry {entry}."
        ));
        return Outcome::NotFound;
    }
    eprintln_line(&format!("That you asked is entry {entry}; nothing of the list is kept."));
    Outcome::Done
}

/// More than the longest list there may be has, so that a longer one is seen to be too long.
const LIST_BYTES_MAX: u64 = 8 * 1024 * 1024;
