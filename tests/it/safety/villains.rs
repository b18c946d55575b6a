//! Certificates that must not get in, tried against the whole gateway.

use std::process::{Command, Stdio};

use gateway::practice::people;
use tests::{Engine, TestGateway, peers};

#[test]
fn every_villain_is_refused_before_a_byte_is_answered() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let villains = gateway.cast.villains();
        assert!(villains.len() >= 12, "only {} villains", villains.len());
        for (name, villain) in &villains {
            let message =
                people::request("334", "V-1", &people::child(1), &["SALT"], gateway.today());
            let answer = villain.send("v-1", &message).await;
            assert!(answer.is_err(), "the villain {name} was answered");
        }
        assert!(gateway.board(gateway.la()).await.is_empty(), "a villain left something behind");
        gateway.end().await;
    });
}

#[test]
fn openssl_without_a_certificate_gets_nothing() {
    let Some(openssl) = peers::program("openssl") else {
        eprintln!("openssl was not found: the handshake was not tried with it");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let address = gateway.cast.address();
        let output = tokio::task::spawn_blocking(move || {
            use std::io::Write;
            let mut child = Command::new(openssl)
                .args(["s_client", "-quiet", "-connect", &address.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("openssl starts");
            let mut input = child.stdin.take().expect("its input");
            // It may have been refused before it reads this.
            drop(input.write_all(b"GET /v1/board HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            drop(input);
            child.wait_with_output().expect("openssl ends")
        });
        let output = output.await.expect("openssl ran");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "something was answered");
        gateway.end().await;
    });
}
