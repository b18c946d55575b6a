//! Against our stricter double: the rules that the sandbox does not check, and how servers fail.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use adapters::mesh::{Mailbox, TokenParts, TrackingStatus, WorkflowId};
use gateway::clock::{Clock, FrozenClock};
use gateway::config::MeshSection;
use gateway::delivery::SendError;
use gateway::delivery::mesh::exchange::{Exchange, Letter, MeshError};
use gateway::practice::mailbox::{
    MailboxFiles, MailboxPlan, Mailboxes, Mood, PASSWORD, SHARED_KEY,
};
use jiff::SignedDuration;
use schemas::OrganisationCode;
use tempfile::TempDir;
use tests::sandbox::mailbox;

/// A double with two mailboxes and one workflow.
struct World {
    _folder: TempDir,
    files: MailboxFiles,
    server: Mailboxes,
    clock: Arc<FrozenClock>,
}

impl World {
    async fn open(change: impl FnOnce(&mut MailboxPlan)) -> Self {
        let folder = TempDir::new().expect("a folder");
        let now = jiff::Timestamp::from_second(1_790_000_000).expect("a time");
        let clock = Arc::new(FrozenClock::new(now));
        let code = |code| OrganisationCode::parse(code).expect("a code");
        let owners = [("gateway", code("EHCGW")), ("trust", code("RXT"))];
        let files = MailboxFiles::mint(folder.path(), &owners, now).expect("files");
        let [ours, theirs] = [mailbox("X26ABC1"), mailbox("X26ABC2")];
        let mut plan = MailboxPlan {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            mailboxes: vec![(ours.clone(), code("EHCGW")), (theirs.clone(), code("RXT"))],
            allowed: vec![(ours, theirs, workflow("EHC_ADVICE_REQ"))],
            clock: Arc::<FrozenClock>::clone(&clock),
            request_bytes_max: 4096,
            page: 2,
        };
        change(&mut plan);
        let server = Mailboxes::open(&files, plan).await.expect("a server");
        Self { _folder: folder, files, server, clock }
    }

    fn exchange(&self, owner: &str, change: impl FnOnce(&mut MeshSection)) -> Exchange {
        let mailbox = mailbox(if owner == "gateway" { "X26ABC1" } else { "X26ABC2" });
        let clock = Arc::<FrozenClock>::clone(&self.clock);
        let made = self.files.exchange((owner, &mailbox), self.server.address(), clock, change);
        made.expect("an exchange")
    }

    /// One handshake with a token of the test's own making; the status.
    async fn greet_with(&self, path: &str, token: &str) -> u16 {
        let section = self.files.section("gateway", &mailbox("X26ABC1"), self.server.address());
        let clock = Arc::<FrozenClock>::clone(&self.clock);
        let tls = gateway::tls::mesh_client_config(&section.expect("settings"), clock);
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.expect("a configuration"))
            .no_proxy()
            .build()
            .expect("a client");
        let port = self.server.address().port();
        let request = client
            .post(format!("https://localhost:{port}/messageexchange/{path}"))
            .header("authorization", token)
            .header("mex-clientversion", "a test")
            .header("mex-osname", "any")
            .header("mex-osversion", "any");
        request.send().await.expect("an answer").status().as_u16()
    }
}

fn workflow(id: &str) -> WorkflowId {
    WorkflowId::parse(id).expect("a workflow id")
}

fn letter<'a>(to: &'a Mailbox, workflow: &'a WorkflowId, body: &'a [u8]) -> Letter<'a> {
    let local_id = "0196f000-0000-7000-8000-000000000001";
    let content_type = "application/json";
    Letter { to, workflow, local_id, subject: "advice.request", content_type, body }
}

