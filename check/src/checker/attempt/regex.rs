//! The expressions that bodies are searched for, by PCRE2.
//!
//! The body goes by in pieces and is never kept as a whole. Where a match may have begun that could go
//! on in what is still to come, the search says so, and from there on the body is kept; likewise what
//! expressions may look back at. So the answer does not depend on how the network cut the body up.
//!
//! # Limits
//!
//! At most [`KEPT`] bytes are kept: a match that has to see more than that at once is not found. How
//! long one search may go back and forth is limited too; one that exceeds it does not match.

#[cfg(feature = "regex")]
mod search;
#[cfg(feature = "regex")]
mod sys;
#[cfg(not(feature = "regex"))]
mod without;

#[cfg(feature = "regex")]
pub(crate) use search::Expression;
#[cfg(not(feature = "regex"))]
pub(crate) use without::Expression;

use std::collections::HashMap;
use std::rc::Rc;

use crate::settings::RegexSettings;

/// Most expressions that are remembered.
const EXPRESSIONS: usize = 1024;
/// Most bytes of a body that are kept.
#[cfg(feature = "regex")]
const KEPT: usize = 16 << 10;

/// Expressions that were compiled, each once. An expression that cannot be is logged once; a check
/// goes on without it, as with other keywords whose value is of no use.
#[derive(Default)]
pub(crate) struct Expressions(HashMap<RegexSettings, Option<Rc<Expression>>>);

impl Expressions {
    /// The expression, unless it cannot be compiled.
    pub(crate) fn get(&mut self, settings: &RegexSettings) -> Option<Rc<Expression>> {
        if let Some(known) = self.0.get(settings) {
            return known.clone();
        }
        let compiled = match Expression::new(settings) {
            Ok(expression) => Some(Rc::new(expression)),
            Err(why) => {
                log::error!("{why}");
                None
            }
        };
        if self.0.len() >= EXPRESSIONS {
            self.0.clear();
        }
        self.0.insert(settings.clone(), compiled.clone());
        compiled
    }
}

/// A search in one body.
#[cfg(feature = "regex")]
pub(crate) use search::Search;
#[cfg(not(feature = "regex"))]
pub(crate) use without::Search;

#[cfg(feature = "regex")]
#[cfg(test)]
mod tests;
