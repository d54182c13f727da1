use crate::settings::RegexSettings;
use std::rc::Rc;
#[derive(Default)]
pub(crate) struct Expressions;
pub(crate) struct Expression;
impl Expressions {
    pub(crate) fn get(&mut self, _s: &RegexSettings) -> Option<Rc<Expression>> {
        None
    }
}
pub(crate) struct Search;
impl Search {
    pub(crate) fn new(_e: Rc<Expression>) -> Search {
        Search
    }
    pub(crate) fn feed(&mut self, _b: &[u8]) {}
    pub(crate) fn finish(&mut self) -> bool {
        false
    }
}
