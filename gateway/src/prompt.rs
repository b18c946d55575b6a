//! Who types at the machine's own prompt, as its operating system says.
//!
//! Owns what is known of a [`Login`], how the log names it (a keyed pseudonym, never the name), and how
//! a file that it takes out names it (by the name: it is the officer's own file). Must never know
//! where that came from: `commands::login` reads it and hands it in.
//!
//! To use it: [`App::at_the_prompt_of`](crate::app::App::at_the_prompt_of), then
//! [`App::operator`](crate::app::App::operator) for whatever is done there.
//!
//! Limits: it is as good as the machine. Whoever is its root can be anybody, a login that people share
//! is one person, and where the session is not known after `sudo`, everybody is `root`: then only what
//! they say is kept beside it, and proves nothing. Not supported: asking for a password or a token
//! here, because whoever may read the key files needs neither.

use std::fmt;

use crate::audit::Actor;
use crate::vault::pseudonym::Pseudonyms;

/// A login of this machine. Its `Debug` says nothing of it.
#[derive(Clone)]
pub struct Login {
    name: String,
    known_by: KnownBy,
    said: Option<String>,
}

/// How a login is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// The system remembers who logged in, through `su` and `sudo`.
    Session,
    /// Only as whom the program runs: after `sudo` that is somebody else.
    Process,
}

impl Login {
    /// A login by its name in the system's user database.
    pub fn new(name: &str, known_by: KnownBy) -> Self {
        Self { name: name.to_owned(), known_by, said: None }
    }

    /// The same where something that anybody may set says that it is somebody else who acts.
    #[must_use]
    pub fn saying(self, name: Option<String>) -> Self {
        let said = name.filter(|name| !name.trim().is_empty() && *name != self.name);
        Self { said, ..self }
    }

    /// The name, for the cover of what this login takes out.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As the log may know it.
    pub fn actor(&self, names: &Pseudonyms) -> Actor {
        let method = match self.known_by {
            KnownBy::Session => Actor::LOGIN,
            KnownBy::Process => Actor::PROCESS,
        };
        Actor {
            method: method.to_owned(),
            person: Some(names.login(&self.name)),
            claimed: self.said.as_deref().map(|name| names.login(name)),
            ..Actor::local()
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(hidden)")
    }
}

#[cfg(test)]
mod tests;
