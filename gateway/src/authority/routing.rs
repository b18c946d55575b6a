//! Routing: which organisation answers for a service today.
//!
//! Owns the routing file (a data file, replaced by configuration). Which body provides which
//! service is contract, not law, and changes (`domain.md` 0.2, 3.3), so every row has its dates;
//! the duty to ask it is SEND Regulations 2014, regulation 6(1)(c).
//!
//! Must never know a child, the store or the clock.
//!
//! Use: `Routing::parse(text)?.route(&service, today)?.organisation`.
//!
//! Limits: a route depends on the service and the day only. Registration with a general practice
//! and the school, on which some services also depend, are notes for a person and not yet rules.
//! Two routes for one service on one day are a mistake and are refused, not chosen between.

use jiff::civil::Date;
use schemas::{OrganisationCode, ServiceCode};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use super::table::{self, TableError};

/// Which organisation answers for one service, and when (SEND Regulations 2014, regulation 6(1)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The service, as requests name it.
    pub service: ServiceCode,
    /// Its name, for people.
    pub name: String,
    /// Who answers.
    pub organisation: OrganisationCode,
    /// The first day on which that is so.
    pub from: Date,
    /// The last day; none means until further notice.
    pub until: Option<Date>,
    /// What a person should know about general practices.
    pub gp_note: Option<String>,
    /// What a person should know about schools.
    pub school_note: Option<String>,
}

/// Why a service cannot be routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RouteError {
    /// No row names the service.
    #[error("the service is not in the routing table")]
    UnknownService,
    /// Rows name it, none of them for this day.
    #[error("no organisation answers for the service on this day")]
    NotInForce,
    /// More than one organisation answers for it on this day.
    #[error("two organisations answer for the service on this day; correct the routing table")]
    TwoInForce,
}

/// The routes in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    version: String,
    routes: Vec<Route>,
}

impl Routing {
    /// Reads the file; the error names the line.
    pub fn parse(text: &str) -> Result<Self, TableError> {
        let file: File = table::read(text)?;
        if file.version.get_ref().trim().is_empty() {
            return Err(TableError::at(text, &file.version, "the version is empty"));
        }
        let mut routes = Vec::with_capacity(file.service.len());
        for row in file.service {
            if row.until.is_some_and(|until| until < row.from) {
                return Err(TableError::at(text, &row.code, "`until` is before `from`"));
            }
            routes.push(Route {
                service: row.code.into_inner(),
                name: row.name,
                organisation: row.organisation,
                from: row.from,
                until: row.until,
                gp_note: row.gp_note,
                school_note: row.school_note,
            });
        }
        Ok(Self { version: file.version.into_inner(), routes })
    }

    /// The version of the file.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Every route, in the order of the file.
    pub fn all(&self) -> &[Route] {
        &self.routes
    }

    /// The route of a service on a day.
    pub fn route(&self, service: &ServiceCode, on: Date) -> Result<&Route, RouteError> {
        let mut named = self.routes.iter().filter(|route| route.service == *service).peekable();
        if named.peek().is_none() {
            return Err(RouteError::UnknownService);
        }
        let mut in_force = named.filter(|route| route.holds_on(on));
        match (in_force.next(), in_force.next()) {
            (Some(route), None) => Ok(route),
            (Some(_), Some(_)) => Err(RouteError::TwoInForce),
            (None, _) => Err(RouteError::NotInForce),
        }
    }
}

impl Route {
    /// Whether it is in force on a day; the first and the last day count.
    pub fn holds_on(&self, on: Date) -> bool {
        self.from <= on && self.until.is_none_or(|until| on <= until)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: Spanned<String>,
    #[serde(default)]
    service: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    code: Spanned<ServiceCode>,
    name: String,
    organisation: OrganisationCode,
    #[serde(deserialize_with = "table::date")]
    from: Date,
    #[serde(default, deserialize_with = "table::optional_date")]
    until: Option<Date>,
    #[serde(default)]
    gp_note: Option<String>,
    #[serde(default)]
    school_note: Option<String>,
}

#[cfg(test)]
mod tests;
