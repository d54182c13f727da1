//! Order, classes, rounds and passes, under the virtual clock.

use std::time::Duration;

use super::*;

const MS: Duration = Duration::from_millis(1);

#[test]
fn classes_run_most_urgent_first_and_equal_deadlines_as_armed() {
    let (mut s, mut log) = (simulated(), Log::default());
    for (arg, class) in [(20, Class::Background), (10, Class::Checker), (0, Class::Urgent)] {
        s.add_timer_after(class, MS, arg, note);
        s.add_timer_after(class, MS, arg + 1, note);
    }
    assert!(s.turn(&mut log, None).unwrap());
    assert_eq!(log.args(), [0, 1, 10, 11, 20, 21]);
    assert!(s.is_empty());
}
