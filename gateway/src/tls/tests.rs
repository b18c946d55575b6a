mod stage;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::config::Partners;
use crate::pki::VillainKind;
use stage::{LIMITS, Open, Stage, code};

#[tokio::test]
async fn a_partner_gets_through_with_hybrid_key_exchange() {
    let stage = Stage::set().await;
    let answer = stage.call(stage.caller(Some(stage.la()))).await;
    assert_eq!(answer.as_deref(), Some("334 X25519MLKEM768."));
    assert!(stage.refused().is_empty());
}

#[tokio::test]
async fn every_villain_is_refused_before_a_byte_of_http_is_read() {
    let stage = Stage::set().await;
    for villain in stage.practice.villains() {
        let answer = stage.call(stage.caller(Some(&villain.issued))).await;
        assert_eq!(answer, None, "{:?}", villain.kind);
        let reason = match villain.kind {
            VillainKind::Expired => "certificate-expired",
            VillainKind::NotYetValid => "certificate-not-yet-valid",
            VillainKind::WrongAuthority | VillainKind::SelfSigned => "authority-unknown",
            VillainKind::ImpostorAuthority => "signature-wrong",
            VillainKind::ServerOnly
            | VillainKind::AuthorityAsLeaf
            | VillainKind::IssuedByPartner
            | VillainKind::CriticalExtension => "certificate-wrong-use",
            VillainKind::Revoked => "certificate-revoked",
            VillainKind::UnknownKey => "key-unknown",
            VillainKind::NoOrganisation => "organisation-missing",
            VillainKind::TwoOrganisations => "organisation-ambiguous",
            VillainKind::WrongOrganisation
            | VillainKind::WildcardOrganisation
            | VillainKind::PaddedOrganisation => "organisation-mismatch",
        };
        assert_eq!(stage.refusal().await, [reason], "{:?}", villain.kind);
    }
    assert_eq!(stage.practice.villains().len(), 16);
    assert_eq!(stage.answered(), 0);
}

#[tokio::test]
async fn a_caller_without_a_certificate_gets_nothing() {
    let stage = Stage::set().await;
    assert_eq!(stage.call(stage.caller(None)).await, None);
    assert_eq!(stage.refusal().await, ["certificate-missing"]);
    assert_eq!(stage.answered(), 0);
}

#[tokio::test]
async fn a_stolen_certificate_is_nothing_without_its_key() {
    let stage = Stage::set().await;
    let thief = stage.practice.renew("la").expect("a key");
    let tls13 = &rustls::version::TLS13;
    let caller = stage.caller_with(Some(stage.la()), Some(&thief), provider(false), tls13);
    assert_eq!(stage.call(caller).await, None);
    assert_eq!(stage.refusal().await, ["signature-wrong"]);
    assert_eq!(stage.answered(), 0);
}

#[tokio::test]
async fn an_older_protocol_is_refused() {
    let stage = Stage::set().await;
    let (la, tls12) = (Some(stage.la()), &rustls::version::TLS12);
    assert_eq!(stage.call(stage.caller_with(la, la, provider(false), tls12)).await, None);
    assert_eq!(stage.refusal().await, ["tls-incompatible"]);
}

#[tokio::test]
async fn plain_http_gets_no_answer_in_http() {
    let stage = Stage::set().await;
    let mut socket = TcpStream::connect(stage.address).await.expect("connected");
    socket.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"));
    assert_eq!(stage.refusal().await, ["tls-broken"]);
    assert_eq!(stage.answered(), 0);
}

#[tokio::test]
async fn a_classical_caller_is_served_unless_hybrid_is_required() {
    let classical = || Arc::new(ring::default_provider());
    let tls13 = &rustls::version::TLS13;

    let stage = Stage::set().await;
    let la = Some(stage.la());
    let answer = stage.call(stage.caller_with(la, la, classical(), tls13)).await;
    assert_eq!(answer.as_deref(), Some("334 x25519."));

    let stage = Stage::set_with("require_hybrid = true", |_| {}).await;
    let la = Some(stage.la());
    assert_eq!(stage.call(stage.caller_with(la, la, classical(), tls13)).await, None);
    assert_eq!(stage.refusal().await, ["key-exchange-not-hybrid"]);
    assert!(stage.call(stage.caller(la)).await.is_some());

    let stage = Stage::set_with("", |settings| settings.require_hybrid = true).await;
    let la = Some(stage.la());
    assert_eq!(stage.call(stage.caller_with(la, la, classical(), tls13)).await, None);
    assert_eq!(stage.refusal().await, ["tls-incompatible"]);
    assert!(stage.call(stage.caller(la)).await.is_some());
}

