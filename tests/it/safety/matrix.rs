//! Who may do what: every route by every actor, as a table people can read.
//!
//! The table is `who_may_do_what.txt`. A new route fails this test until somebody has looked at
//! its line and put it in the file.

use std::fmt::Write;

use gateway::api::ROUTES;
use tests::{Engine, TestGateway};

const GOLDEN: &str = include_str!("who_may_do_what.txt");

#[test]
fn every_route_answers_every_actor_as_the_table_says() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let table = runtime.block_on(async {
        let gateway = TestGateway::start(Engine::Sqlite).await;
        let table = ask_everything(&gateway).await;
        gateway.end().await;
        table
    });
    assert_eq!(
        table.trim_end(),
        GOLDEN.trim_end(),
        "the table changed; look at every new line, then put it in who_may_do_what.txt:\n{table}"
    );
}

async fn ask_everything(gateway: &TestGateway) -> String {
    let actors = [
        ("authority", gateway.la()),
        ("trust", gateway.acute()),
        ("auditor", gateway.auditor()),
        ("operator", gateway.cast.operator()),
    ];
    let mut table = format!("{:<58}", "route");
    for (name, _) in &actors {
        write!(table, "{name:<11}").expect("room");
    }
    table = format!("{}\n", table.trim_end());
    for route in ROUTES {
        let path = route
            .path
            .replace("{record}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{delivery}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{document}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{question}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{review}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{alert}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{clock}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{leg}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{transition}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{case}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{difference}", "0b9f6f9e-6d0c-4f8e-9f53-1c8a5d7effff")
            .replace("{day}", &gateway.today().to_string())
            .replace("{report}", "six-weeks")
            .replace("{number}", "1")
            .replace("{*tile}", "0/000.p/1")
            .replace("{seq}", "0");
        assert!(!path.contains('{'), "{} has a part that this test does not fill in", route.path);
        write!(table, "{:<58}", format!("{} {}", route.method, route.path)).expect("room");
        for (name, actor) in &actors {
            let before = gateway.cast.app().log_size().await.expect("a size");
            let key = format!("matrix-{name}-{}", route.path);
            let reply = if route.method == "GET" {
                actor.get(&path, None).await
            } else {
                actor.post(&path, "application/json", &key, "{}").await
            };
            let status = reply.expect("an answer").status;
            let after = gateway.cast.app().log_size().await.expect("a size");
            if status == 403 {
                assert!(after > before, "a refusal to {name} on {} was not audited", route.path);
            }
            let may = if status == 403 { "no" } else { "may" };
            write!(table, "{may:<11}").expect("room");
        }
        table = table.trim_end().to_owned();
        table.push('\n');
    }
    table
}
