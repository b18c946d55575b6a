//! A whole gateway for one test: its own folder, database, certificates and clock.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use gateway::clock::{Clock, FrozenClock};
use gateway::practice::client::Partner;
use gateway::practice::folders::Folders;
use gateway::practice::people::{self, Row};
use gateway::practice::{Cast, Plan, Stage, StorePlan, Trust};
use jiff::civil::Date;
use serde_json::Value;
use tempfile::TempDir;

use crate::postgres;

/// Which database a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// A server of the test run's own.
    Postgres,
}

/// A gateway and its partners, all real, on this machine.
pub struct TestGateway {
    /// Which database it runs on.
    pub engine: Engine,
    /// The partners and the running gateway.
    pub cast: Cast,
    /// The clock, which the test moves.
    pub clock: Arc<FrozenClock>,
    folder: TempDir,
}

/// Runs a test on SQLite, and on PostgreSQL where it is installed (in CI it must be).
pub fn each_engine<F, T>(name: &str, test: F)
where
    F: Fn(TestGateway) -> T,
    T: Future<Output = ()>,
{
    each_engine_prepared(name, &async |_, _| (), |gateway, ()| test(gateway));
}

/// The same with a stage made ready by `prepare`, whose result the test is given.
pub fn each_engine_prepared<P, F, T>(
    name: &str,
    prepare: &impl AsyncFn(&Stage, Arc<dyn Clock>) -> P,
    test: F,
) where
    F: Fn(TestGateway, P) -> T,
    T: Future<Output = ()>,
{
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let (gateway, prepared) = TestGateway::prepared(Engine::Sqlite, None, prepare).await;
        test(gateway, prepared).await;
        if let Some(cluster) = postgres::Cluster::find() {
            let url = Some(cluster.make_database());
            let (gateway, prepared) = TestGateway::prepared(Engine::Postgres, url, prepare).await;
            test(gateway, prepared).await;
        } else {
            eprintln!("the PostgreSQL half of {name} did not run");
        }
    });
}

/// Runs a test on SQLite with a mental health trust whose letters never say a profession.
pub fn with_letters_from_a_psychologist(test: impl AsyncFnOnce(&TestGateway)) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let changed = gateway.cast.change_partner("RXT", |partner| {
            partner.feed = toml::from_str(
                "constants = { \"advice.author_profession\" = \"Clinical psychologist\" }",
            )
            .expect("a feed");
        });
        changed.await.expect("the partner is changed");
        test(&gateway).await;
        gateway.end().await;
    });
}

impl TestGateway {
    /// A gateway on SQLite, for tests that are about something other than the store.
    pub async fn start(engine: Engine) -> Self {
        Self::start_on(engine, None).await
    }

    async fn start_on(engine: Engine, url: Option<String>) -> Self {
        Self::prepared(engine, url, &async |_, _| ()).await.0
    }

    /// One on SQLite whose time begins so many days ago: what is over in it by its days is so too for
    /// a command, which has this machine's clock.
    pub async fn days_ago(days: i64) -> Self {
        let start = now_s() - days * 24 * 60 * 60;
        Self::begun_at(start, (Engine::Sqlite, None), &async |_, _| ()).await.0
    }

    /// A gateway whose stage is made ready by `prepare` before it rises.
    pub async fn prepared<P>(
        engine: Engine,
        url: Option<String>,
        prepare: &impl AsyncFn(&Stage, Arc<dyn Clock>) -> P,
    ) -> (Self, P) {
        Self::begun_at(now_s(), (engine, url), prepare).await
    }

    async fn begun_at<P>(
        start: i64,
        (engine, url): (Engine, Option<String>),
        prepare: &impl AsyncFn(&Stage, Arc<dyn Clock>) -> P,
    ) -> (Self, P) {
        let folder = TempDir::new().expect("a folder");
        let start = jiff::Timestamp::from_second(start).expect("a time");
        let clock = Arc::new(FrozenClock::new(start));
        let plan = Plan {
            dir: folder.path().to_owned(),
            store: url.map_or(StorePlan::Sqlite, StorePlan::Postgres),
            clock: Arc::<FrozenClock>::clone(&clock),
        };
        let stage = Stage::set(plan).expect("a stage");
        let prepared = prepare(&stage, Arc::<FrozenClock>::clone(&clock)).await;
        let cast = Cast::rise(stage).await.expect("the practice gateway starts");
        (Self { engine, cast, clock, folder }, prepared)
    }

    /// Stops the gateway and starts it again on the same files and database.
    pub async fn restart(self) -> Self {
        self.restart_after(|_| ()).await
    }

    /// Stops the gateway, does something to the folder it works in, and starts it again there.
    pub async fn restart_after(self, between: impl FnOnce(&Path)) -> Self {
        let Self { engine, cast, clock, folder } = self;
        let stage = cast.fall().await;
        between(folder.path());
        let cast = Cast::rise(stage).await.expect("the practice gateway starts again");
        Self { engine, cast, clock, folder }
    }

