//! Whether the work under way has left an entry in the log.
//!
//! A request and a command run under a [`Notice`]; a commit anywhere within them marks it. So that an answer
//! left its entry is looked at in one place, whatever the handler did or forgot. Work that is handed
//! to another task takes its notice along ([`Notice::current`]).

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

tokio::task_local! {
    static UNDER_WAY: Notice;
}

/// Notices commits.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    left: Arc<AtomicBool>,
    nothing_done: Arc<AtomicBool>,
}

impl Notice {
    /// That of the work under way; a fresh one where there is none.
    pub fn current() -> Self {
        UNDER_WAY.try_with(Clone::clone).unwrap_or_default()
    }

    /// Does some work, noticing its commits.
    pub async fn over<F: Future>(&self, work: F) -> F::Output {
        UNDER_WAY.scope(self.clone(), work).await
    }

    /// Whether anything was committed.
    pub fn left_an_entry(&self) -> bool {
        self.left.load(Ordering::SeqCst)
    }

    /// Says that there was nothing to do and nothing was done: for work that leaves an entry for each
    /// thing it does.
    pub fn say_nothing_was_done(&self) {
        self.nothing_done.store(true, Ordering::SeqCst);
    }

    /// Whether it was said that nothing was done.
    pub fn nothing_was_done(&self) -> bool {
        self.nothing_done.load(Ordering::SeqCst)
    }
}

/// Something was committed.
pub(super) fn mark() {
    // The gateway's own tasks are nobody's request.
    let _ = UNDER_WAY.try_with(|notice| notice.left.store(true, Ordering::SeqCst));
}
