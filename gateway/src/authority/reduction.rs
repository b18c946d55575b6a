//! Reduction: which classes of data may go, which are cut, and what cuts each.
//!
//! Owns the order of what limits (UK GDPR, Article 5(1)(c)): what the recipient needs, what the
//! sharing agreement covers, what a restriction protects, what the family agreed to. A limit only
//! ever takes away: fewer classes anywhere never gives more.
//!
//! Must never know what a record holds; `Record::reduced_to` does the cutting.

use std::collections::{BTreeMap, BTreeSet};

use schemas::catalogue::DataClass;

use super::restrictions::{Barrier, Reach};
use super::rules::{Obstacle, Share};

/// What limits the classes.
pub(super) struct Limits<'a> {
    /// Every class that the type of message is for.
    pub(super) carries: &'a BTreeSet<DataClass>,
    /// What the recipient may have.
    pub(super) share: &'a Share,
    /// What the sharing agreement covers.
    pub(super) agreement: &'a BTreeSet<DataClass>,
    /// What is in the way, and how far each reaches.
    pub(super) barriers: &'a [(Barrier<'a>, Reach)],
    /// What the family agreed to; none where it does not limit.
    pub(super) scope: Option<&'a BTreeSet<DataClass>>,
}

/// What may go, and what was cut by what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reduced {
    pub(super) classes: BTreeSet<DataClass>,
    pub(super) cut: BTreeMap<DataClass, Cut>,
}

/// Why a class of data does not go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// The recipient does not need it for this type of message.
    NotNeeded,
    /// The sharing agreement does not cover it.
    Agreement,
    /// A restriction protects it.
    Restriction(Obstacle),
    /// The family did not agree to it.
    ConsentScope,
}

impl Cut {
    /// The name in decisions and in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotNeeded => "not-needed",
            Self::Agreement => "agreement",
            Self::Restriction(obstacle) => obstacle.as_str(),
            Self::ConsentScope => "consent-scope",
        }
    }
}

impl Limits<'_> {
    /// What may go.
    pub(super) fn reduce(&self) -> Reduced {
        let mut reduced = Reduced::default();
        for class in self.carries {
            match self.cut(*class) {
                Some(cut) => {
                    reduced.cut.insert(*class, cut);
                }
                None => {
                    reduced.classes.insert(*class);
                }
            }
        }
        reduced
    }

    /// What cuts a class, if anything does.
    fn cut(&self, class: DataClass) -> Option<Cut> {
        if !self.share.classes.contains(&class) {
            return Some(Cut::NotNeeded);
        }
        if !self.agreement.contains(&class) {
            return Some(Cut::Agreement);
        }
        let protects = |(barrier, reach): &(Barrier<'_>, Reach)| match reach {
            Reach::Classes(classes) => classes.contains(&class).then_some(barrier.obstacle),
            // Nothing releases across it but people, who then release what it protects.
            Reach::Whole => None,
        };
        if let Some(obstacle) = self.barriers.iter().find_map(protects) {
            return Some(Cut::Restriction(obstacle));
        }
        self.scope.is_some_and(|scope| !scope.contains(&class)).then_some(Cut::ConsentScope)
    }
}
