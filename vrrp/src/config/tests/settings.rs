//! What comes out of configurations without defects.

use std::net::IpAddr;
use std::time::Duration;

use super::super::{Family, Version};
use super::*;

const SAMPLE: &str = "
vrrp_instance A {
    interface eth0
    virtual_router_id 5
    virtual_ipaddress {
        10.0.0.1
        10.0.0.2/24 brd + dev eth1 label eth1:v
    }
}
";

#[test]
fn defaults_are_filled_in() {
    let outcome = test(SAMPLE);
    assert_eq!(outcome.problems(), []);
    let settings = outcome.settings();
    let [instance] = settings.instances.as_slice() else { panic!("one instance") };
    assert_eq!(instance.vrid, 5);
    assert_eq!(instance.priority, 100);
    assert_eq!((instance.version, instance.family), (Version::V2, Family::V4));
    assert_eq!(instance.advert_interval, Duration::from_secs(1));
    assert_eq!(instance.group_address, IpAddr::from([224, 0, 0, 18]));
    assert_eq!(instance.garp.delay, Duration::from_secs(5));
    assert_eq!(instance.garp.lower_prio_repeat, 5);
    assert!(instance.accept && !instance.wants_master);
    let [first, second] = instance.addresses.as_slice() else { panic!("two addresses") };
    assert_eq!((first.prefix, first.interface.as_str()), (32, "eth0"));
    assert_eq!((second.prefix, second.interface.as_str()), (24, "eth1"));
    assert_eq!(second.broadcast, Some([10, 0, 0, 255].into()));
    assert_eq!(second.label.as_deref(), Some("eth1:v"));
}
