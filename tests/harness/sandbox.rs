//! mesh-sandbox: NHS England's own MESH server for tests, on loopback, with mutual TLS and full
//! tokens. It is an ordinary Python package, found through the same variable as the other peers.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adapters::mesh::Mailbox;
use gateway::clock::{Clock, SystemClock};
use gateway::config::MeshSection;
use gateway::delivery::mesh::exchange::{Exchange, MeshError};
use gateway::practice::mailbox::{MailboxFiles, SHARED_KEY};
use schemas::OrganisationCode;
use tempfile::TempDir;

/// A mesh-sandbox that runs; killed when dropped.
pub struct Sandbox {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    files: MailboxFiles,
    clock: Arc<dyn Clock>,
}

impl Sandbox {
    /// Starts one with empty mailboxes; `None`, plainly said, when there is none on this machine.
    pub async fn start() -> Option<Self> {
        let python = crate::peers::python_for("mesh-sandbox")?;
        let folder = TempDir::new().expect("a folder");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let code = |code| OrganisationCode::parse(code).expect("a code");
        let owners = [("gateway", code("EHCGW")), ("trust", code("RXT"))];
        let files = MailboxFiles::mint(folder.path(), &owners, clock.now()).expect("files");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let [certificate, key, authority] = files.server();
        let mut command = Command::new(python);
        command
            .args(["-m", "uvicorn", "mesh_sandbox.api:app", "--host", "127.0.0.1"])
            .args(["--port", &address.port().to_string(), "--workers", "1"])
            .args(["--ssl-cert-reqs", "2", "--log-level", "critical"])
            .arg("--ssl-certfile")
            .arg(certificate)
            .arg("--ssl-keyfile")
            .arg(key)
            .arg("--ssl-ca-certs")
            .arg(authority)
            .envs([("AUTH_MODE", "full"), ("STORE_MODE", "memory"), ("SHARED_KEY", SHARED_KEY)])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("the sandbox starts");
        let mut sandbox = Self { child, folder, address, files, clock };
        sandbox.wait().await;
        Some(sandbox)
    }

    async fn wait(&mut self) {
        for _ in 0..600 {
            if tokio::net::TcpStream::connect(self.address).await.is_ok() {
                return;
            }
            assert!(
                self.child.try_wait().expect("a state").is_none(),
                "the sandbox ended by itself"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the sandbox did not become ready");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificates and secrets.
    pub fn files(&self) -> &MailboxFiles {
        &self.files
    }

    /// The folder it works in.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// A connection of one of its mailboxes: the gateway's `X26ABC1`, the trust's `X26ABC2`.
    pub fn exchange(
        &self,
        owner: &str,
        change: impl FnOnce(&mut MeshSection),
    ) -> Result<Exchange, MeshError> {
        let mailbox = mailbox(if owner == "gateway" { "X26ABC1" } else { "X26ABC2" });
        let clock = Arc::clone(&self.clock);
        self.files.exchange((owner, &mailbox), self.address, clock, change)
    }

    /// Has it put a report about a message into a mailbox, as MESH does after five days.
    pub async fn report(&self, mailbox: &str, linked: &str) {
        let body = serde_json::json!({
            "mailbox_id": mailbox, "code": "14", "description": "not collected",
            "workflow_id": "TEST_WORKFLOW", "status": "undeliverable",
            "linked_message_id": linked,
        });
        let own = self::mailbox("X26ABC1");
        let section = self.files.section("gateway", &own, self.address).expect("settings");
        let tls = gateway::tls::mesh_client_config(&section, Arc::clone(&self.clock));
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls.expect("a configuration"))
            .no_proxy()
            .build()
            .expect("a client");
        let url = format!("https://localhost:{}/messageexchange/admin/report", self.address.port());
        let request = client.post(url).header("content-type", "application/json");
        let response = request.body(body.to_string()).send().await.expect("an answer");
        assert!(response.status().is_success(), "{}", response.status());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A mailbox by its id.
pub fn mailbox(id: &str) -> Mailbox {
    Mailbox::parse(id).expect("a mailbox")
}
