//! `authority explain`: every step of a decision in words.

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use schemas::record::{ConsentKind, ConsentStatus, DecisionMaker, Restriction};
use schemas::{MessageType, OrganisationCode, RecordId};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::super::{eprintln_line, print_line, table};
use super::{Drafts, Outcome, configured, refused};
use crate::accountability::{Explained, Line};
use crate::authority::{
    self, Basis, ConsentEntry, Evidence, Explanation, Override, Question, RuleBook,
};
use crate::clock::{Clock, SystemClock};
use crate::queue::DeliveryId;

/// Arguments of `authority explain`.
#[derive(Debug, Args)]
pub(in crate::commands) struct ExplainArgs {
    /// The id of a record or delivery, from a receipt, the board or the queue of holds.
    #[arg(conflicts_with_all = ["kind", "from", "to"])]
    id: Option<Uuid>,
    /// The type of a made-up message, for example plan.final.
    #[arg(long = "type", value_name = "TYPE", requires_all = ["from", "to"])]
    kind: Option<String>,
    /// Who would send it.
    #[arg(long, value_name = "CODE")]
    from: Option<String>,
    /// Who would receive it.
    #[arg(long, value_name = "CODE")]
    to: Option<String>,
    /// On which day; today if none is given.
    #[arg(long, value_name = "DATE")]
    on: Option<Date>,
    /// What the family decided: given, refused, withdrawn, expired or stale.
    #[arg(long, value_name = "STATUS")]
    consent: Option<String>,
    /// Who decided it: parent, competent-child, young-person, alternative-person or
    /// local-authority.
    #[arg(long, value_name = "WHO", requires = "consent")]
    given_by: Option<String>,
    /// That the decision is about the plan document (regulation 17), not about sharing.
    #[arg(long, requires = "consent")]
    about_the_plan: bool,
    /// That competence or capacity was assessed on the day of the decision.
    #[arg(long, requires = "consent")]
    assessed: bool,
    /// A restriction on record: protected-address, third-party, adoption, sealed or court-limits.
    #[arg(long, value_name = "KIND")]
    restriction: Vec<String>,
    /// The day from which the young person decides.
    #[arg(long, value_name = "DATE")]
    young_person_decides_from: Option<Date>,
    /// A ground that two different people claim.
    #[arg(long, value_enum, value_name = "GROUND")]
    claimed_by_two: Option<Claim>,
    #[command(flatten)]
    drafts: Drafts,
}

/// The grounds that people can claim, as the reasons of votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Claim {
    StatutoryDutyConfirmed,
    Safeguarding,
    CourtOrTribunal,
    BestInterests,
    VitalInterests,
}

pub(super) async fn explain(args: &ExplainArgs, json: bool) -> anyhow::Result<Outcome> {
    match (args.id, &args.kind, &args.from, &args.to) {
        (Some(id), ..) => of_the_store(args, id, json).await,
        (None, Some(kind), Some(from), Some(to)) => {
            let named = match args.drafts.read()? {
                Ok(named) => named,
                Err(problem) => return Ok(refused(&[problem], json)),
            };
            let (question, evidence) = made_up(args, kind, (from, to))?;
            print(&args.decide(&question, &evidence, &named.book), &question, json)?;
            Ok(Outcome::Done)
        }
        _ => bail!("name a record or delivery, or a made-up question with --type, --from and --to"),
    }
}

async fn of_the_store(args: &ExplainArgs, id: Uuid, json: bool) -> anyhow::Result<Outcome> {
    if args.drafts.rules.is_some() || args.drafts.agreements.is_some() {
        bail!("what drafts would change about past decisions is shown by `authority rehearse`");
    }
    let configured = configured(args.drafts.config.as_deref());
    let app = super::super::serve::open_existing(&configured).await?;
    let delivery = app.store.find_delivery(DeliveryId(id)).await?;
    let record = delivery.as_ref().map_or(RecordId(id), |delivery| delivery.record);
    let found = crate::accountability::of_record(&app, record, None, &app.operator()).await?;
    app.store.close().await;
    let Some(mut explained) = found else {
        eprintln_line("error: no record or delivery has this id; receipts and the board show ids");
        return Ok(Outcome::NotFound);
    };
    if let Some(delivery) = delivery {
        explained.now.retain(|line| line.delivery == delivery.id);
        explained.decided.retain(|step| step.delivery == Some(delivery.id));
    }
    if json {
        print_line(&serde_json::to_string_pretty(&explained)?);
    } else {
        print_line(&in_words(&explained));
    }
    Ok(Outcome::Done)
}

fn in_words(explained: &Explained) -> String {
    let mut parts = vec![format!("{} from {}", explained.message_type, explained.sender)];
    let rows = explained.decided.iter().filter_map(|step| {
        let note = step.decision.as_ref()?;
        Some(vec![
            step.entry.to_string(),
            step.at.get(..19).unwrap_or(&step.at).replace('T', " "),
            step.counterparty.as_ref().map(ToString::to_string).unwrap_or_default(),
            note.outcome.clone(),
            note.rule.clone(),
            note.rule_version.clone(),
            note.reason.clone(),
        ])
    });
    let header = ["entry", "when (UTC)", "to", "decided", "rule", "version", "why"];
    parts.push(format!("As decided, from the log:\n{}", table(&header, rows)));
    parts.extend(explained.now.iter().map(|line| line_in_words(line, explained)));
    parts.join("\n\n")
}

