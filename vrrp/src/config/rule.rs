//! Rule entries.
use super::builder::Builder;
use config::{Context, Line};
pub(super) fn check_virtual(_b: &mut Builder, _line: &Line, _ctx: &mut Context<'_>) {}
pub(super) fn check_static(b: &mut Builder, _line: &Line, _ctx: &mut Context<'_>) {
    b.contains_vrrp = true;
}
