//! How the look-up of a period stands beside its entries, and what may be wrong with it.

use std::fmt;

use serde::Serialize;

/// How the look-up of an entry's period stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookUp {
    /// It is there: the subject beside the entry is given as its [alias](crate::audit::alias), to be
    /// compared with the leaf's.
    Kept,
    /// It was destroyed: nobody is named beside the entry.
    Destroyed,
    /// Its key cannot be opened: whom the entry is found by cannot be compared.
    Locked,
}

/// What is wrong with the look-up of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookUpFault {
    /// It is gone, and no entry says that it was destroyed.
    Gone,
    /// The entry says that it was destroyed, and it is there, or is of another stretch.
    Back,
    /// Its key cannot be opened: whom its entries are found by was not compared with them.
    Locked,
}

impl fmt::Display for LookUpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => {
                "whom the entries from here on are about is gone, and no entry says that it was \
                 destroyed"
            }
            Self::Back => {
                "the entry says that it was destroyed, and it is there, or is of other entries"
            }
            Self::Locked => {
                "its key cannot be opened, so that whom its entries are found by was not compared \
                 with them; restore the wrapping key that it was sealed under"
            }
        })
    }
}
