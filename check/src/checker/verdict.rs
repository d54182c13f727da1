//! What the outcomes of attempts make of a checker (spec checkers-behaviour §2, §3.2).

/// The state of a checker.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    /// Up; initially so unless alpha.
    pub(crate) up: bool,
    /// A definitive result was reached once.
    pub(crate) has_run: bool,
}
