//! What counts as near.

use super::suggest;

#[test]
fn nearest() {
    let candidates =
        ["virtual_router_id", "virtual_routes", "priority", "nopreempt", "state", "eth0", "eth1"];
    let near = |word| suggest(word, candidates);
    assert_eq!(near("virtual_router_di"), Some("virtual_router_id"));
    assert_eq!(near("prioritiy"), Some("priority"));
    assert_eq!(near("virtual_routs"), Some("virtual_routes"));
    assert_eq!(near("staet"), Some("state"));
    assert_eq!(near("eth2"), Some("eth0"));
    assert_eq!(near("foo"), None);
    assert_eq!(near(""), None);
    assert_eq!(near("x"), None);
    assert_eq!(near(&"x".repeat(1000)), None);
}