#[tokio::test]
async fn a_revoked_partner_is_refused_on_new_and_on_open_connections() {
    let stage = Stage::set().await;
    let mut open = stage.connect(stage.caller(Some(stage.la()))).await.expect("connected");
    let trust = &stage.practice.partner("trust").expect("planned").client;
    let mut other = stage.connect(stage.caller(Some(trust))).await.expect("connected");
    assert!(open.ask("/").await.is_some());
    assert!(other.ask("/").await.is_some());

    stage.revoke(&[stage.la()]);
    assert_eq!(stage.tls.reload().expect("reloaded"), [TrustChange::RevocationLists]);

    assert_eq!(open.ask("/").await, None);
    assert_eq!(stage.refusal().await, ["certificate-revoked"]);
    assert_eq!(stage.call(stage.caller(Some(stage.la()))).await, None);
    assert_eq!(stage.refusal().await, ["certificate-revoked"]);
    assert!(other.ask("/").await.is_some(), "another partner's connection stays open");
    assert_eq!(stage.answered(), 3);
}

#[tokio::test]
async fn a_certificate_that_ends_while_connected_ends_the_connection() {
    let stage = Stage::set().await;
    let mut open = stage.connect(stage.caller(Some(stage.la()))).await.expect("connected");
    assert!(open.ask("/").await.is_some());
    stage.pass(31);
    assert_eq!(open.ask("/").await, None);
    assert_eq!(stage.refusal().await, ["certificate-expired"]);
}

#[tokio::test]
async fn an_outdated_revocation_list_lets_nobody_in() {
    let stage = Stage::set().await;
    let list = stage.practice.revocation_list_with(&[], stage::now(), 1).expect("a list");
    std::fs::write(stage.path("authority/revoked.pem"), list).expect("written");
    stage.tls.reload().expect("reloaded");
    assert!(stage.call(stage.caller(Some(stage.la()))).await.is_some());
    stage.pass(2);
    assert_eq!(stage.call(stage.caller(Some(stage.la()))).await, None);
    assert_eq!(stage.refusal().await, ["revocation-unknown"]);
}

#[tokio::test]
async fn a_broken_file_leaves_the_last_good_ones_in_force() {
    let stage = Stage::set().await;
    for file in
        ["authority/revoked.pem", "authority/certificate.pem", "gateway/key.pem", "partners.toml"]
    {
        let good = std::fs::read(stage.path(file)).expect("there");
        for bad in [&b"nonsense ="[..], &good[..good.len() / 2], b"", b"0\x82\xff\xff\x02\x01"] {
            std::fs::write(stage.path(file), bad).expect("written");
            if file == "partners.toml" && bad.starts_with(b"[[partner]]") {
                continue; // Half of this file is a file: it has one partner.
            }
            let error = stage.tls.reload().expect_err(file).to_string();
            assert!(error.contains(file), "{error}");
        }
        assert!(stage.call(stage.caller(Some(stage.la()))).await.is_some(), "{file}");
        std::fs::write(stage.path(file), &good).expect("written");
        assert_eq!(stage.tls.reload().expect("as before"), []);
    }
}

#[tokio::test]
async fn pins_overlap_for_a_renewal() {
    let stage = Stage::set().await;
    let (old, new) = (stage.la(), stage.practice.renew("la").expect("a certificate"));
    let mut open = stage.connect(stage.caller(Some(old))).await.expect("connected");
    assert!(open.ask("/").await.is_some());
    assert_eq!(stage.call(stage.caller(Some(&new))).await, None);
    assert_eq!(stage.refusal().await, ["key-unknown"]);

    stage.set_la_pins(&[old.pin(), new.pin()]);
    let changes = stage.tls.reload().expect("reloaded");
    assert!(matches!(changes[..], [TrustChange::Partners { .. }]), "{changes:?}");
    assert!(stage.call(stage.caller(Some(old))).await.is_some());
    assert!(stage.call(stage.caller(Some(&new))).await.is_some());
    assert!(open.ask("/").await.is_some(), "the open connection was not dropped");

    stage.set_la_pins(&[new.pin()]);
    stage.tls.reload().expect("reloaded");
    assert_eq!(open.ask("/").await, None);
    assert_eq!(stage.call(stage.caller(Some(old))).await, None);
    assert!(stage.call(stage.caller(Some(&new))).await.is_some());
}

