//! The real binary, as an operator runs it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use gateway::practice::client::Partner;

/// The real binary, killed when dropped.
pub struct Binary(Child);

impl Binary {
    /// Starts `serve`; its log goes to `log`.
    pub fn start(config: &Path, log: Stdio) -> Self {
        Self::run(&["serve"], config, log)
    }

    /// Starts `witness serve`; its log goes to `log`.
    pub fn witness(config: &Path, log: Stdio) -> Self {
        Self::run(&["witness", "serve"], config, log)
    }

    fn run(what: &[&str], config: &Path, log: Stdio) -> Self {
        let child = command()
            .args(what)
            .arg("-c")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        Self(child.expect("the gateway starts"))
    }

    /// Waits until a partner is answered.
    pub async fn wait_until_ready(&mut self, la: &Partner) {
        for _ in 0..600 {
            if la.get("/v1/whoami", None).await.is_ok_and(|reply| reply.status == 200) {
                return;
            }
            assert!(self.0.try_wait().expect("a state").is_none(), "the gateway ended by itself");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the gateway did not become ready");
    }

    /// `kill -9`: no chance to tidy up.
    pub fn kill(&mut self) {
        self.0.kill().expect("it is killed");
        self.0.wait().expect("it is gone");
    }
}

impl Binary {
    /// Tells it to stop in good order, as a service manager does; whether it did.
    pub fn stop(&mut self) -> bool {
        let told = Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "it cannot be told to stop");
        self.0.wait().expect("it is gone").success()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The binary under test, built once if it is not there yet.
pub fn command() -> Command {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let path = BINARY.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "gateway", "--bin", "ehc-gateway"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo runs").success(), "the binary does not build");
        let test = std::env::current_exe().expect("a path");
        let profile = test.parent().and_then(Path::parent).expect("the target folder");
        profile.join("ehc-gateway")
    });
    Command::new(path)
}
