//! Logs and metrics: what an operator may see. Never a name, number, date of birth or body.
//!
//! Logs are lines of JSON (or text on a terminal), one per request. Metrics are Prometheus text,
//! labelled by route template, organisation and outcome; never by child, request or user.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use schemas::OrganisationCode;

use crate::intake::report::FileOutcome;
use crate::store::{Ageing, Counts, TransitionDay};

/// The metrics of one gateway; not a global, so that tests can run several side by side.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    /// The rules that ever had a gauge of their own.
    rules: Mutex<BTreeSet<(Ages, String)>>,
}

/// What grows old while it waits for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ages {
    /// Held deliveries.
    Holds,
    /// Reviews of releases in an emergency.
    Reviews,
    /// Alerts of odd access, and samples.
    Alerts,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Metrics that start at nothing.
    pub fn new() -> Self {
        let name = Matcher::Full("http_server_request_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        // The buckets of the OpenTelemetry semantic conventions for HTTP servers.
        let builder = builder
            .set_buckets_for_metric(name, &BUCKETS)
            .unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let metrics = Self { recorder, handle, rules: Mutex::default() };
        metrics.describe();
        metrics
    }

    /// One request was answered.
    pub fn request(&self, route: &str, method: &str, status: u16, took: Duration) {
        let labels = vec![
            Label::new("http_route", route.to_owned()),
            Label::new("http_request_method", method.to_owned()),
            Label::new("http_response_status_code", status.to_string()),
        ];
        let key = Key::from_parts("http_server_request_duration_seconds", labels);
        self.recorder.register_histogram(&key, &METADATA).record(took.as_secs_f64());
    }

    /// A submission was answered.
    pub fn submission(&self, organisation: &OrganisationCode, status: u16) {
        let labels = vec![
            Label::new("organisation", organisation.to_string()),
            Label::new("status", status.to_string()),
        ];
        let key = Key::from_parts("ehc_submissions_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// An alert of odd access was raised, by this rule.
    pub fn alert_raised(&self, rule: &str) {
        let labels = vec![Label::new("rule", rule.to_owned())];
        let key = Key::from_parts("ehc_alerts_raised_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// A message over MLLP was answered: with an acknowledgement of this code, or with none.
    pub fn mllp_message(&self, organisation: &OrganisationCode, answer: &'static str) {
        let labels = vec![
            Label::new("organisation", organisation.to_string()),
            Label::new("answer", answer),
        ];
        let key = Key::from_parts("ehc_mllp_messages_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// A message in our MESH mailbox was dealt with, in this way.
    pub fn mesh(&self, outcome: &'static str) {
        let key = Key::from_parts("ehc_mesh_messages_total", vec![Label::new("outcome", outcome)]);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// A file that was picked up from a watched folder is done with.
    pub fn watched_file(&self, organisation: &OrganisationCode, outcome: FileOutcome) {
        let labels = vec![
            Label::new("organisation", organisation.to_string()),
            Label::new("outcome", name_of(outcome)),
        ];
        let key = Key::from_parts("ehc_watched_files_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// How many files lie in a watched folder, complete or not.
    pub fn watched_waiting(&self, organisation: &OrganisationCode, count: usize) {
        let labels = vec![Label::new("organisation", organisation.to_string())];
        let key = Key::from_parts("ehc_watched_files_waiting", labels);
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.recorder.register_gauge(&key, &METADATA).set(gauge(count));
    }

    /// Connections were refused in the handshake.
    pub fn refused_connections(&self, reason: &str, count: u64) {
        let labels = vec![Label::new("reason", reason.to_owned())];
        let key = Key::from_parts("ehc_connections_refused_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(count);
    }

    /// A partner asked for something, over keys agreed in this way.
    pub fn partner(&self, organisation: &OrganisationCode, key_exchange: &'static str) {
        let labels = vec![
            Label::new("organisation", organisation.to_string()),
            Label::new("key_exchange", key_exchange),
        ];
        let key = Key::from_parts("ehc_partner_requests_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
    }

    /// What the queue holds.
    pub fn queue(&self, counts: &Counts) {
        for (state, count) in counts.by_state() {
            let key = Key::from_parts("ehc_deliveries", vec![Label::new("state", state)]);
            self.recorder.register_gauge(&key, &METADATA).set(gauge(count));
        }
        let overdue = Key::from_name("ehc_legs_overdue");
        self.recorder.register_gauge(&overdue, &METADATA).set(gauge(counts.overdue));
    }

    /// How old the newest backup is, and how often one is due; both in seconds.
    pub fn backup(&self, age: u64, every: u64) {
        for (name, value) in [("ehc_backup_age_seconds", age), ("ehc_backup_every_seconds", every)]
        {
            let key = Key::from_name(name);
            self.recorder.register_gauge(&key, &METADATA).set(gauge(value));
        }
    }

    /// How many differences in reconciliations nobody has explained, and the days the oldest is open.
    pub fn differences(&self, open: u64, days: u64) {
        for (name, value) in [("ehc_differences_open", open), ("ehc_differences_oldest_days", days)]
        {
            let key = Key::from_name(name);
            self.recorder.register_gauge(&key, &METADATA).set(gauge(value));
        }
    }

    /// What the checklists of the way to adulthood came to, on the last day worked out.
    pub fn transitions(&self, day: &TransitionDay) {
        let set = |key: &Key, count| {
            self.recorder.register_gauge(key, &METADATA).set(gauge(count));
        };
        set(&Key::from_name("ehc_transitions"), day.tracked);
        set(&Key::from_name("ehc_transition_gaps"), day.gaps);
        set(&Key::from_name("ehc_transition_gaps_overdue"), day.overdue);
        for (months, cases) in &day.within_months {
            let label = Label::new("months", months.to_string());
            set(&Key::from_parts("ehc_transitions_near_18_with_gaps", vec![label]), *cases);
        }
    }

    /// How many entries a sink of the audit log has not confirmed, and whether it takes none.
    pub fn sink(&self, sink: &str, behind: u64, lost: bool) {
        let labels = || vec![Label::new("sink", sink.to_owned())];
        let key = Key::from_parts("ehc_audit_sink_behind_entries", labels());
        self.recorder.register_gauge(&key, &METADATA).set(gauge(behind));
        let key = Key::from_parts("ehc_audit_sink_lost", labels());
        self.recorder.register_gauge(&key, &METADATA).set(gauge(u64::from(lost)));
    }

    /// How long the first checkpoint waits that nobody outside is known to hold, in seconds.
    pub fn outside(&self, age: u64) {
        let key = Key::from_name("ehc_audit_outside_age_seconds");
        self.recorder.register_gauge(&key, &METADATA).set(gauge(age));
    }

    /// The same of one that is set up to hold them: a witness, the published folder or a sink.
    pub fn holder(&self, holder: &str, age: u64) {
        let labels = vec![Label::new("holder", holder.to_owned())];
        let key = Key::from_parts("ehc_audit_holder_age_seconds", labels);
        self.recorder.register_gauge(&key, &METADATA).set(gauge(age));
    }

    /// What waits for people, by rule, and how long the oldest has waited. Rules that hold nothing
    /// any more fall to zero.
    pub fn ageing(&self, what: Ages, ageing: &[Ageing], now: Timestamp) {
        let (count, oldest) = match what {
            Ages::Holds => ("ehc_holds", "ehc_holds_oldest_seconds"),
            Ages::Reviews => ("ehc_reviews", "ehc_reviews_oldest_seconds"),
            Ages::Alerts => ("ehc_alerts", "ehc_alerts_oldest_seconds"),
        };
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        rules.extend(ageing.iter().map(|one| (what, one.rule.clone())));
        for (_, rule) in rules.iter().filter(|(of, _)| *of == what) {
            let found = ageing.iter().find(|one| one.rule == *rule);
            let waited = found.map_or(0, |one| now.duration_since(one.oldest).as_secs().max(0));
            let labels = || vec![Label::new("rule", rule.clone())];
            let key = Key::from_parts(count, labels());
            let held = found.map_or(0, |one| one.count);
            self.recorder.register_gauge(&key, &METADATA).set(gauge(held));
            let key = Key::from_parts(oldest, labels());
            let waited = u64::try_from(waited).unwrap_or(0);
            self.recorder.register_gauge(&key, &METADATA).set(gauge(waited));
        }
    }

    /// The Prometheus text.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    fn describe(&self) {
        let text = |name: &'static str| KeyName::from_const_str(name);
        let about = |words: &'static str| SharedString::const_str(words);
        self.recorder.describe_histogram(
            text("http_server_request_duration_seconds"),
            Some(Unit::Seconds),
            about("How long requests took, by route template, method and status."),
        );
        self.recorder.describe_counter(
            text("ehc_submissions_total"),
            None,
            about("Submissions answered, by organisation and status."),
        );
        self.recorder.describe_counter(
            text("ehc_alerts_raised_total"),
            None,
            about("Alerts of odd access raised by this process, by rule."),
        );
        self.recorder.describe_counter(
            text("ehc_mllp_messages_total"),
            None,
            about("HL7 v2 messages answered over MLLP, by organisation and acknowledgement."),
        );
        self.recorder.describe_counter(
            text("ehc_watched_files_total"),
            None,
            about("Files picked up from watched folders, by organisation and outcome."),
        );
        self.recorder.describe_gauge(
            text("ehc_watched_files_waiting"),
            None,
            about("Files that lie in a watched folder, complete or not."),
        );
        self.recorder.describe_gauge(text("ehc_deliveries"), None, about("Deliveries by state."));
        for (name, words) in GAUGES {
            self.recorder.describe_gauge(text(name), None, about(words));
        }
        self.recorder.describe_gauge(
            text("ehc_legs_overdue"),
            None,
            about("Legs that owe an answer and whose date has passed."),
        );
        self.recorder.describe_gauge(
            text("ehc_differences_open"),
            None,
            about("Differences that partners found in statements and nobody has explained."),
        );
        self.recorder.describe_gauge(
            text("ehc_differences_oldest_days"),
            None,
            about("How many days the oldest of them is open."),
        );
        for (name, words) in TRANSITIONS {
            self.recorder.describe_gauge(text(name), None, about(words));
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// A count as Prometheus has it; more than four thousand million is a fault, not a figure.
fn gauge(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// An error and its sources, in one line. Our errors hold no personal data; drivers' are cut to
/// their first line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        text.push_str(": ");
        text.push_str(cause_text.lines().next().unwrap_or_default());
        source = cause.source();
    }
    text
}

/// The name a value of a closed set has on the wire, for logs, tables and the log.
pub fn name_of(value: impl serde::Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// Starts logging to standard error. Called once by a command; a second call changes nothing.
pub fn start_logging(level: tracing::Level, json: bool) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    let filter = tracing_subscriber::filter::Targets::new()
        .with_target("gateway", level)
        .with_target("ehc_gateway", level)
        .with_default(tracing::Level::WARN.min(level));
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = if json {
        registry.with(layer.json().flatten_event(true)).try_init()
    } else {
        registry.with(layer.with_ansi(false)).try_init()
    };
    // A second start is a second command in one process (tests): the first one's logs go on.
    drop(started);
}

const METADATA: Metadata<'static> = Metadata::new("gateway", Level::INFO, None);

const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Gauges about what waits, and how far behind something is, with their meaning.
const GAUGES: [(&str, &str); 12] = [
    (
        "ehc_audit_outside_age_seconds",
        "How long the first checkpoint waits that nobody outside is known to hold.",
    ),
    (
        "ehc_audit_holder_age_seconds",
        "The same of each witness, of the published folder and of each sink.",
    ),
    ("ehc_audit_sink_behind_entries", "Entries that a sink of the log has not confirmed."),
    ("ehc_audit_sink_lost", "1 while a sink of the log takes no entries."),
    ("ehc_holds", "Deliveries that wait for a person, by the rule that holds them."),
    ("ehc_holds_oldest_seconds", "How long the oldest of them has waited."),
    ("ehc_reviews", "Releases in an emergency that nobody has reviewed."),
    ("ehc_reviews_oldest_seconds", "How long the oldest of them has waited."),
    ("ehc_alerts", "Alerts of odd access and samples that nobody has signed off, by rule."),
    ("ehc_alerts_oldest_seconds", "How long the oldest of them has waited."),
    ("ehc_backup_age_seconds", "How long ago the newest backup was made."),
    ("ehc_backup_every_seconds", "How often the gateway makes one by itself; 0 never."),
];

/// Gauges about cases on the way to adulthood.
const TRANSITIONS: [(&str, &str); 4] = [
    ("ehc_transitions", "Cases on the way to adulthood, as of the last day worked out."),
    ("ehc_transition_gaps", "Items of their checklists that are missing."),
    ("ehc_transition_gaps_overdue", "Items that are missing and whose day has passed."),
    (
        "ehc_transitions_near_18_with_gaps",
        "Cases with gaps, by the months before the 18th birthday they are within; 0 from the day on.",
    ),
];
