//! One way of writing dates, tried strictly.
//!
//! Owns the pattern of a mapping file, for example `%d/%m/%Y`. A text fits only if writing the
//! date again by the same pattern gives the same text: `1/9/2026` does not fit `%d/%m/%Y`.

use jiff::civil::Date;
use jiff::fmt::strtime::{self, BrokenDownTime};

/// A pattern of day, month and four-digit year, perhaps with a time that is dropped.
#[derive(Debug, Clone)]
pub(super) struct DatePattern {
    pattern: String,
}

impl DatePattern {
    /// Takes a pattern, or says what is wrong with it.
    pub(super) fn new(pattern: &str) -> Result<Self, &'static str> {
        let mut seen = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            if c == '%' {
                let after = chars.next().unwrap_or('%');
                // Thousandths of a second, as some warehouses write them.
                let thousandths = after == '.' && chars.as_str().starts_with("3f");
                seen.push(if thousandths { 'S' } else { after });
            }
        }
        if seen.contains(&'y') {
            return Err("has a two-digit year (%y), which nobody can read safely; use %Y");
        }
        if seen.iter().any(|c| !"dmbBYHMS".contains(*c)) {
            return Err("may hold only %d %m %b %B %Y %H %M %S %.3f and plain characters");
        }
        let month = seen.iter().any(|c| "mbB".contains(*c));
        if !(month && seen.contains(&'d') && seen.contains(&'Y')) {
            return Err("needs a day (%d), a month (%m, %b or %B) and a year (%Y)");
        }
        Ok(Self { pattern: pattern.to_owned() })
    }

    /// Whether it has a time of day.
    pub(super) fn has_time(&self) -> bool {
        self.pattern.contains("%H")
    }

    /// The date, if the text is one by this pattern.
    pub(super) fn parse(&self, text: &str) -> Option<Date> {
        let parsed = strtime::parse(&self.pattern, text).ok()?;
        rewritten(&parsed, &self.pattern, text)?;
        parsed.to_date().ok()
    }

    /// Whether the text would fit if the year had two digits.
    pub(super) fn fits_two_digit_year(&self, text: &str) -> bool {
        let short = self.pattern.replace("%Y", "%y");
        let parsed = strtime::parse(&short, text).ok();
        parsed.is_some_and(|parsed| rewritten(&parsed, &short, text).is_some())
    }
}

/// The day that a spreadsheet of the 1900 date system numbers so, from 18 May 1927 (10000) to
/// 14 October 2173 (99999): five digits, so that no number is taken for a day by accident.
pub(super) fn of_serial(text: &str) -> Option<Date> {
    let digits = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let days = text.parse::<i64>().ok().filter(|days| digits && *days >= 10_000)?;
    let epoch = Date::constant(1899, 12, 30);
    epoch.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// Some if writing what was parsed gives the text again (month names in any case).
fn rewritten(parsed: &BrokenDownTime, pattern: &str, text: &str) -> Option<()> {
    let again = parsed.to_string(pattern).ok()?;
    again.eq_ignore_ascii_case(text).then_some(())
}