fn token(parts: &TokenParts) -> String {
    let text = parts.signed_text(PASSWORD);
    let mac = gateway::entropy::hmac_sha256(SHARED_KEY.as_bytes(), text.as_bytes());
    parts.authorization(&gateway::entropy::hex(&mac))
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for counter in 0..=length / 32 {
        bytes.extend(gateway::entropy::sha256(&counter.to_be_bytes()));
    }
    bytes.truncate(length);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_once_for_two_hours_and_in_upper_case() {
    let world = World::open(|_| {}).await;
    let now = world.clock.now();
    let fresh = TokenParts::new(mailbox("X26ABC1"), "n-1".to_owned(), 0, now);
    assert_eq!(world.greet_with("X26ABC1", &token(&fresh)).await, 200);
    assert_eq!(world.greet_with("X26ABC1", &token(&fresh)).await, 403, "used before");
    let counted = TokenParts { count: 1, ..fresh.clone() };
    assert_eq!(world.greet_with("X26ABC1", &token(&counted)).await, 200, "a rising count is new");
    for (hours, expected) in [(-3, 403), (-1, 200), (1, 200), (3, 403)] {
        let at = now + SignedDuration::from_hours(hours);
        let aged = TokenParts::new(mailbox("X26ABC1"), format!("aged {hours}"), 0, at);
        let status = world.greet_with("X26ABC1", &token(&aged)).await;
        assert_eq!(status, expected, "{hours} hours off");
    }
    let fresh = TokenParts { nonce: "n-2".to_owned(), ..fresh };
    assert_eq!(world.greet_with("x26abc1", &token(&fresh)).await, 403, "lower case in the path");
    let lower = token(&fresh).replace("X26ABC1", "x26abc1");
    assert_eq!(world.greet_with("X26ABC1", &lower).await, 403, "lower case in the token");
    let theirs = TokenParts::new(mailbox("X26ABC2"), "n-3".to_owned(), 0, now);
    let status = world.greet_with("X26ABC2", &token(&theirs)).await;
    assert_eq!(status, 403, "another organisation's certificate");
    world.server.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_client_keeps_a_clock_of_its_own_and_a_token_for_each_request() {
    let world = World::open(|_| {}).await;
    let ours = world.exchange("gateway", |_| {});
    for _ in 0..3 {
        ours.handshake().await.expect("a fresh token each time");
    }
    assert_eq!(world.server.handshakes(), 3);
    ours.greet().await.expect("greeted");
    ours.greet().await.expect("greeted before");
    assert_eq!(world.server.handshakes(), 4, "greeted once");
    world.server.feel(Mood::Busy(2));
    assert!(ours.list(None, None).await.expect("tried again").messages.is_empty());
    world.server.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_that_is_not_enabled_and_a_request_too_large_are_refused_for_good() {
    let world = World::open(|_| {}).await;
    let ours = world.exchange("gateway", |_| {});
    let (to, wrong) = (mailbox("X26ABC2"), workflow("TOC_FHIR_IP_DISCH"));
    let refused = ours.send(&letter(&to, &wrong, b"{}")).await.expect_err("not enabled");
    let SendError::Permanent(reason) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("code 17 (the workflow is not registered"), "{reason}");

    let (right, large) = (workflow("EHC_ADVICE_REQ"), noise(6000));
    let refused = ours.send(&letter(&to, &right, &large)).await.expect_err("too large");
    assert!(
        matches!(&refused, SendError::Permanent(reason) if reason.contains("413")),
        "{refused:?}"
    );
    assert_eq!(world.server.taken(), 0);

    let chunked = world.exchange("gateway", |mesh| {
        mesh.chunk_bytes = 2048.try_into().expect("a size");
    });
    let id = chunked.send(&letter(&to, &right, &large)).await.expect("taken in chunks");
    let theirs = world.exchange("trust", |_| {});
    let arriving = theirs.fetch(&id).await.expect("headers");
    assert_eq!(arriving.headers.chunk.total, 3);
    let too_much = theirs.fetch(&id).await.expect("headers");
    let refused = theirs.rest(too_much, 4000).await.expect_err("bounded over all chunks");
    assert!(matches!(refused, MeshError::Unusable(_)), "{refused:?}");
    assert_eq!(theirs.rest(arriving, 6000).await.expect("whole"), large);
    theirs.acknowledge(&id).await.expect("acknowledged");
    let gone = theirs.fetch(&id).await.expect_err("no download after the acknowledgement");
    assert!(matches!(gone, MeshError::Gone(410)), "{gone:?}");
    world.server.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_post_is_sent_once_and_a_lost_last_answer_is_resolved_by_tracking() {
    let world = World::open(|_| {}).await;
    let (to, id) = (mailbox("X26ABC2"), workflow("EHC_ADVICE_REQ"));
    let ours = world.exchange("gateway", |mesh| {
        mesh.chunk_bytes = 1024.try_into().expect("a size");
    });
    world.server.feel(Mood::LoseFirstAnswers);
    let lost = ours.send(&letter(&to, &id, b"{}")).await.expect_err("no answer");
    assert!(matches!(lost, SendError::Unknown(_)), "{lost:?}");
    assert_eq!(world.server.taken(), 1, "one POST, though it may have been taken");

    world.server.feel(Mood::Busy(1));
    let busy = ours.send(&letter(&to, &id, b"{}")).await.expect_err("busy");
    assert!(matches!(busy, SendError::Transient(_)), "refused before it was looked at: {busy:?}");
    assert_eq!(world.server.taken(), 1);

    world.server.feel(Mood::LoseLastAnswer);
    let message = ours.send(&letter(&to, &id, &noise(2000))).await.expect("MESH says it is whole");
    let tracked = ours.track(&message).await.expect("an answer").expect("known");
    assert_eq!(tracked.status, TrackingStatus::Accepted);
    assert_eq!(world.server.taken(), 2);
    world.server.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inbox_is_listed_page_by_page() {
    let world = World::open(|_| {}).await;
    let (to, id) = (mailbox("X26ABC2"), workflow("EHC_ADVICE_REQ"));
    let ours = world.exchange("gateway", |_| {});
    for _ in 0..5 {
        ours.send(&letter(&to, &id, b"{}")).await.expect("taken");
    }
    let theirs = world.exchange("trust", |_| {});
    let (mut sizes, mut next) = (Vec::new(), None);
    loop {
        let page = theirs.list(None, next.as_deref()).await.expect("a page");
        sizes.push(page.messages.len());
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    for (filter, count) in [("EHC_ADVICE_REQ", 2), ("!EHC*", 0), ("*ADVICE*", 2), ("OTHER", 0)] {
        let page = theirs.list(Some(filter), None).await.expect("a page");
        assert_eq!(page.messages.len(), count, "{filter}");
    }
    world.server.close().await;
}