#[tokio::test]
async fn no_session_is_resumed() {
    let stage = Stage::set().await;
    let config = Arc::new(stage.caller(Some(stage.la())));
    for _ in 0..2 {
        let mut open = stage.connect_shared(Arc::clone(&config)).await.expect("connected");
        assert!(open.ask("/").await.is_some());
        let kind = open.0.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test]
async fn a_push_reaches_the_pinned_organisation_and_nobody_else() {
    let stage = Stage::set().await;
    let dyn_clock: Arc<dyn Clock> = Arc::<crate::clock::FrozenClock>::clone(&stage.clock);
    let la = TlsSection {
        certificate: stage.path("partners/la/certificate.pem"),
        key: stage.path("partners/la/key.pem"),
        ..stage.settings.clone()
    };
    let gateway = stage.practice.gateway().pin();
    let other = stage.la().pin();
    for (organisation, pins, reached) in [
        ("QHL", vec![gateway], true),
        ("QHL", vec![other, gateway], true),
        ("QHL", vec![other], false),
        ("QHL", vec![], false),
        ("RRK", vec![gateway], false),
    ] {
        let target = Partner {
            organisation: code(organisation),
            server_pins: pins.into_iter().collect(),
            folder: None,
            watch: None,
            ..any_partner(&stage)
        };
        let config = client_config(&la, &target, Arc::clone(&dyn_clock)).expect("a configuration");
        let answer = stage.call(config).await;
        assert_eq!(answer.is_some(), reached, "{organisation}");
    }
    assert_eq!(stage.answered(), 2);
}

#[tokio::test]
async fn a_push_configuration_serves_the_http_client() {
    let stage = Stage::set().await;
    let dyn_clock: Arc<dyn Clock> = Arc::<crate::clock::FrozenClock>::clone(&stage.clock);
    let la = TlsSection {
        certificate: stage.path("partners/la/certificate.pem"),
        key: stage.path("partners/la/key.pem"),
        ..stage.settings.clone()
    };
    for (pin, reached) in [(stage.practice.gateway().pin(), true), (stage.la().pin(), false)] {
        let target =
            Partner { organisation: code("QHL"), server_pins: [pin].into(), ..any_partner(&stage) };
        let config = client_config(&la, &target, Arc::clone(&dyn_clock)).expect("a configuration");
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let url = format!("https://localhost:{}/", stage.address.port());
        let answer = client.get(url).send().await;
        assert_eq!(answer.is_ok(), reached);
        if let Ok(answer) = answer {
            assert_eq!(answer.text().await.expect("a body"), "334 X25519MLKEM768.");
        }
    }
}

fn any_partner(stage: &Stage) -> Partner {
    let partners = stage.tls.peers().partners();
    Partner { server_pins: BTreeSet::new(), ..partners.iter().next().expect("one").clone() }
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_that_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::set().await;
    let open = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(stage.path("gateway/key.pem"), open).expect("opened");
    let error = stage.tls.reload().expect_err("refused").to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[tokio::test]
async fn a_silent_caller_is_cut_off() {
    let stage = Stage::set().await;
    let mut socket = TcpStream::connect(stage.address).await.expect("connected");
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer));
    let _ = ended.await.expect("the gateway hung up");
    assert!(answer.is_empty());
    assert_eq!(stage.refusal().await, ["handshake-timeout"]);
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_their_places_come_back() {
    let stage = Stage::set().await;
    let mut open: Vec<Open> = Vec::new();
    for _ in 0..LIMITS.connections_max.get() {
        let mut connection = stage.connect(stage.caller(Some(stage.la()))).await.expect("open");
        assert!(connection.ask("/").await.is_some());
        open.push(connection);
    }
    assert_eq!(stage.call(stage.caller(Some(stage.la()))).await, None);
    assert_eq!(stage.refusal().await, ["connections-exhausted"]);
    drop(open);
    for _ in 0..100 {
        if stage.call(stage.caller(Some(stage.la()))).await.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no place came back");
}

#[tokio::test]
async fn a_request_in_progress_is_finished_on_shutdown() {
    let stage = Stage::set().await;
    let mut idle = stage.connect(stage.caller(Some(stage.la()))).await.expect("connected");
    assert!(idle.ask("/").await.is_some());
    let mut busy = stage.connect(stage.caller(Some(stage.la()))).await.expect("connected");
    busy.send("/slow").await.expect("sent");
    while stage.answered() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.shutdown.cancel();
    assert_eq!(busy.hear().await.as_deref(), Some("334 slowly."));
    assert_eq!(idle.ask("/").await, None);
    assert!(TcpStream::connect(stage.address).await.is_err());
    assert_eq!(stage.serving.await.expect("ended"), Served { cut_off: 0 });
}

#[tokio::test]
async fn the_drain_has_an_end() {
    let stage = Stage::set().await;
    let mut busy = stage.connect(stage.caller(Some(stage.la()))).await.expect("connected");
    busy.send("/endless").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.shutdown.cancel();
    assert_eq!(stage.serving.await.expect("ended"), Served { cut_off: 1 });
}

#[tokio::test]
async fn a_watched_change_is_written_down_before_it_takes_effect() {
    let stage = Stage::set().await;
    let stop = CancellationToken::new();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let (answers, answer) = tokio::sync::watch::channel(false);
    let tls = Arc::clone(&stage.tls);
    let watching = tokio::spawn(Arc::clone(&stage.tls).watch(stop.clone(), move |news| {
        told.send(format!("{news:?} after {}", tls.peers().generation())).expect("heard");
        let allowed = *answer.borrow();
        async move { allowed }
    }));
    stage.set_la_pins(&[stage.practice.partner("la").expect("planned").server.pin()]);
    for _ in 0..2 {
        let news = heard.recv().await.expect("news");
        assert!(news.starts_with("Changing([Partners"), "{news}");
        assert!(news.ends_with("after 0"), "refused changes are proposed again: {news}");
    }
    assert!(stage.call(stage.caller(Some(stage.la()))).await.is_some());
    answers.send(true).expect("answered");
    while stage.tls.peers().generation() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(stage.call(stage.caller(Some(stage.la()))).await, None);
    std::fs::write(stage.path("partners.toml"), "[[partner]]\nname = 1").expect("written");
    while !heard.recv().await.expect("news").starts_with("Kept(Partners(Invalid") {}
    stop.cancel();
    watching.await.expect("stopped");
}

/// A listener that does not speak HTTP, on a stage of its own: it says who calls, before each message.
async fn streams(stage: &Stage, allow_tls12: bool) -> (std::net::SocketAddr, CancellationToken) {
    let partners = Partners::load(&stage.path("partners.toml")).expect("partners");
    let dyn_clock: Arc<dyn Clock> = Arc::<crate::clock::FrozenClock>::clone(&stage.clock);
    let peers = Arc::new(Peers::new(partners));
    let tls = ServerTls::load(&stage.settings, None, peers, dyn_clock).expect("TLS files");
    let tls = Arc::new(tls.with_tls12_for_streams(allow_tls12).expect("TLS files"));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let shutdown = CancellationToken::new();
    let converse = async |mut connection: Connection| {
        let mut byte = [0];
        while connection.stream().read_exact(&mut byte).await.is_ok() {
            let Ok(peer) = connection.peer() else { return };
            let name = format!("{}.", peer.organisation());
            if connection.stream().write_all(name.as_bytes()).await.is_err() {
                return;
            }
        }
    };
    let stop = shutdown.clone();
    tokio::spawn(async move { serve_streams(listener, tls, LIMITS, stop, converse).await });
    (address, shutdown)
}

/// What such a listener answers to a caller of one version, if it does.
async fn ask_stream(
    stage: &Stage,
    address: std::net::SocketAddr,
    version: &'static SupportedProtocolVersion,
) -> Option<String> {
    let caller = stage.caller_with(Some(stage.la()), Some(stage.la()), provider(false), version);
    let socket = TcpStream::connect(address).await.expect("a socket");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut stream = TlsConnector::from(Arc::new(caller)).connect(name, socket).await.ok()?;
    stream.write_all(b"?").await.ok()?;
    stream.flush().await.ok()?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn only_streams_that_are_allowed_to_take_tls_1_2() {
    let stage = Stage::set().await;
    for (allowed, answer) in [(false, None), (true, Some("334.".to_owned()))] {
        let (address, shutdown) = streams(&stage, allowed).await;
        let new = ask_stream(&stage, address, &rustls::version::TLS13).await;
        assert_eq!(new.as_deref(), Some("334."), "TLS 1.3 always");
        assert_eq!(ask_stream(&stage, address, &rustls::version::TLS12).await, answer, "{allowed}");
        shutdown.cancel();
    }
    let old = stage.caller_with(
        Some(stage.la()),
        Some(stage.la()),
        provider(false),
        &rustls::version::TLS12,
    );
    assert_eq!(stage.call(old).await, None, "never the listener of the API");
}