    /// Stops the gateway for good, and keeps its files while the folder is kept.
    pub async fn put_to_rest(self) -> (Stage, TempDir) {
        (self.cast.fall().await, self.folder)
    }

    /// Starts the gateway again with the community trust reached by FHIR messages.
    pub async fn with_fhir_messages(self, format: adapters::Format) -> Self {
        let Self { engine, cast, clock, folder } = self;
        let stage = cast.fall().await;
        stage.send_fhir_messages(format).expect("the partners file is written");
        let cast = Cast::rise(stage).await.expect("the practice gateway starts again");
        Self { engine, cast, clock, folder }
    }

    /// Starts the gateway again with a second local authority next door.
    pub async fn with_neighbour(self) -> (Self, Partner) {
        let Self { engine, cast, clock, folder } = self;
        let stage = cast.fall().await;
        stage.admit_neighbour().expect("the partners file is written");
        let neighbour = stage.caller("authority-330").expect("a certificate");
        let cast = Cast::rise(stage).await.expect("the practice gateway starts again");
        (Self { engine, cast, clock, folder }, neighbour)
    }

    /// Starts the gateway again with folders for the local authority: its exports are watched, and
    /// it is written to in this format.
    pub async fn with_folders(self, format: adapters::Format) -> (Self, Folders) {
        let Self { engine, cast, clock, folder } = self;
        let stage = cast.fall().await;
        let folders = stage.exchange_folders("334", format).expect("folders");
        let cast = Cast::rise(stage).await.expect("the practice gateway starts again");
        (Self { engine, cast, clock, folder }, folders)
    }

    /// Moves the clock on until something is so, or fails after a time.
    pub async fn until(&self, what: &str, so: impl Fn() -> bool) {
        for _ in 0..400 {
            if so() {
                return;
            }
            self.clock.advance(jiff::SignedDuration::from_secs(1));
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{what}: this did not come about");
    }

    /// Ends the test: the log must verify.
    pub async fn end(self) {
        let verified = self.cast.verify_log().await.expect("the log can be read");
        assert!(verified.is_whole(), "the audit log does not verify: {:?}", verified.faults);
        self.cast.fall().await;
    }

    /// The folder the gateway works in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The local authority.
    pub fn la(&self) -> &Partner {
        self.cast.authority()
    }

    /// The trust that collects FHIR.
    pub fn acute(&self) -> &Partner {
        self.cast.trust(Trust::Acute)
    }

    /// The trust that collects JSON.
    pub fn mental(&self) -> &Partner {
        self.cast.trust(Trust::Mental)
    }

    /// The trust that is pushed to.
    pub fn community(&self) -> &Partner {
        self.cast.trust(Trust::Community)
    }

    /// The information governance auditor.
    pub fn auditor(&self) -> &Partner {
        self.cast.auditor()
    }

    /// Today, by the test's clock.
    pub fn today(&self) -> Date {
        Clock::today(self.clock.as_ref())
    }

    /// Pushes an extract with these rows; the answer's rows.
    pub async fn push_rows(&self, key: &str, rows: &[Row]) -> Vec<Value> {
        let extract = people::extract(rows, self.today());
        let reply = self.la().post("/v1/messages", "text/csv", key, extract).await;
        let reply = reply.expect("an answer");
        assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
        reply.json()["rows"].as_array().expect("rows").clone()
    }

    /// Sends one request about a child to one service; the leg.
    pub async fn request(&self, number: u32, service: &str) -> String {
        let id = format!("AR-{number}-{service}");
        let message =
            people::request(&self.la().code, &id, &people::child(number), &[service], self.today());
        let reply = self.la().send(&id, &message).await.expect("an answer");
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["rows"][0]["legs"][0]["leg"].as_str().expect("a leg").to_owned()
    }

    /// The board as a partner sees it.
    pub async fn board(&self, partner: &Partner) -> Vec<Value> {
        let reply = partner.get("/v1/board", None).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["legs"].as_array().expect("legs").clone()
    }

    /// The ids waiting in a partner's inbox.
    pub async fn inbox(&self, partner: &Partner) -> Vec<String> {
        let reply = partner.get("/v1/inbox", None).await.expect("an answer");
        assert_eq!(reply.status, 200, "{}", reply.text());
        let reply = reply.json();
        let lines = reply["deliveries"].as_array().expect("deliveries");
        lines.iter().map(|line| line["delivery"].as_str().expect("an id").to_owned()).collect()
    }
}

fn now_s() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time")
}

/// Adds a schedule to a configuration by which look-ups of the log, and the ledger that needs them, are
/// kept for a year instead of thirty-five.
pub fn keep_look_ups_for_a_year(configuration: &Path) {
    let text = std::fs::read_to_string(configuration).expect("a configuration");
    let text = text + "\n[retention]\nschedule = \"retention.toml\"\n";
    std::fs::write(configuration, text).expect("it is written");
    let shipped = include_str!("../../gateway/rules/retention-1.toml");
    let beside = configuration.parent().expect("a folder").join("retention.toml");
    std::fs::write(beside, shipped.replace("35 years", "1 years")).expect("it is written");
}
