//! Keywords of VRRP and what they mean.

mod model;

pub use model::*;
