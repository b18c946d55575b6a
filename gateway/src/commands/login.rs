//! Who runs this program, asked of the operating system.
//!
//! The session's login first: the kernel keeps it through `su` and `sudo` (`/proc/self/loginuid`). Where
//! it keeps none, the real user of the process. Nothing in the environment is believed: `SUDO_USER` is
//! handed on as what somebody says.

use crate::prompt::Login;

/// The login, where the operating system has such a thing.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere than on Unix there is none")]
#[expect(clippy::disallowed_methods, reason = "read once, in a command, and never believed")]
pub(super) fn of_this_process() -> Option<Login> {
    use crate::prompt::KnownBy;
    let session = std::fs::read_to_string("/proc/self/loginuid").ok();
    let (uid, known_by) = match session.as_deref().and_then(of_session) {
        Some(uid) => (uid, KnownBy::Session),
        None => (nix::unistd::getuid().as_raw(), KnownBy::Process),
    };
    let said = std::env::var("SUDO_USER").ok();
    Some(Login::new(&name_of(uid), known_by).saying(said))
}

/// Elsewhere than on Unix nobody is named.
#[cfg(not(unix))]
pub(super) fn of_this_process() -> Option<Login> {
    None
}

/// The user of a session; `None` when there is no session.
#[cfg(unix)]
fn of_session(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|uid| *uid != UNSET)
}

/// The name in the system's user database, however that is kept; the number where it has none.
#[cfg(unix)]
fn name_of(uid: u32) -> String {
    let found = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid));
    found.ok().flatten().map_or_else(|| format!("uid:{uid}"), |user| user.name)
}

/// What the kernel says of a process that nobody logged in for: `(uid_t) -1`.
#[cfg(unix)]
const UNSET: u32 = u32::MAX;

#[cfg(all(test, unix))]
mod tests;