fn line_in_words(line: &Line, explained: &Explained) -> String {
    let rows = line.steps.iter().map(|step| vec![stage(step.stage), step.words.clone()]);
    format!(
        "To {} ({}), as it would be decided on {} by {}:\n{}",
        line.recipient,
        crate::telemetry::name_of(line.state),
        explained.on,
        explained.rule_version,
        table(&["step", "what was found"], rows)
    )
}

fn stage(stage: authority::explanation::Stage) -> String {
    crate::telemetry::name_of(stage).replace('-', " ")
}

fn print(explained: &Explanation, question: &Question, json: bool) -> anyhow::Result<()> {
    let decision = &explained.decision;
    if json {
        let body = serde_json::json!({
            "type": question.kind,
            "from": question.sender,
            "to": question.recipient,
            "decision": decision.note(),
            "classes": decision.classes,
            "steps": explained.steps,
        });
        print_line(&serde_json::to_string_pretty(&body)?);
        return Ok(());
    }
    let rows = explained.steps.iter().map(|step| vec![stage(step.stage), step.words.clone()]);
    print_line(&format!("{} from {} to {}", question.kind, question.sender, question.recipient));
    print_line(&table(&["step", "what was found"], rows));
    Ok(())
}

impl ExplainArgs {
    fn decide(&self, question: &Question, evidence: &Evidence, book: &RuleBook) -> Explanation {
        let now = SystemClock.now();
        let today = self.on.unwrap_or_else(|| SystemClock.today());
        authority::explain(question, evidence, book, now, today)
    }
}

/// A question about nobody, with a ledger as the options say it.
fn made_up(
    args: &ExplainArgs,
    kind: &str,
    (from, to): (&str, &str),
) -> anyhow::Result<(Question, Evidence)> {
    let kind = MessageType::parse(kind).with_context(|| not_a_type(kind))?;
    let sender = OrganisationCode::parse(from).context("--from is not an organisation code")?;
    let recipient = OrganisationCode::parse(to).context("--to is not an organisation code")?;
    let question = Question {
        record: RecordId(Uuid::nil()),
        kind,
        sender,
        recipient,
        service: None,
        subject: None,
        decisions_pass_on: args.young_person_decides_from,
    };
    let mut consents = Vec::new();
    if let Some(status) = &args.consent {
        let kind = if args.about_the_plan { ConsentKind::Plan } else { ConsentKind::Sharing };
        let given_by =
            args.given_by.as_deref().map(|who| named::<DecisionMaker>(who, "--given-by"));
        let entry = blank(&question, named(status, "--consent")?);
        let assessed_on = entry.decided_on.filter(|_| args.assessed);
        let given_by = given_by.transpose()?;
        consents.push(ConsentEntry { kind, given_by, assessed_on, version: 1, ..entry });
    }
    for (kind, version) in args.restriction.iter().zip(2..) {
        let restriction = Some(named::<Restriction>(kind, "--restriction")?);
        let entry = blank(&question, ConsentStatus::Restricted);
        consents.push(ConsentEntry { version, restriction, ..entry });
    }
    let claimed = args.claimed_by_two.into_iter().flat_map(|claim| {
        ["first", "second"].map(|person| Override {
            person: person.to_owned(),
            organisation: question.sender.clone(),
            basis: claim.basis(),
            at: SystemClock.now(),
        })
    });
    let overrides = claimed.collect();
    Ok((question, Evidence { consents, overrides, emergency: None }))
}

/// Says that there is no such type, and which of that family there are.
fn not_a_type(name: &str) -> String {
    let family = name.split('.').next().unwrap_or_default();
    let all = MessageType::ALL.iter().map(|kind| kind.as_str());
    let (own, others): (Vec<_>, Vec<_>) =
        all.partition(|kind| kind.split('.').next() == Some(family));
    let listed = if own.is_empty() { others } else { own };
    format!("there is no message of type `{name}`; write one of: {}", listed.join(", "))
}

/// An entry of a made-up ledger, decided long ago.
fn blank(question: &Question, status: ConsentStatus) -> ConsentEntry {
    let (record, by) = (question.record, question.sender.clone());
    ConsentEntry {
        decided_on: Some(Date::constant(2000, 1, 1)),
        ..ConsentEntry::bare(status, record, by, jiff::Timestamp::UNIX_EPOCH)
    }
}

/// A word of the message schema.
fn named<T: DeserializeOwned>(word: &str, option: &str) -> anyhow::Result<T> {
    let value = serde_json::Value::String(word.to_owned());
    serde_json::from_value(value).with_context(|| format!("{option} does not know `{word}`"))
}

impl Claim {
    fn basis(self) -> Basis {
        match self {
            Self::StatutoryDutyConfirmed => Basis::Statute,
            Self::Safeguarding => Basis::SafeguardingOverride,
            Self::CourtOrTribunal => Basis::CourtOrTribunal,
            Self::BestInterests => Basis::BestInterests,
            Self::VitalInterests => Basis::VitalInterests,
        }
    }
}
