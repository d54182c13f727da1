use super::*;

#[test]
fn only_harmless_errors_are_forgiven() {
    let error = |errno| NetlinkError::plain(errno);
    assert_eq!(forgive(Operation::Add, error(Errno::EEXIST)), Ok(Applied::Existed));
    assert_eq!(forgive(Operation::Delete, error(Errno::EADDRNOTAVAIL)), Ok(Applied::Absent));
    assert_eq!(forgive(Operation::Delete, error(Errno::ENODEV)), Ok(Applied::Absent));
    assert!(forgive(Operation::Add, error(Errno::ENODEV)).is_err());
    assert!(forgive(Operation::Delete, error(Errno::EPERM)).is_err());
}
